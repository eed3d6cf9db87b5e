"""A trained network as a function of pictures, by the quickest runtime that is at hand.

    network = load_network("models/mnist_cnn.keras")
    probabilities = network(pictures)            # (N, 28, 28) uint8, ink 255 on 0 -> (N, 10) float32

The `.keras` file is the source of truth. train.py writes the same network beside it for LiteRT (`.tflite`),
which starts in a tenth of a second where TensorFlow takes several. It is used only if the record beside it
(`.json`) holds the SHA-256 of both files as they are now; otherwise Keras runs the `.keras` file, and gives
the same answers.

What this protects from: an export that is damaged or left over from another training is never run, and
neither is one whose record is missing. What it does not: the three files may all come from a stranger, and
LiteRT is native code that trusts its input. A model that you do not trust belongs in Keras's safe mode, in
which nothing in the file is executed: `runtime="keras"`.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import files
import quiet
from files import UserError, printable

if TYPE_CHECKING:
    import numpy as np

RUNTIMES = ("auto", "litert", "keras")
MAX_BATCH = 64  # LiteRT is as quick with 8 pictures at a time as with 256, in less memory
MAX_FILE_BYTES = 64 << 20  # a model or record of this project is a few MB at most


def print_note(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(sentence, file=sys.stderr)


def load_network(
    model_path: str | os.PathLike | None = None, runtime: str = "auto", threads: int = 1, warn: Callable[[str], object] = print_note
) -> LiteRTNetwork | KerasNetwork:
    """Load a trained network.

    Args:
        model_path: the `.keras` file (default: the model in the box).
        runtime: "litert", "keras", or "auto": LiteRT where possible, else Keras, saying why.
        threads: of LiteRT. Keras uses all cores.
        warn: called with each sentence about files that do not belong together, or about falling back to
            Keras.

    Returns:
        LiteRTNetwork or KerasNetwork: a callable, (N, 28, 28) uint8 to (N, 10) float32 probabilities; not for
        several threads at once. Its attribute `runtime` is "litert" or "keras".

    Raises:
        UserError: there is no such model, it cannot be loaded, or LiteRT was demanded and cannot run it.
    """
    path, obstacle = default_path(model_path), None
    if path.suffix != ".keras" or not _is_small_file(path):
        return KerasNetwork(path)  # which says what is wrong with it
    for sentence in mismatches(path):
        warn(sentence)
    if runtime != "keras":
        obstacle = litert_obstacle(path)
        if obstacle is None:
            try:
                return LiteRTNetwork(path.with_suffix(".tflite"), threads)
            except Exception as error:  # a runtime built for another system fails in any way it likes
                obstacle = (
                    f"LiteRT cannot run {printable(path.with_suffix('.tflite'))} here "
                    f"({printable(files.reason(error)).rstrip('.')})"
                )
        if runtime == "litert":
            raise UserError(f"{obstacle}; train again, install ai-edge-litert, or use Keras (--runtime keras).")
        warn(f"{obstacle}; using Keras instead, which takes seconds to start.")
    return KerasNetwork(path)


def litert_obstacle(model_path: str | os.PathLike | None = None) -> str | None:
    """Return why the LiteRT export of a model cannot be used, or None. Nothing is loaded or imported.

    Args:
        model_path: the `.keras` file (default: the model in the box).

    Returns:
        A sentence without its full stop, or None.
    """
    path = default_path(model_path)
    export, record_path = path.with_suffix(".tflite"), path.with_suffix(".json")
    for file in (export, record_path):
        if not _is_small_file(file):
            return f"{printable(file)} is no file of train.py's" if file.exists() else f"there is no {printable(file)}"
    try:
        record = files.read_json(record_path)
        if record.get("model_sha256") != files.sha256(path) or record.get("litert_sha256") != files.sha256(export):
            return f"{printable(export)} is not the export of {printable(path)}, by the record beside it"
    except (UserError, OSError) as error:
        return str(error).rstrip(".")
    if importlib.util.find_spec("ai_edge_litert") is None:
        return "ai-edge-litert is not installed"
    return None


def mismatches(model_path: str | os.PathLike | None = None) -> list[str]:
    """Return, as sentences, what does not belong together among a model, its record and its history.

    train.py writes NAME.json and NAME.csv beside NAME.keras; the record names the model by its SHA-256 and
    repeats the history. A model without record or history is complete in itself: nothing is said of those.
    """
    import csv

    path = default_path(model_path)
    record_path, history_path = path.with_suffix(".json"), path.with_suffix(".csv")
    if not _is_small_file(record_path):
        return []
    cure = "they are of different trainings; restore both, or train again."
    found = []
    try:
        record = files.read_json(record_path)
        if record.get("model_sha256") != files.sha256(path):
            found.append(f"{printable(record_path)} is not the record of {printable(path)}: {cure}")
        if _is_small_file(history_path):
            with open(history_path, newline="", encoding="utf-8") as file:
                history = [{column: float(value) for column, value in row.items()} for row in csv.DictReader(file)]
            if record.get("history") != history:
                found.append(f"{printable(history_path)} is not the history in {printable(record_path)}: {cure}")
    except UserError as error:
        found.append(str(error))
    except (OSError, ValueError, TypeError, AttributeError, csv.Error) as error:
        found.append(f"{printable(history_path)} cannot be read as a training history ({files.reason(error)}).")
    return found


class LiteRTNetwork:
    """The network run by LiteRT (ai-edge-litert), without TensorFlow.

    Args:
        path: a `.tflite` file that train.py exported.
        threads: how many to use; one is as quick as two for this small network.
    """

    runtime = "litert"

    def __init__(self, path: str | os.PathLike, threads: int = 1) -> None:
        from ai_edge_litert.interpreter import Interpreter

        # From memory: a file that is replaced while it is mapped would end the process with a bus error.
        with quiet.native_output():
            self._interpreter = Interpreter(model_content=pathlib.Path(path).read_bytes(), num_threads=threads)
            self._interpreter.allocate_tensors()
        given, answer = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]
        if (tuple(given["shape_signature"][1:]), tuple(answer["shape_signature"][1:])) != ((28, 28, 1), (10,)):
            raise ValueError("it does not map 28x28 pixels to 10 digits")
        self._given, self._answer = given["index"], answer["index"]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Return (N, 10) float32 probabilities for (N, 28, 28) uint8 pictures, ink 255 on 0."""
        return _in_batches(self._run, pictures)

    def _run(self, batch):
        self._interpreter.resize_tensor_input(self._given, batch.shape)
        self._interpreter.allocate_tensors()
        self._interpreter.set_tensor(self._given, batch)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._answer)


class KerasNetwork:
    """The network run by Keras on TensorFlow.

    Args:
        path: a `.keras` file.

    Raises:
        UserError: see `model.load_model`.
    """

    runtime = "keras"

    def __init__(self, path: str | os.PathLike) -> None:
        import model

        with quiet.native_output():
            self._model = model.load_model(path)

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Return (N, 10) float32 probabilities for (N, 28, 28) uint8 pictures, ink 255 on 0."""
        return _in_batches(self._model.predict_on_batch, pictures)


def _in_batches(run, pictures):
    """Run a network over pictures, MAX_BATCH at a time. Raises UserError where it does not answer in numbers."""
    import numpy as np

    pictures = np.asarray(pictures)
    if pictures.ndim != 3 or pictures.shape[1:] != (28, 28):
        raise ValueError(f"pictures must be (N, 28, 28), not {pictures.shape}")
    answers = [
        run(pictures[start : start + MAX_BATCH, ..., np.newaxis].astype(np.float32)) for start in range(0, len(pictures), MAX_BATCH)
    ]
    probabilities = np.concatenate(answers) if answers else np.zeros((0, 10), np.float32)
    if not np.isfinite(probabilities).all():
        raise UserError("the model's answers are not numbers (its weights are damaged); train it again.")
    return probabilities


def default_path(path: str | os.PathLike | None = None) -> pathlib.Path:
    """Return `path` as a pathlib.Path; without one, where the model in the box is."""
    if path is None:
        from model import MODEL_PATH

        path = MODEL_PATH
    return pathlib.Path(path)


def _is_small_file(path):
    """Whether `path` is a regular file of a size that is read without a thought."""
    return path.is_file() and path.stat().st_size <= MAX_FILE_BYTES
