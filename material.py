"""What the figures of visualize.py are drawn from, each part loaded or computed when it is first asked for.

material = Material("models/mine.keras", data_path="my_digits/")
material.measures                                  # loads data and model, and computes the probabilities, once
"""

from __future__ import annotations

import csv
import functools
import math
import os
import pathlib
from typing import TYPE_CHECKING

import files
from files import UserError, printable
from model import MODEL_PATH

if TYPE_CHECKING:
    import keras
    import numpy as np

    from data_loader import Dataset

PHOTO_PATH = MODEL_PATH.parents[1] / "images" / "examples" / "two_lines.jpg"


class Material:
    """The data, the model, what it answers, its history and a photo.

    Args:
        model_path: a `.keras` file.
        data_path: see `data_loader.load_dataset`.
        photo_path: path of a picture.
        index: of the test image to look into.

    Attributes (asking for one raises UserError where its file is missing or damaged):
        data: data_loader.Dataset. model: keras.Model. history: dict of lists, see `read_history`.
        photo: (H, W, 3) uint8. image: ((28, 28) uint8, its label), the test image to look into.
        probabilities: (N, 10) for the test images. measures: of them, see `scores.measure`.
    """

    def __init__(
        self,
        model_path: str | os.PathLike = MODEL_PATH,
        data_path: str | os.PathLike | None = None,
        photo_path: str | os.PathLike = PHOTO_PATH,
        index: int = 0,
    ) -> None:
        self.model_path, self.data_path, self.photo_path, self.index = pathlib.Path(model_path), data_path, photo_path, index

    @functools.cached_property
    def data(self) -> Dataset:
        from data_loader import load_dataset

        return load_dataset(self.data_path)

    @functools.cached_property
    def image(self) -> tuple[np.ndarray, int]:
        if not 0 <= self.index < len(self.data.x_test):
            raise UserError(f"there is no test image {self.index}; give an --image from 0 to {len(self.data.x_test) - 1}.")
        return self.data.x_test[self.index], int(self.data.y_test[self.index])

    @functools.cached_property
    def model(self) -> keras.Model:
        from model import load_model

        return load_model(self.model_path)

    @functools.cached_property
    def history(self) -> dict[str, list[float]]:
        return read_history(self.model_path.with_suffix(".csv"))

    @functools.cached_property
    def photo(self) -> np.ndarray:
        from image_loader import load_image

        return load_image(self.photo_path)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        from model import predict

        return predict(self.model, self.data.x_test)

    @functools.cached_property
    def measures(self) -> dict:
        from scores import measure

        return measure(self.data.x_test, self.data.y_test, self.probabilities)


def read_history(path: str | os.PathLike) -> dict[str, list[float]]:
    """Return a training history as a dict of lists of float: epoch, accuracy, loss, val_accuracy, val_loss, ...

    Raises:
        UserError: the file is missing, holds no epoch, or is not a history.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        history = {column: [float(row[column]) for row in rows] for column in rows[0]}
        if not all(math.isfinite(value) for values in history.values() for value in values):
            raise ValueError("a value is not a finite number")
        missing = {"epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"} - history.keys()
    except FileNotFoundError:
        raise UserError(
            f"there is no training history at {printable(path)}; train.py writes it beside the model: run "
            "`python train.py`, or restore it."
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {files.reason(error)}.") from error
    except (ValueError, TypeError, IndexError, csv.Error) as error:
        raise UserError(
            f"{printable(path)} is not a training history ({printable(files.reason(error))}); restore it or train again."
        ) from error
    if missing:
        raise UserError(f"{printable(path)} lacks {', '.join(sorted(missing))}; restore it or train again.")
    return history
