"""Teach a trained model one's own handwriting, and see what it gained and whether it forgot any of MNIST's.

model = start_model(path, data)
...                                             # compile and fit as ever, on training_data.TrainingData with one's own images
before, after = measure(load_model(path), data), measure(model, data)      # both calibrated
print(report(before, after, data.own))
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

import keras
import numpy as np

from digits.inference.calibration import calibrate
from digits.inference.keras_model import load_model, predict
from digits.inference.model_files import files_of, mismatch
from digits.reading.decoding import MIN_CONFIDENCE
from digits.support import files
from digits.support.constants import NOT_A_DIGIT
from digits.support.messages import UserError, percent, printable
from digits.training.recipe import LABEL_SMOOTHING
from digits.training.training_data import OwnImages, TrainingData


def start_model(path: str | os.PathLike, data: TrainingData) -> keras.Model:
    """Load a trained model to start from.

    Its calibration is undone, or the first steps would be spent on making it as careful as label smoothing wants it. Batch
    normalisation keeps its statistics: a handful of images, repeated, would spoil them.

    Raises:
        UserError: the model cannot be loaded, or cannot be calibrated, because it does not end in a dense softmax layer.
    """
    model = load_model(path)
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.softmax:
        raise UserError(f"{printable(path)} does not end in a dense softmax layer, so it cannot be fine-tuned; give another model.")
    if not _held_out(path, data):
        print(
            f"train.py: note: {printable(path)} was not trained with the default --seed, --limit and --validation-size, so it may "
            "have learned from MNIST's validation images; its accuracy on them, and its confidence, may be too high.",
            file=sys.stderr,
        )
    calibrate(model, *data.validation, smoothing=LABEL_SMOOTHING)
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return model


def _held_out(path, data):
    """Return whether the record of the model at `path` says that it has not learned from the validation images of `data`."""
    record_path = files_of(path).record
    record = files.read_json(record_path) if record_path.exists() and not mismatch(path) else {}
    if record.get("fine_tune"):  # they were held out in the fine-tuning, too
        return True
    expected = {"data": "MNIST", "seed": 0, "limit": None, "validation_size": len(data.validation[0])}
    return all(name in record and record[name] == value for name, value in expected.items())


class Score(NamedTuple):
    """How well a model reads.

    Attributes:
        own: how many of one's own validation images it reads.
        sure: of how many of all own digits it is sure, and right: its confidence is MIN_CONFIDENCE at least.
        mnist: accuracy on MNIST's validation images, 0 to 1.
    """

    own: int
    sure: int
    mnist: float


def measure(model: keras.Model, data: TrainingData) -> Score:
    """Return the Score of a calibrated model on data with one's own images."""
    assert data.own
    read, sure = _count(model, *data.own.validation)
    if data.own.held_out:
        sure += _count(model, data.own.images, data.own.labels)[1]
    return Score(read, sure, _count(model, *data.validation)[0] / len(data.validation[0]))


def _count(model, images, labels):
    """Return how many images a model reads, and how many of these it is sure of; negatives are never read."""
    probabilities = predict(model, images)
    right = probabilities.argmax(axis=1) == labels
    return int(right.sum()), int(np.sum(right & (probabilities.max(axis=1) >= MIN_CONFIDENCE)))


def has_gained(before: Score, after: Score) -> bool:
    """Return whether more own validation images are read; or as many, and the model is sure of more of all own digits."""
    return (after.own, after.sure) > (before.own, before.sure)


def report(before: Score, after: Score, own: OwnImages) -> str:
    """Return in words what fine-tuning changed."""
    kind = "own validation images read" if own.held_out else "own images read (too few to hold some out)"
    count = len(own.validation[0])
    digits = np.sum(own.labels != NOT_A_DIGIT) + count * own.held_out
    return (
        f"{kind}: {before.own} of {count} before, {after.own} of {count} after\n"
        f"own images read with a confidence of at least {percent(MIN_CONFIDENCE, 0)}: {before.sure} of {digits} before, "
        f"{after.sure} of {digits} after\n"
        f"MNIST validation accuracy: {percent(before.mnist, 2)} before, {percent(after.mnist, 2)} after"
    )
