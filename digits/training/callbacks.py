"""What happens at the end of each epoch of a training.

epochs = Epochs(model, model, path, progress, images, labels)
model.fit(..., callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=epochs.end)])
epochs.best_weights                                # of the epoch that read the validation images best
"""

from __future__ import annotations

import pathlib
import time
from typing import TYPE_CHECKING

import numpy as np

from digits.inference.calibration import score
from digits.support.messages import UserError, duration
from digits.training import checkpoint

if TYPE_CHECKING:
    import keras


class Epochs:
    """Score the averaged weights of each epoch, keep the best, write the checkpoint, report.

    Args:
        model: the network that is trained, compiled by `recipe.compile_model`.
        scored: a network of the same kind that gets the weights to be scored; `model` itself where one device trains it.
        path: of the model, beside which the checkpoint goes; None where another process writes it and reports.
        progress: dict with the "run" that was asked for (`train.describe_run`), the "history" so far, a list of one dict
            per epoch, and "best", a dict or None; changed in place.
        images: (N, 28, 28) uint8, for validation. labels: (N,) uint8, 0 to 9.

    Attributes:
        state: every variable that the training changes, in a fixed order.
        best_weights: the model's weights (list of arrays) at the best epoch so far.
    """

    def __init__(
        self,
        model: keras.Model,
        scored: keras.Model,
        path: pathlib.Path | None,
        progress: dict,
        images: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        self.model, self.scored, self.path, self.progress = model, scored, path, progress
        self.images, self.labels = images, labels
        self.state = list(model.variables) + list(model.optimizer.variables)
        self.best_weights: list[np.ndarray] = []
        self.started = time.perf_counter()

    def end(self, epoch: int, logs: dict) -> None:
        """Keras's on_epoch_end: `epoch` counts from 0; `logs` holds the training's "loss" and "digit_accuracy".

        Raises:
            UserError: the training diverged, or the checkpoint cannot be written.
        """
        state = [variable.numpy() for variable in self.state]
        if not all(np.isfinite(values).all() for values in [logs["loss"], *state]):
            raise UserError(
                f"the training went astray in epoch {epoch + 1}: its weights are no numbers any more; choose a "
                "smaller --learning-rate."
            )
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)  # the averaged weights
        if self.scored is not self.model:
            self.scored.set_weights(self.model.get_weights())
        accuracy, loss = score(self.scored, self.images, self.labels)
        if not self.progress["best"] or accuracy >= self.progress["best"]["accuracy"]:  # of equals, the longest trained
            self.progress["best"] = {"epoch": epoch + 1, "accuracy": accuracy, "loss": loss}
            self.best_weights = self.model.get_weights()
        checkpoint.restore(self.state, state)
        seconds, self.started = time.perf_counter() - self.started, time.perf_counter()
        self.progress["history"].append(
            {
                "epoch": epoch + 1,
                "accuracy": float(logs["digit_accuracy"]),
                "loss": float(logs["loss"]),
                "val_accuracy": accuracy,
                "val_loss": loss,
                "learning_rate": float(self.model.optimizer.learning_rate),
                "seconds": round(seconds, 2),
            }
        )
        if self.path:
            checkpoint.save(self.path, state, self.best_weights, self.progress)
            self.report()

    def report(self) -> None:
        """Print one line on the epoch that ended, with the time that is left."""
        history, epochs, best = self.progress["history"], self.progress["run"]["epochs"], self.progress["best"]["epoch"]
        last, left = history[-1], (epochs - len(history)) * sum(row["seconds"] for row in history) / len(history)
        print(
            f"epoch {len(history)}/{epochs}: loss {last['loss']:.4f}, validation accuracy {last['val_accuracy']:.2%}, "
            f"loss {last['val_loss']:.4f} (best: epoch {best}); {last['seconds']:.0f} s, about {duration(left)} left",
            flush=True,
        )
