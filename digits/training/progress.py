"""What a training was asked for, and how far it came.

    settings = Settings(preset="quick", epochs=4, batch_size=128, ...)
    progress = Progress()                    # nothing yet; callbacks.Validation adds to it after each epoch

A checkpoint holds both, so that an interrupted training can go on. The record beside a model tells both.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import shlex
from typing import TYPE_CHECKING

import numpy as np

from digits.support import files
from digits.support.messages import printable, shown

if TYPE_CHECKING:
    import keras

    from digits.training.training_data import TrainingData

OTHER_FILES = {
    "fine_tune_sha256": "another model to start from (its checksum differs)",
    "data_sha256": "other data (their checksum differs)",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides the outcome of a training. It is resumed with the same settings or not at all.

    Attributes:
        fine_tune: the name of the model that the training starts from; None where it starts from scratch. fine_tune_sha256:
            the checksum of its file.
        learning_rate: the highest value, after the warm-up.
        limit: how many training images are used; None for all.
        validation_size: how many of them (of MNIST's, in a fine-tuning) are held out.
        data: the name of the data set. data_sha256: its checksum (`data_loader.Dataset.checksum`).
        options: the command line that asks for this training; paths in it are absolute. It is not compared.
    """

    fine_tune: str | None = None
    fine_tune_sha256: str | None = None
    preset: str
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    limit: int | None
    validation_size: int
    strategy: str
    data: str
    data_sha256: str
    options: list[str] = dataclasses.field(default_factory=list, compare=False)

    @classmethod
    def of(cls, arguments: argparse.Namespace, data: TrainingData) -> Settings:
        """Return the settings that train.py's arguments ask for, on the data that they name."""
        names = ("preset", "epochs", "batch_size", "learning_rate", "seed", "limit", "strategy", "options")
        return cls(
            fine_tune=arguments.fine_tune and arguments.fine_tune.name,
            fine_tune_sha256=arguments.fine_tune and files.sha256(arguments.fine_tune),
            validation_size=len(data.validation[0]),
            data=data.name,
            data_sha256=data.checksum,
            **{name: getattr(arguments, name) for name in names},
        )

    def recorded(self) -> dict:
        """Return what the record beside the model says of the settings."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.compare}

    def difference(self, other: Settings) -> str | tuple[str, str] | None:
        """Return the first difference: ("with --seed 0", "with --seed 5"), one of OTHER_FILES, or None where there is none."""
        mine, others = self.recorded(), other.recorded()
        name = next((name for name in mine if mine[name] != others[name]), None)
        if name is None or name in OTHER_FILES:
            return name and OTHER_FILES[name]
        option = f"--{name.replace('_', '-')}"
        if name == "data":  # a name; MNIST's is no path
            return f"on {printable(self.data)}", f"on {printable(other.data)}"
        first, second = (f"without {option}" if run[name] is None else f"with {option} {run[name]}" for run in (mine, others))
        return printable(first), printable(second)


@dataclasses.dataclass
class Progress:
    """How far a training came.

    Attributes:
        history: one dict for each finished epoch: epoch (from 1), accuracy, loss, val_accuracy, val_loss, learning_rate,
            seconds.
        state: every variable that the training changes (`checkpoint.variables`), after the last finished epoch.
    """

    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    state: list[np.ndarray] = dataclasses.field(default_factory=list)

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        return len(self.history)

    @property
    def seconds(self) -> float:
        """How long the finished epochs took."""
        return sum(row["seconds"] for row in self.history)


def record(settings: Settings, progress: Progress, model: keras.Model, replicas: int = 1) -> dict:
    """Return how a model was made, as JSON's types, for `model_files.save`.

    Args:
        replicas: how many devices shared each batch.
    """
    import keras
    import tensorflow as tf

    options = [shown(word) if os.path.isabs(word) else word for word in settings.options]
    return {
        "command": shlex.join(["python", "train.py", *options]),
        **settings.recorded(),
        "replicas": replicas,
        "parameters": model.count_params(),
        "validation": {"accuracy": progress.history[-1]["val_accuracy"], "loss": progress.history[-1]["val_loss"]},
        "duration_seconds": round(progress.seconds, 1),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "history": progress.history,
    }
