"""What happens around each epoch of a training, as Keras callbacks.

progress = Progress()
validation = Validation(validation_images, validation_labels, progress)
model.fit(..., callbacks=[validation, Report(progress)], verbose=0)
progress.history[-1]["val_accuracy"]               # of the last epoch
"""

from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import sys
import time

import keras
import numpy as np
import tensorflow as tf
import tqdm

from digits.inference.calibration import score
from digits.support import files
from digits.support.messages import UserError, duration, percent, printable
from digits.training import checkpoint
from digits.training.progress import Progress, Settings


class Validation(keras.callbacks.Callback):
    """Score each epoch's weights on the validation images, and note the epoch in `progress`.

    Adds val_accuracy and val_loss to Keras's `logs`, for the callbacks that follow. No epoch is chosen by them: the learning
    rate falls to 0, so the last epoch is the best to be expected, and where an earlier one scores better it is by the luck of
    a few images. The model is compiled with `recipe.accuracy`.

    Args:
        images: (N, 28, 28) uint8, for validation. labels: (N,) uint8, 0 to 9.
        progress: changed in place.
        own: in a fine-tuning, one's own images and labels. val_accuracy and val_loss are then the means of both sets.

    Raises:
        UserError: the training diverged: the loss or a weight is not a finite number any more.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, progress: Progress, own: tuple[np.ndarray, np.ndarray] | None = None
    ) -> None:
        super().__init__()
        self.sets = [(images, labels)] + ([own] if own else [])
        self.progress = progress

    def on_train_begin(self, logs: dict | None = None) -> None:
        # Scored is a copy on one device: the model itself may be spread over several.
        self.copy = copy_of(self.model)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        weights = self.model.get_weights()
        if not all(np.isfinite(values).all() for values in [logs["loss"], *weights]):
            raise UserError(
                f"training diverged in epoch {epoch + 1}: the loss or the weights are not finite; choose a smaller --learning-rate."
            )
        self.copy.set_weights(weights)
        scores = [score(self.copy, images, labels) for images, labels in self.sets]
        logs["val_accuracy"], logs["val_loss"] = map(float, np.mean(scores, axis=0))
        self.progress.history.append(
            {
                "epoch": epoch + 1,
                **{name: float(logs[name]) for name in ("accuracy", "loss", "val_accuracy", "val_loss")},
                "learning_rate": float(self.model.optimizer.learning_rate),
                "seconds": round(time.perf_counter() - self.started, 2),
            }
        )


class Checkpoint(keras.callbacks.Callback):
    """Save after each epoch all that is needed to go on after an interruption. It follows `Validation`.

    Args:
        path: of the model, beside which the checkpoint goes.

    Raises:
        UserError: the checkpoint cannot be written.
    """

    def __init__(self, path: pathlib.Path, settings: Settings, progress: Progress) -> None:
        super().__init__()
        self.path, self.settings, self.progress = path, settings, progress

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.progress.state = [variable.numpy() for variable in checkpoint.variables(self.model)]
        checkpoint.save(self.path, self.settings, self.progress)


class Report(keras.callbacks.Callback):
    """Print one line for each epoch. On a terminal, a bar shows the steps of the epoch until it ends. It follows `Validation`."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.bar = tqdm.tqdm(
            total=self.params["steps"],
            desc=f"epoch {epoch + 1}/{self.params['epochs']}",
            unit="step",
            file=sys.stdout,
            leave=False,
            disable=not sys.stdout.isatty(),
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.bar.close()
        last, epochs = self.progress.history[-1], self.params["epochs"]
        left = (epochs - self.progress.epochs) * self.progress.seconds / self.progress.epochs
        print(
            f"epoch {epoch + 1}/{epochs}: loss {last['loss']:.4f}, accuracy {percent(last['accuracy'], 2)}, "
            f"val_loss {last['val_loss']:.4f}, val_accuracy {percent(last['val_accuracy'], 2)}, {duration(left)} left",
            flush=True,
        )


def copy_of(model: keras.Model) -> keras.Model:
    """Return a new network like `model`, with its weights, on one device."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def tensorboard(folder: pathlib.Path | None) -> list[keras.callbacks.Callback]:
    """Return the callback that writes the history for TensorBoard into `folder`, in a list; none where `folder` is None.

    Raises:
        UserError: the package is not installed, or the folder cannot be made. The callback raises it where it cannot write.
    """
    if folder is None:
        return []
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError("--tensorboard needs the package tensorboard; install it with `pip install tensorboard`.")
    files.make_folder(folder)
    return [_History(folder, write_graph=False)]


class _History(keras.callbacks.TensorBoard):
    """Keras's callback, but that a full disk ends the training with one sentence."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        with self._writing():
            super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        with self._writing():
            super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        with self._writing():
            super().on_train_end(logs)

    @contextlib.contextmanager
    def _writing(self):
        try:
            yield
        except tf.errors.OpError as error:
            raise UserError(
                f"cannot write into {printable(self.log_dir)} ({type(error).__name__}); free some space or leave --tensorboard out."
            ) from error
