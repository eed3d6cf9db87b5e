"""A trained model as Keras runs it: load, predict, convert.

    model = load_model("models/mnist_cnn.keras")      # the default model, where no path is given
    probabilities = predict(model, images)            # (N, 10); images: (N, 28, 28), 0 = paper to 255 = ink

Importing this module imports TensorFlow, which takes seconds: runtimes.py runs the same network by LiteRT.
"""

import contextlib
import io
import os
import pathlib
import tempfile

import numpy as np

from digits.inference.archive import check_archive
from digits.support import native_output
from digits.support.constants import DEFAULT_MODEL, INPUT_SHAPE, NUM_CLASSES
from digits.support.messages import UserError, first_line, printable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # no notes to developers; what fails raises an exception
with native_output.silenced():  # some are written before that setting is read
    import keras
    import tensorflow as tf


def start_tensorflow() -> None:
    """Start TensorFlow's devices, without their notes to developers on standard error."""
    with native_output.silenced():
        tf.zeros(1)


def load_model(path: str | os.PathLike = DEFAULT_MODEL) -> keras.Model:
    """Load a trained model in Keras's safe mode, in which a file cannot bring code of its own.

    Args:
        path: a `.keras` file.

    Returns:
        keras.Model: (N, 28, 28, 1) pixels, 0 to 255, to (N, 10) probabilities.

    Raises:
        UserError: missing, unreadable, damaged, unsafe, or not a model of 28x28 digits.
    """
    path = pathlib.Path(path)
    check_archive(path)
    start_tensorflow()
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
        if shapes == ((None, *INPUT_SHAPE), (None, NUM_CLASSES)):
            model(np.zeros((1, *INPUT_SHAPE), np.float32))  # some damaged settings show only when the network runs
    except Exception as error:  # a hostile or foreign file fails in as many ways as there are layers
        raise UserError(
            f"{printable(path)} cannot be loaded by Keras {keras.__version__} ({type(error).__name__}: "
            f"{first_line(error)}); train it again with `python train.py`."
        ) from error
    if shapes != ((None, *INPUT_SHAPE), (None, NUM_CLASSES)):
        raise UserError(
            f"{printable(path)} is not a model of 28x28 digits: it maps {shapes[0]} to {shapes[1]}; give a model that "
            "train.py wrote."
        )
    return model


def predict(model: keras.Model, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Return the probabilities (N, 10) float32 of images (N, 28, 28), pixels 0 to 255.

    Raises:
        UserError: an answer is not a number.
    """
    probabilities = model.predict(images[..., None].astype("float32"), batch_size=batch_size, verbose=0)
    if not np.isfinite(probabilities).all():
        raise UserError("the model's answers are not numbers (its weights are damaged); train it again.")
    return probabilities


def export_litert(model: keras.Model, path: str | os.PathLike) -> None:
    """Write the network for LiteRT (TensorFlow Lite) to `path`: float32, any batch size, the same outputs.

    Raises:
        UserError: TensorFlow cannot convert it, which happens when the folder for temporary files is full.
    """
    # Not model.export(path, format="litert"): that reports what it wrote, and names no full disk as such.
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the addresses of the weights
        try:
            content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
        except Exception as error:  # on a full disk it fails with a TypeError about something else
            raise UserError(
                f"cannot write the LiteRT form of the model ({type(error).__name__}: {first_line(error)}); see "
                f"whether {tempfile.gettempdir()} is full."
            ) from error
    pathlib.Path(path).write_bytes(content)
