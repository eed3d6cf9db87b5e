"""What an interrupted training needs to go on: one file beside the model, replaced after each epoch.

NAME.checkpoint.npz holds, as plain arrays (nothing that could carry code): the variables of the model and the
optimizer as the last finished epoch left them, the best weights so far, and a JSON text with the arguments, the
data's checksum and the history.
"""

import json
import pathlib

import numpy as np

from digits.support import files, messages
from digits.support.messages import UserError, printable

OTHER_DATA = "other data (their checksum differs)"


def path_of(model_path: pathlib.Path) -> pathlib.Path:
    """Return where the checkpoint of a model lies (pathlib.Path)."""
    return model_path.with_suffix(".checkpoint.npz")


def save(model_path: pathlib.Path, state: list[np.ndarray], best: list[np.ndarray], progress: dict) -> None:
    """Write the checkpoint, whole or not at all.

    Args:
        model_path: pathlib.Path of the model being trained.
        state, best: lists of arrays.
        progress: dict of what JSON can hold.

    Raises:
        messages.UserError: the folder cannot be written, or the disk is full.
    """
    arrays = {f"state_{i:03d}": value for i, value in enumerate(state)}
    arrays |= {f"best_{i:03d}": value for i, value in enumerate(best)}
    with files.atomic_write(path_of(model_path)) as temporary:
        np.savez(temporary, allow_pickle=False, progress=np.array(json.dumps(progress)), **arrays)


def load(model_path: pathlib.Path) -> tuple[list[np.ndarray], list[np.ndarray], dict]:
    """Return (state, best, progress) as they were given to `save`.

    Raises:
        messages.UserError: there is no checkpoint, or it is damaged.
    """
    path = path_of(model_path)
    if not path.exists():
        raise UserError(f"there is no interrupted training of {printable(model_path)} to resume; leave --resume out to start one.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in sorted(archive.files)}  # checks the checksums of all of them
        state, best = ([array for name, array in arrays.items() if name.startswith(group)] for group in ("state_", "best_"))
        progress = json.loads(str(arrays["progress"]))
    except Exception as error:  # NumPy and zipfile fail on damaged files in as many ways as those have fields
        raise UserError(
            f"{printable(path)} is damaged ({printable(messages.reason(error))}); delete it and train again."
        ) from error
    return state, best, progress


def refuse_other_run(begun: dict, asked: dict) -> None:
    """Raise UserError that names the first difference between the run begun and the run asked for, if any."""
    difference = first_difference(begun, asked)
    if difference:
        ran = f"on {difference}" if difference == OTHER_DATA else " and this one ".join(difference)
        raise UserError(f"the interrupted training ran {ran}; give it the same again, or leave --resume out to start over.")


def first_difference(begun: dict, asked: dict) -> str | tuple[str, str] | None:
    """Return in which option two runs differ: ("with --seed 0", "with --seed 5"), OTHER_DATA, or None where they do not."""
    for key, value in begun.items():
        if (other := asked.get(key)) != value:
            option = f"--{key.replace('_', '-')}"
            first, second = (f"with {option} {printable(str(x))}" if x is not None else f"without {option}" for x in (value, other))
            if key == "data":  # its name; MNIST's is no path
                first, second = (f"on {printable(str(x))}" for x in (value, other))
            return OTHER_DATA if key == "data_sha256" else (first, second)
    return None


def restore(variables: list, values: list[np.ndarray]) -> None:
    """Assign saved values to Keras variables, in order.

    Raises:
        messages.UserError: they do not fit: the values are those of another network.
    """
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise UserError(
            "the interrupted training was of another network than this version of model.py builds; "
            "leave --resume out to start over."
        )
    for variable, value in zip(variables, values):
        variable.assign(value)
