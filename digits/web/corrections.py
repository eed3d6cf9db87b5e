"""What people taught the page: images of digits that the network saw, each in the folder of what it really is.

    corrections = Corrections("my_digits")
    corrections.put(image, "4")                  # (28, 28) uint8: my_digits/4/3f9c5e0d81b2a746.png
    corrections.put(image, None)                 # ... taken back
    corrections.counts()                         # {"0": 0, ..., "4": 0, ..., "no_digit": 0}

`train.py --data` reads the folder. An image is saved as the network saw it, because a crop of the photograph would bring
the neighbours' ink along. Its file is named after its pixels, so saving it twice leaves one file, and it can be
found again without anybody naming a path.
"""

import hashlib
import os
import pathlib

import numpy as np
from PIL import Image

from digits.support import files
from digits.support.constants import NO_DIGIT, NUM_CLASSES
from digits.support.messages import UserError, printable, reason

LABELS = (*map(str, range(NUM_CLASSES)), NO_DIGIT)


class Corrections:
    """A folder with one sub-folder of images for each label. It is made with the first image.

    Args:
        folder: its path.

    Raises:
        UserError: there is something else of that name.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = pathlib.Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise UserError(f"{printable(self.folder)} is no folder; name one in which corrections can be saved.")

    def put(self, image: np.ndarray, label: str | None) -> None:
        """Keep an image under its label and under no other.

        Args:
            image: (28, 28) uint8, ink 255 on 0.
            label: one of LABELS, or None to keep the image no longer.

        Raises:
            UserError: the folder cannot be written.
        """
        name = f"{hashlib.sha256(image.tobytes()).hexdigest()[:16]}.png"
        if label is not None:
            with files.atomic_write(self.folder / label / name) as temporary:
                Image.fromarray(image).save(temporary, "PNG")
        try:
            for other in set(LABELS) - {label}:
                (self.folder / other / name).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot take {name} out of {printable(self.folder)}: {reason(error)}.") from error

    def counts(self) -> dict[str, int]:
        """Return how many images there are of each label. Raises UserError."""
        return {label: self._count(self.folder / label) for label in LABELS}

    def _count(self, folder):
        try:
            return sum(entry.is_file() and not entry.name.startswith(".") for entry in os.scandir(folder))
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise UserError(f"cannot read {printable(folder)}: {reason(error)}; choose another folder.") from error
