"""Teach a trained model one's own handwriting, and see what it gained and whether it forgot any of MNIST's.

model = start_model("models/mnist_cnn.keras")
...                                             # compile and fit as ever, on training_data.TrainingData with one's own images
before, after = measure(start_model("models/mnist_cnn.keras"), data), measure(model, data)
print(report(before, after, data.own))
"""

from __future__ import annotations

import os
from typing import NamedTuple

import keras
import numpy as np

from digits.inference.calibration import calibrate
from digits.inference.keras_model import load_model, predict
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
    calibrate(model, *data.validation, smoothing=LABEL_SMOOTHING)
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return model


class Score(NamedTuple):
    """How well a model reads.

    Attributes:
        own: how many of one's own validation images. learned: how many of the own digits to learn from.
        mnist: accuracy on MNIST's validation images, 0 to 1.
    """

    own: int
    learned: int
    mnist: float


def measure(model: keras.Model, data: TrainingData) -> Score:
    """Return the Score of a model on data with one's own images."""
    assert data.own

    def right(images, labels):
        return int(np.sum(predict(model, images).argmax(axis=1) == labels))  # a negative is never right

    own, mnist = data.own, data.validation
    return Score(right(*own.validation), right(own.images, own.labels), right(*mnist) / len(mnist[0]))


def has_gained(before: Score, after: Score) -> bool:
    """Return whether more own validation images are read; or as many, and more of those that were learned from."""
    return (after.own, after.learned) > (before.own, before.learned)


def report(before: Score, after: Score, own: OwnImages) -> str:
    """Return in words what fine-tuning changed."""
    kind = "own validation images read" if own.held_out else "own images read (too few to hold some out)"
    count = len(own.validation[0])
    return (
        f"{kind}: {before.own} of {count} before, {after.own} of {count} after\n"
        f"MNIST validation accuracy: {percent(before.mnist, 2)} before, {percent(after.mnist, 2)} after"
    )
