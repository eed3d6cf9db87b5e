"""A trained network as a function of images, run by the quickest runtime that is available.

    network = load_network("models/mnist_cnn.keras")
    probabilities = network(images)            # (N, 28, 28) uint8, ink 255 on 0 -> (N, 10) float32

The `.keras` file is the source of truth. train.py writes the same network beside it for LiteRT (`.tflite`),
which starts in a tenth of a second; TensorFlow takes several. The LiteRT file is used only if the model's record
(`.json`) holds the SHA-256 of both files as they are now; otherwise Keras runs the `.keras` file and gives the same
answers. So a LiteRT file that is damaged, left over from another training or without a record is never run.

This does not protect from strangers: all three files may be theirs, and LiteRT is native code that trusts its input.
Run a model that you do not trust in Keras's safe mode, which executes nothing in the file: `runtime="keras"`.
"""

from __future__ import annotations

import abc
import os
import pathlib
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from digits.inference import model_files
from digits.support import native_output
from digits.support.messages import UserError, printable, reason

if TYPE_CHECKING:
    import numpy as np

RUNTIMES = ("auto", "litert", "keras")
THREADS = 2  # of LiteRT: the thousands of candidates of a page take half the time that they take with one
MAX_BATCH = 64  # LiteRT is as quick with 8 images at a time as with 256, in less memory


def print_note(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(sentence, file=sys.stderr)


def load_network(
    model_path: str | os.PathLike | None = None,
    runtime: str = "auto",
    threads: int = THREADS,
    warn: Callable[[str], object] = print_note,
) -> LiteRTNetwork | KerasNetwork:
    """Load a trained network.

    Args:
        model_path: the `.keras` file (default: the default model).
        runtime: "litert", "keras", or "auto": LiteRT where possible, else Keras, saying why.
        threads: of LiteRT. Keras uses all cores.
        warn: called with each sentence about files that do not belong together, or about Keras in LiteRT's place.

    Returns:
        LiteRTNetwork or KerasNetwork: a callable, (N, 28, 28) uint8 to (N, 10) float32 probabilities, from
        any number of threads. Its attribute `runtime` is "litert" or "keras".

    Raises:
        UserError: there is no such model, it cannot be loaded, or LiteRT was demanded and cannot run it.
    """
    paths, obstacle = model_files.files_of(model_path), None
    path = paths.keras
    if path.suffix != ".keras" or not model_files.is_small_file(path):
        return KerasNetwork(path)  # which says what is wrong with it
    if sentence := model_files.mismatch(path):
        warn(sentence)
    if runtime != "keras":
        obstacle = model_files.litert_obstacle(path)
        if obstacle is None:
            try:
                return LiteRTNetwork(paths.litert, threads)
            except Exception as error:  # a runtime built for another system fails in unknown ways
                obstacle = f"LiteRT cannot run {printable(paths.litert)} here ({printable(reason(error)).rstrip('.')})"
        if runtime == "litert":
            raise UserError(f"{obstacle}; train again, install ai-edge-litert, or use Keras (--runtime keras).")
        warn(f"{obstacle}; using Keras instead, which takes seconds to start.")
    return KerasNetwork(path)


class _Network(abc.ABC):
    """A network that answers MAX_BATCH images at a time, by `_run`."""

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return (N, 10) float32 probabilities for (N, 28, 28) uint8 images, ink 255 on 0.

        Raises:
            UserError: the network does not answer in numbers.
        """
        import numpy as np

        images = np.asarray(images)
        if images.ndim != 3 or images.shape[1:] != (28, 28):
            raise ValueError(f"images must be (N, 28, 28), not {images.shape}")
        batches = (images[start : start + MAX_BATCH] for start in range(0, len(images), MAX_BATCH))
        answers = [self._run(batch[..., np.newaxis].astype(np.float32)) for batch in batches]
        probabilities = np.concatenate(answers) if answers else np.zeros((0, 10), np.float32)
        if not np.isfinite(probabilities).all():
            raise UserError("the model's answers are not numbers (its weights are damaged); train it again.")
        return probabilities

    @abc.abstractmethod
    def _run(self, batch):
        """Return the probabilities of (N, 28, 28, 1) float32 images."""


class LiteRTNetwork(_Network):
    """The network run by LiteRT (ai-edge-litert), without TensorFlow.

    Args:
        path: a `.tflite` file that train.py exported.
        threads: how many to use; the answers are the same.
    """

    runtime = "litert"

    def __init__(self, path: str | os.PathLike, threads: int = THREADS) -> None:
        from ai_edge_litert.interpreter import Interpreter

        # From memory: a file that is replaced while it is mapped would end the process with a bus error.
        with native_output.silenced():
            self._interpreter = Interpreter(model_content=pathlib.Path(path).read_bytes(), num_threads=threads)
            self._interpreter.allocate_tensors()
        given, answer = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]
        if (tuple(given["shape_signature"][1:]), tuple(answer["shape_signature"][1:])) != ((28, 28, 1), (10,)):
            raise ValueError("it does not map 28x28 pixels to 10 digits")
        self._lock = threading.Lock()  # LiteRT's interpreter is for one thread at a time
        self._given, self._answer = given["index"], answer["index"]

    def _run(self, batch):
        with self._lock:
            self._interpreter.resize_tensor_input(self._given, batch.shape)
            self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(self._given, batch)
            self._interpreter.invoke()
            return self._interpreter.get_tensor(self._answer)


class KerasNetwork(_Network):
    """The network run by Keras on TensorFlow.

    Args:
        path: a `.keras` file.

    Raises:
        UserError: see `keras_model.load_model`.
    """

    runtime = "keras"

    def __init__(self, path: str | os.PathLike) -> None:
        from digits.inference import keras_model

        with native_output.silenced():
            self._model = keras_model.load_model(path)
        self._lock = threading.Lock()

    def _run(self, batch):
        with self._lock:
            return self._model.predict_on_batch(batch)
