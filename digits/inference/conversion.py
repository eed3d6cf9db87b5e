"""A trained model in the formats of other programs: convert it, run the result, and compare the answers.

    report = convert(model, "onnx", "models/mnist_cnn.onnx", images, labels, examples)

export.py is the command line of this module.
"""

import contextlib
import io
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from digits.inference.keras_model import export_litert, predict
from digits.inference.runtimes import LiteRTNetwork
from digits.support import files, native_output
from digits.support.messages import UserError, first_line, percent

TOLERANCE = 1e-5  # largest difference in a probability between Keras and a float32 export
MAX_ACCURACY_LOSS = 0.005  # of the 8-bit export on the test images; a sound one loses less than a tenth of it


def convert(
    model: keras.Model, kind: str, output: str | os.PathLike, images: np.ndarray, labels: np.ndarray, examples: np.ndarray
) -> str:
    """Convert a model, compare the result with it, and put the result at `output`, whole or not at all.

    Args:
        model: keras.Model of (N, 28, 28, 1) pixels, 0 to 255, to (N, 10) probabilities.
        kind: "litert", "litert-int8", "onnx" or "saved_model".
        output: path of the file, or of the folder for "saved_model", to write.
        images, labels: (N, 28, 28) uint8 and (N,), on which the answers are compared.
        examples: (M, 28, 28) uint8, which show the 8-bit converter the range of every layer's values.

    Returns:
        What was measured, in words.

    Raises:
        UserError: the model cannot be converted or written, or the answers differ.
    """
    with files.atomic_write(output, folder=kind == "saved_model") as temporary:
        try:
            with native_output.silenced(), contextlib.redirect_stdout(io.StringIO()):  # converters print on both
                expected = predict(model, images)  # first, because Keras does not export a model never called
                write(model, kind, temporary, examples)
                answers = load_converted(temporary, kind)(images)
        except OSError:
            raise  # atomic_write reports it
        except Exception as error:  # converters and runtimes fail in as many ways as there are layers
            raise UserError(
                f"Keras {keras.__version__} cannot export this model as {kind} ({type(error).__name__}: "
                f"{first_line(error)}); choose another --format."
            ) from error
        difference = float(abs(answers - expected).max())
        accuracy, before = (float(np.mean(p.argmax(axis=1) == labels)) for p in (answers, expected))
        integers = kind == "litert-int8"
        if not (accuracy >= before - MAX_ACCURACY_LOSS if integers else difference <= TOLERANCE):
            raise UserError(
                f"the {kind} export does not answer like the model (largest difference {difference:.1e}, accuracy "
                f"{percent(accuracy, 2)} instead of {percent(before, 2)}) and was not kept; choose another --format."
            )
    report = f"largest difference from Keras's probabilities: {difference:.1e}, on {len(images):,} test images"
    if integers:
        report += f"\n  accuracy on them: {percent(accuracy, 2)}; of the float32 model: {percent(before, 2)}"
    return report


def write(model: keras.Model, kind: str, path: pathlib.Path, examples: np.ndarray) -> None:
    """Write a model to `path` in one format; arguments as for `convert`."""
    if kind == "litert":
        export_litert(model, path)
    elif kind == "litert-int8":
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]  # all in integers, or it fails
        converter.representative_dataset = lambda: ([image[None, ..., None].astype(np.float32)] for image in examples)
        path.write_bytes(converter.convert())
    else:
        model.export(str(path), format={"saved_model": "tf_saved_model"}.get(kind, kind), verbose=False)


def load_converted(path: pathlib.Path, kind: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return a converted model, run by its own runtime: (N, 28, 28) uint8 images to (N, 10) float32 probabilities."""
    if kind in ("litert", "litert-int8"):
        return LiteRTNetwork(path)
    if kind == "onnx":
        import onnxruntime  # an optional package

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda images: session.run(None, {session.get_inputs()[0].name: images[..., None].astype(np.float32)})[0]
    loaded = tf.saved_model.load(str(path))  # its functions do not keep its variables alive
    return lambda images: loaded.serve(images[..., None].astype(np.float32)).numpy()
