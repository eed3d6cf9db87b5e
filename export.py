"""Take a trained model out of this repository: to a phone, a browser, a server.

    python export.py --format litert         # models/mnist_cnn.tflite: Android, iOS, small computers
    python export.py --format litert-int8    # models/mnist_cnn_int8.tflite: the same in 8-bit integers
    python export.py --format onnx           # models/mnist_cnn.onnx: ONNX Runtime on servers and in browsers
    python export.py --format saved_model    # models/mnist_cnn_saved_model/: TensorFlow and TensorFlow Serving

Every export takes float32 pictures (N, 28, 28, 1), any N, 0 = paper to 255 = ink, and gives float32 probabilities
(N, 10). Before it appears, whole, at --output, its own runtime loads it back, and it must answer like Keras on
MNIST's test images: the same probabilities to 1e-5 or, in 8-bit integers, an accuracy on all 10,000 at most half a
percentage point lower. `onnx` needs three more packages: pip install tf2onnx onnx onnxruntime
For browsers take onnx, with onnxruntime-web. There is no `tfjs`: its converter (tensorflowjs, last release 4.22.0)
cannot be installed beside TensorFlow 2.21; and LiteRT.js 2.5.3 takes no .tflite with any number N of pictures.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from digits.inference import model_files
from digits.inference.archive import check_archive
from digits.inference.keras_model import load_model, predict
from digits.support import command_line, files, messages, native_output
from digits.support.command_line import Parser
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import UserError, printable

if TYPE_CHECKING:
    import keras
    import numpy as np

    from data_loader import Dataset

# For each format: what is added to the model's name, and the modules it needs, named like their packages.
FORMATS = {
    "litert": (".tflite", ("ai_edge_litert",)),
    "litert-int8": ("_int8.tflite", ("ai_edge_litert",)),
    "onnx": (".onnx", ("tf2onnx", "onnx", "onnxruntime")),
    "saved_model": ("_saved_model", ()),
}
TOLERANCE = 1e-5  # largest difference in a probability between Keras and a float32 export
MAX_ACCURACY_LOSS = 0.005  # of the 8-bit export on the test images; a sound one loses less than a tenth of it
CALIBRATION_IMAGES = 500  # training images that show the 8-bit converter the range of every layer's values
SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}


def main(argv: list[str] | None = None) -> int:
    """Export as the command line says and return the exit status."""
    parser = Parser(__doc__)
    parser.add_argument("--format", choices=FORMATS, required=True, help="what to write: see above")
    parser.add_argument(
        "--model",
        type=pathlib.Path,
        default=DEFAULT_MODEL,
        metavar="PATH",
        help="the model to export (default: models/mnist_cnn.keras)",
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        metavar="PATH",
        help="the file, or folder for saved_model, to write (default: beside the model)",
    )
    arguments = parser.parse_args(argv)
    kind, path, sidecar = arguments.format, arguments.model, arguments.model.with_suffix(".tflite")
    output = arguments.output or path.with_name(path.stem + FORMATS[kind][0])

    from data_loader import load_mnist

    check_packages(kind)
    try:
        check_output(output, kind, sidecar)
    except OSError as error:
        raise UserError(f"cannot write {printable(output)}: {messages.reason(error)}; choose another --output.") from error
    check_archive(path)
    print("Loading TensorFlow and the model ...", flush=True)
    beside = kind == "litert" and output.resolve() == sidecar.resolve()  # train.py writes this file, too
    training = files.lock(path.with_suffix(".lock"), f"a training of {printable(path)}")
    with training if beside else contextlib.nullcontext():
        with native_output.silenced():
            model = load_model(path)
        report = export(model, kind, output, load_mnist())
        if beside:
            report += bind(path)
    size = sum(file.stat().st_size for file in (output, *output.rglob("*")) if file.is_file())
    print(
        f"wrote {printable(output)}, {size / 1e6:.2f} MB\n  {report}\n"
        "  takes float32 (N, 28, 28, 1), any N, 0 = paper to 255 = ink; gives float32 probabilities (N, 10)"
    )
    return 0


def check_packages(kind: str) -> None:
    """Raise UserError that names the packages missing for a format, with the command that installs them."""
    missing = [module.replace("_", "-") for module in FORMATS[kind][1] if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(f"--format {kind} needs {' and '.join(missing)}; run: pip install {' '.join(missing)}")


def check_output(output: pathlib.Path, kind: str, sidecar: pathlib.Path) -> None:
    """Raise UserError where `output` is not to be written, before TensorFlow is loaded for nothing."""
    suffix = os.path.splitext("name" + FORMATS[kind][0])[1]
    if kind == "saved_model":
        entries = {entry.name for entry in output.iterdir()} if output.is_dir() else {"no folder"}
        if output.exists() and entries and not {"saved_model.pb"} <= entries <= SAVED_MODEL:
            raise UserError(f"{printable(output)} is there and no SavedModel; it is left alone: name another --output.")
    elif output.is_dir() or output.suffix != suffix:
        raise UserError(f"--format {kind} writes a file that ends in {suffix}, not {printable(output)}.")
    elif kind == "litert-int8" and output.resolve() == sidecar.resolve():
        raise UserError(f"{printable(output)} is the float32 export that predict.py runs; name another --output.")


def export(model: keras.Model, kind: str, output: str | os.PathLike, data: Dataset) -> str:
    """Convert a model, prove the result by its own runtime, and put it at `output`, whole or not at all.

    Args:
        model: keras.Model of (N, 28, 28, 1) pixels, 0 to 255, to (N, 10) probabilities.
        kind: a key of FORMATS. output: path of the file, or folder for "saved_model", to write.
        data: data_loader.Dataset; its test images are the proof, its training images set the 8-bit ranges.
    Returns what was measured, in words. Raises UserError: not convertible or writable, or its answers differ.
    """
    import keras

    integers = kind == "litert-int8"
    images, labels = (data.x_test, data.y_test) if integers else (data.x_test[::10], data.y_test[::10])
    with (folder_write if kind == "saved_model" else files.atomic_write)(output) as temporary:
        try:
            with native_output.silenced(), contextlib.redirect_stdout(io.StringIO()):  # converters talk on both
                expected = predict(model, images)  # first, because Keras does not export a model never called
                calibration = data.x_train[:: len(data.x_train) // CALIBRATION_IMAGES, None, ..., None]
                convert(model, kind, temporary, calibration.astype("float32"))
                answers = load_exported(temporary, kind)(images)
        except OSError:
            raise  # put into words by the writers of files and folders
        except Exception as error:  # converters and runtimes fail in as many ways as there are layers
            raise UserError(
                f"Keras {keras.__version__} cannot export this model as {kind} ({type(error).__name__}: "
                f"{printable(str(error).strip()[:200])}); choose another --format."
            ) from error
        difference = float(abs(answers - expected).max())
        accuracy, before = (float((p.argmax(axis=1) == labels).mean()) for p in (answers, expected))
        if not (accuracy >= before - MAX_ACCURACY_LOSS if integers else difference <= TOLERANCE):
            raise UserError(
                f"the {kind} export does not answer like the model (largest difference {difference:.1e}, "
                f"accuracy {accuracy:.2%} for {before:.2%}) and was not kept; choose another --format."
            )
    report = f"largest difference from Keras's probabilities: {difference:.1e}, on {len(images):,} test images"
    return report + (f"\n  accuracy on them: {accuracy:.2%}, of the float32 model: {before:.2%}" if integers else "")


def convert(model: keras.Model, kind: str, path: pathlib.Path, calibration: np.ndarray) -> None:
    """Write `model` to `path` in a format of FORMATS; calibration: (N, 1, 28, 28, 1) float32, for 8-bit integers."""
    if kind == "litert":
        from digits.inference.keras_model import export_litert

        export_litert(model, path)
    elif kind == "litert-int8":
        import tensorflow as tf

        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]  # all in integers, or it fails
        converter.representative_dataset = lambda: ([picture] for picture in calibration)
        path.write_bytes(converter.convert())
    else:
        model.export(str(path), format={"saved_model": "tf_saved_model"}.get(kind, kind), verbose=False)


def load_exported(path: pathlib.Path, kind: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return an export, run by its own runtime: a callable, (N, 28, 28) uint8 to (N, 10) float32 probabilities."""
    if kind in ("litert", "litert-int8"):
        from digits.inference.network import LiteRTNetwork

        return LiteRTNetwork(path)
    if kind == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda images: session.run(None, {session.get_inputs()[0].name: images[..., None].astype("float32")})[0]
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))  # its functions do not keep its variables alive
    return lambda images: loaded.serve(images[..., None].astype("float32")).numpy()


@contextlib.contextmanager
def folder_write(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Like `files.atomic_write`, for a folder: gives the path of one to make, and moves it to `path` at the end."""
    path, work = pathlib.Path(os.path.abspath(path)), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        new, old = work / "new", work / "old"
        yield new
        for file in filter(pathlib.Path.is_file, new.rglob("*")):
            with open(file, "rb+") as opened:
                os.fsync(opened.fileno())
        if path.exists():  # a folder cannot replace one with files in it: the old one steps aside
            os.replace(path, old)
        try:
            os.replace(new, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
    except OSError as error:
        raise UserError(
            f"cannot write {printable(path)}: {messages.reason(error)}; free some space, or choose a place you may write to."
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)


def bind(model_path: pathlib.Path) -> str:
    """Put the checksum of a model's new .tflite into the model's record, so that predict.py runs it; say so."""
    record_path = model_files.files_of(model_path).record
    if not model_files.bind_litert(model_path):
        return f"\n  predict.py goes on with Keras: there is no record of this model at {printable(record_path)}"
    return f"\n  predict.py runs it: its checksum is in {printable(record_path)}"


if __name__ == "__main__":
    command_line.run(main)
