"""What an interrupted training needs to go on: one file beside the model, replaced after each epoch.

    save(path, settings, progress)
    settings, progress = load(path)

NAME.checkpoint.npz holds, as plain arrays (nothing that could carry code): the variables of the model and the
optimizer as the last finished epoch left them, and the settings and the history as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np

from digits.inference.model_files import files_of
from digits.support import files, messages
from digits.support.command_line import quoted
from digits.support.constants import PROJECT
from digits.support.messages import UserError, printable
from digits.training.progress import Progress, Settings

if TYPE_CHECKING:
    import keras


def save(model_path: pathlib.Path, settings: Settings, progress: Progress) -> None:
    """Write the checkpoint of the model at `model_path`, whole or not at all.

    Raises:
        UserError: the folder cannot be written, or the disk is full.
    """
    arrays = {f"state_{i:03d}": value for i, value in enumerate(progress.state)}
    text = to_json(settings, progress)
    with files.atomic_write(files_of(model_path).checkpoint) as temporary:
        np.savez(temporary, allow_pickle=False, progress=np.array(text), **arrays)


def load(model_path: pathlib.Path) -> tuple[Settings, Progress]:
    """Return the settings and the progress of the interrupted training of the model at `model_path`.

    Raises:
        UserError: there is no checkpoint, or it is damaged.
    """
    path = files_of(model_path).checkpoint
    if not path.exists():
        raise UserError(f"there is no interrupted training of {printable(model_path)} to resume; leave --resume out to start one.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in sorted(archive.files)}  # checks the checksums of all of them
        settings, progress = from_json(str(arrays["progress"]))
        progress.state = [array for name, array in arrays.items() if name.startswith("state_")]
    except Exception as error:  # NumPy and zipfile fail on damaged files in as many ways as those have fields
        raise UserError(
            f"{printable(path)} is damaged, or another version of train.py wrote it ({printable(messages.reason(error))}); "
            "delete it, or start over with --restart."
        ) from error
    return settings, progress


def to_json(settings: Settings, progress: Progress) -> str:
    """Return both as JSON, without the arrays."""
    return json.dumps({"settings": dataclasses.asdict(settings), "history": progress.history})


def from_json(text: str) -> tuple[Settings, Progress]:
    """Return what `to_json` was given, without the arrays."""
    values = json.loads(text)
    return Settings(**values["settings"]), Progress(values["history"])


def refuse_other_settings(begun: Settings, asked: Settings) -> None:
    """Raise UserError that names the first difference between the training begun and the one asked for, if any."""
    if difference := begun.difference(asked):
        ran = f"with {difference}" if isinstance(difference, str) else " and this one ".join(difference)
        raise UserError(f"the interrupted training ran {ran}; give it the same again, or --restart to start over.")


def resume_command(settings: Settings) -> str:
    """Return the command that goes on with an interrupted training, from any folder."""
    python = "python" if shutil.which("python") == sys.executable else sys.executable
    return quoted([printable(word) for word in (python, str(PROJECT / "train.py"), *settings.options, "--resume")])


def variables(model: keras.Model) -> list[keras.Variable]:
    """Return every variable that a training changes, in a fixed order: weights, Dropout's random state, the optimizer's."""
    return [*model.variables, *model.optimizer.variables]


def restore(model: keras.Model, values: list[np.ndarray]) -> None:
    """Give a compiled model and its optimizer the values of their variables that a checkpoint holds.

    Raises:
        UserError: they do not fit: the values are those of another network.
    """
    own = variables(model)
    if [tuple(variable.shape) for variable in own] != [value.shape for value in values]:
        raise UserError(
            "the interrupted training was of another network than this version of model.py builds; give --restart to start over."
        )
    for variable, value in zip(own, values):
        variable.assign(value)
