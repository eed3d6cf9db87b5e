"""Which files a model consists of, and whether they belong together.

    files_of(path).litert                          # models/mine.tflite, beside models/mine.keras
    save(model, path, record)                      # all of them, bound by their checksums
    read_history(path)                             # accuracy, loss, ... of each epoch of its training

NAME.keras is the model. Beside it lie NAME.tflite, the same network for LiteRT; and NAME.json, the record of how it
was made, which binds the two by their SHA-256. While a training runs, NAME.checkpoint.npz holds what it needs to resume,
and NAME.lock keeps a second training away.
"""

from __future__ import annotations

import importlib.util
import math
import os
import pathlib
from typing import TYPE_CHECKING, NamedTuple

from digits.support import files
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import UserError, printable, reason

if TYPE_CHECKING:
    import keras

MAX_FILE_BYTES = 64 << 20  # a model or record of this project is a few MB at most
HISTORY = ("epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate")


class ModelFiles(NamedTuple):
    """The paths of a model's files (pathlib.Path)."""

    keras: pathlib.Path
    litert: pathlib.Path
    record: pathlib.Path
    checkpoint: pathlib.Path
    lock: pathlib.Path


def files_of(path: str | os.PathLike | None = None) -> ModelFiles:
    """Return where the files of the model `path` (`.keras`; default: the default model) lie. Raises UserError."""
    path = pathlib.Path(DEFAULT_MODEL if path is None else path)
    if not path.name:  # of "" or /
        raise UserError(f"{printable(path)} is a folder; name a .keras file as the model.")
    return ModelFiles(path, *map(path.with_suffix, (".tflite", ".json", ".checkpoint.npz", ".lock")))


def save(model: keras.Model, path: str | os.PathLike, record: dict) -> None:
    """Write the model, its LiteRT form and, last, the record that binds them by their checksums.

    Args:
        path: where the model goes (.keras).
        record: how it was made, as JSON can hold it; the checksums are added.

    Raises:
        UserError: one of them cannot be written.
    """
    from digits.inference.keras_model import export_litert

    paths = files_of(path)
    with files.atomic_write(paths.keras) as temporary:
        model.save(temporary)
    with files.atomic_write(paths.litert) as temporary:
        export_litert(model, temporary)
    sums = {"model_sha256": files.sha256(paths.keras), "litert_sha256": files.sha256(paths.litert)}
    files.write_json(paths.record, {**record, **sums})


def refuse_strangers(path: str | os.PathLike) -> None:
    """Raise UserError where a file that `save` would replace beside the model `path` is not of this project."""
    paths = files_of(path)
    known = {paths.litert: lambda content: content[4:8] == b"TFL3", paths.record: lambda content: b"model_sha256" in content}
    for file, is_ours in known.items():
        if file.is_file() and file.stat().st_size and not is_ours(file.read_bytes()):
            raise UserError(f"{printable(file)} would be replaced and is not of a model; move it, or choose another --model name.")


def bind_litert(path: str | os.PathLike) -> bool:
    """Put the checksum of a model's new LiteRT file into its record. Returns whether there is a record of this model."""
    paths = files_of(path)
    record = files.read_json(paths.record) if paths.record.is_file() else {}
    if record.get("model_sha256") != files.sha256(paths.keras):
        return False
    files.write_json(paths.record, {**record, "litert_sha256": files.sha256(paths.litert)})
    return True


def litert_obstacle(path: str | os.PathLike | None = None) -> str | None:
    """Return why the LiteRT file of a model cannot be used, as a sentence without its full stop; None where it can.

    It is used only if the record holds the SHA-256 of both files as they are now. Nothing is loaded or imported.
    """
    paths = files_of(path)
    for file in (paths.litert, paths.record):
        if not is_small_file(file):
            return f"{printable(file)} is not a file of train.py" if file.exists() else f"there is no {printable(file)}"
    try:
        record = files.read_json(paths.record)
        if record.get("model_sha256") != files.sha256(paths.keras) or record.get("litert_sha256") != files.sha256(paths.litert):
            return f"{printable(paths.litert)} is not the export of {printable(paths.keras)}, by the record beside it"
    except (UserError, OSError) as error:
        return str(error).rstrip(".")
    if importlib.util.find_spec("ai_edge_litert") is None:
        return "ai-edge-litert is not installed"
    return None


def mismatch(path: str | os.PathLike | None = None) -> str | None:
    """Return a sentence where a model and the record beside it do not belong together, else None.

    A model without a record is complete in itself, so None.
    """
    paths = files_of(path)
    if not is_small_file(paths.record):
        return None
    try:
        if files.read_json(paths.record).get("model_sha256") == files.sha256(paths.keras):
            return None
    except (UserError, OSError) as error:
        return str(error)
    return (
        f"{printable(paths.record)} is not the record of {printable(paths.keras)}: they are of different trainings; restore "
        "both, or train again."
    )


def read_history(path: str | os.PathLike | None = None) -> dict[str, list[float]]:
    """Return the history in a model's record as a dict of lists of float: epoch, accuracy, loss, val_accuracy, val_loss, ...

    Args:
        path: of the model (`.keras`).

    Raises:
        UserError: the record is missing, holds no epoch, or what it holds is not a history.
    """
    record_path = files_of(path).record
    if not record_path.exists():
        raise UserError(
            f"there is no record of a training at {printable(record_path)}; train.py writes it beside the model: run "
            "`python train.py`, or restore it."
        )
    try:
        rows = files.read_json(record_path)["history"]
        history = {column: [float(row[column]) for row in rows] for column in rows[0]}
        if not all(math.isfinite(value) for values in history.values() for value in values):
            raise ValueError("a value is not a finite number")
        if missing := set(HISTORY) - history.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise UserError(
            f"{printable(record_path)} holds no training history ({printable(reason(error))}); restore it or train again."
        ) from error
    return history


def is_small_file(path: pathlib.Path) -> bool:
    """Return whether `path` is a regular file, small enough to be read at once."""
    return path.is_file() and path.stat().st_size <= MAX_FILE_BYTES
