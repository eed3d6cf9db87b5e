"""A training of seconds on a few images, to see what a setting does; train.py is the real one.

    images, labels = data.x_train[:2000], data.y_train[:2000]
    model, history = try_training(images, labels, data.x_train[-1000:], data.y_train[-1000:], learning_rate=1e-3)
    figures.training_curves(history)

It follows the same recipe (recipe.py), with nothing but the images given: no drawn digits, no calibration, no files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    import numpy as np

SMALL = ((16,), (32, 64), (96,))  # half the filters of `model.build_model`: a third of the work


def try_training(
    images: np.ndarray,
    labels: np.ndarray,
    validation_images: np.ndarray,
    validation_labels: np.ndarray,
    epochs: int = 4,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    augmented: bool = True,
    blocks: Sequence[Sequence[int]] = SMALL,
    seed: int = 0,
    on_epoch: Callable[[dict[str, list[float]]], None] | None = None,
) -> tuple[keras.Model, dict[str, list[float]]]:
    """Train a fresh network.

    Args:
        images, validation_images: (N, 28, 28) uint8. labels, validation_labels: (N,) integers 0 to 9.
        epochs, batch_size: whole numbers. learning_rate: its highest value; it rises, then falls.
        augmented: False trains on the images as they are.
        blocks: see `model.build_model`.
        seed: integer, of the first weights, the order of the images and their changes.
        on_epoch: called after each epoch with the history so far, such as to draw it.

    Returns:
        (keras.Model with the weights averaged over the last steps, history as `figures.training_curves` takes it).
    """
    import keras

    import checkpoint
    import recipe
    from model import build_model

    keras.utils.set_random_seed(seed)
    model = build_model(blocks=blocks, fused=True)
    steps = recipe.steps_per_epoch(len(images), batch_size)
    recipe.compile_model(model, learning_rate, steps * epochs)
    variables = list(model.variables) + list(model.optimizer.variables)
    history: dict[str, list[float]] = {
        column: [] for column in ("epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate")
    }

    def end(epoch, logs):
        state = [variable.numpy() for variable in variables]
        model.optimizer.finalize_variable_values(model.trainable_variables)  # the averaged weights
        accuracy, loss = recipe.score(model, validation_images, validation_labels)
        checkpoint.restore(variables, state)  # at the end, fit() itself leaves the averaged ones
        row = (epoch + 1, logs["digit_accuracy"], logs["loss"], accuracy, loss, model.optimizer.learning_rate)
        for column, value in zip(history.values(), row):
            column.append(float(value))
        if on_epoch:
            on_epoch(history)

    recipe.fit(model, images, labels, batch_size, seed, 0, epochs, end, augmented=augmented)
    return model, history
