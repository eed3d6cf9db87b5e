"""Which decoder opens a file: by its first bytes and never by its name.

    kind = kind_of(file, "scan.png")           # "PNG"; a UserError where it is of no kind that is read
    image = open_image(file, kind, "scan.png") # a PIL image of which only the header has been read

Pillow decodes all but PDF (see `pdf_pages`). Every decoder on this list is fuzzed in public, and none starts another
program (EPS would run Ghostscript). What decodes HEIC, AVIF, TIFF and WebP is imported when such a file comes.
"""

import importlib
import re
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from digits.support.messages import UserError

MAX_PAGES = 2000  # of a document: more are a mistake, or meant to keep the reader busy

_SIGNATURES = {
    "PNG": rb"\x89PNG",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "WEBP": rb"RIFF....WEBP",
    "PPM": rb"P[1-6f]\s",
    "AVIF": rb"....ftyp(avi[fs]|m[is]f1.{4}(....){0,10}avi[fs])",  # among the brands that the file is compatible with
    "HEIF": rb"....ftyp(he[iv]|m[is]f1)",
    "PDF": rb".{0,1000}%PDF-",  # some programs write a few bytes before it
}
_PLUGINS = {  # what Pillow does not always have ready
    "TIFF": "PIL.TiffImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "AVIF": "PIL.AvifImagePlugin",
    "HEIF": "pillow_heif",
}
_OTHERS = [
    (rb"(\xef\xbb\xbf)?\s*<(\?xml|svg|!DOCTYPE svg)", "an SVG drawing"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document"),
]


class Page(NamedTuple):
    """One image of a file.

    Attributes:
        image: (h, w, 3) uint8, RGB; None where this page cannot be read.
        number: of the page, from 1; None in a file that holds a single image.
        full_size: (width, height) in pixels of the upright original where `image` is smaller; None where it is not.
        error: when `image` is None, the sentence that says why.
    """

    image: np.ndarray | None
    number: int | None = None
    full_size: tuple[int, int] | None = None
    error: str | None = None


def kind_of(file: BinaryIO, name: str) -> str:
    """Return the format of `file`, which is left at its beginning: "PNG", "JPEG", ... or "PDF".

    Raises:
        UserError: the file, called `name`, is empty or of no kind that is read.
    """
    head = file.read(1024)
    file.seek(0)
    if not head:
        raise UserError(f"{name} is empty (0 bytes); save or download it again.")
    for kind, pattern in _SIGNATURES.items():
        if re.match(pattern, head, re.DOTALL):
            return kind
    for pattern, what in _OTHERS:
        if re.match(pattern, head, re.DOTALL):
            raise UserError(f"{name} is {what}; export it as a PNG.")
    raise UserError(
        f"{name} is not an image of a kind read here (PNG, JPEG, GIF, BMP, TIFF, WebP, PPM, HEIC, AVIF, PDF); convert it to PNG."
    )


def open_image(file: BinaryIO, kind: str, name: str) -> Image.Image:
    """Read the header of an image of a `kind` other than "PDF".

    Raises:
        UserError: the package that decodes this kind is missing. A damaged header raises whatever its decoder does.
    """
    if kind in _PLUGINS:
        try:
            plugin = importlib.import_module(_PLUGINS[kind])
        except ImportError as error:
            raise UserError(
                f"{name} is a {kind} file, and {error.name} is not installed; run `pip install -r requirements.txt`."
            ) from error
        if kind == "HEIF":
            plugin.register_heif_opener()
    return Image.open(file, formats=[kind])
