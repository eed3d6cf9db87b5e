"""Take a trained model out of this repository: to a phone, a browser, a server.

    python export.py --format litert         # models/mnist_cnn.tflite: Android, iOS, small computers
    python export.py --format litert-int8    # models/mnist_cnn_int8.tflite: the same in 8-bit integers
    python export.py --format onnx           # models/mnist_cnn.onnx: ONNX Runtime on servers and in browsers
    python export.py --format saved_model    # models/mnist_cnn_saved_model/: TensorFlow and TensorFlow Serving

Every export takes float32 images (N, 28, 28, 1), any N, 0 = paper to 255 = ink, and gives float32 probabilities
(N, 10). It is written whole or not at all, after a check: its own runtime runs it, and it must answer like Keras on
MNIST's test images, with the same probabilities to 1e-5 or, in 8-bit integers, with an accuracy on all 10,000 that is
at most half a percentage point lower. `onnx` needs three more packages: pip install tf2onnx onnx onnxruntime

For browsers use onnx, with onnxruntime-web. There is no `tfjs`: its converter (tensorflowjs, last release 4.22.0)
cannot be installed beside TensorFlow 2.21. LiteRT.js 2.5.3 does not run a .tflite that accepts any number of images.
"""

import importlib.util
import os
import pathlib
from typing import Any

from digits.inference import model_files
from digits.support import command_line, files, native_output
from digits.support.command_line import Parser
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import UserError, printable, reason

# For each format: what is added to the model's name, and the modules it needs, named like their packages.
FORMATS = {
    "litert": (".tflite", ("ai_edge_litert",)),
    "litert-int8": ("_int8.tflite", ("ai_edge_litert",)),
    "onnx": (".onnx", ("tf2onnx", "onnx", "onnxruntime")),
    "saved_model": ("_saved_model", ()),
}
RANGE_IMAGES = 500  # training images that show the 8-bit converter the range of every layer's values
SAVED_MODEL = {"saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra"}


def main(argv: list[str] | None = None) -> int:
    """Export as the command line says and return the exit status."""
    parser = Parser(__doc__)
    add = parser.add_argument
    path: dict[str, Any] = {"type": command_line.path, "metavar": "PATH"}
    add("--format", choices=FORMATS, required=True, help="what to write: see above")
    add("--model", default=DEFAULT_MODEL, **path, help="the model to export (default: models/mnist_cnn.keras)")
    add("--output", **path, help="the file, or folder for saved_model, to write (default: beside the model)")
    arguments = parser.parse_args(argv)
    kind, model = arguments.format, model_files.files_of(arguments.model)
    output = arguments.output or model.keras.with_name(model.keras.stem + FORMATS[kind][0])

    # What is wrong with the command is said before TensorFlow is imported, which takes seconds.
    from data_loader import load_mnist
    from digits.inference.archive import check_archive

    check_packages(kind)
    check_output(output, kind, model.litert)
    check_archive(model.keras)
    print("Loading TensorFlow and the model ...", flush=True)
    with native_output.silenced():
        from digits.inference.conversion import convert
        from digits.inference.keras_model import load_model

    data = load_mnist()
    every = 1 if kind == "litert-int8" else 10  # of the test images; accuracy needs them all
    beside = kind == "litert" and same_place(output, model.litert)  # train.py writes this file, too
    lock = model.lock if beside else output.with_name(f"{output.name}.lock")
    with files.lock(lock, f"another process that writes {printable(output)}"):
        files.remove_leftovers(output)
        examples = data.x_train[:: len(data.x_train) // RANGE_IMAGES]
        report = convert(load_model(model.keras), kind, output, data.x_test[::every], data.y_test[::every], examples)
        if beside:
            report += f"\n  {bind(model)}"
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


def check_output(output: pathlib.Path, kind: str, litert: pathlib.Path) -> None:
    """Raise UserError where `output` must not be written, before TensorFlow is loaded for nothing.

    Args:
        output: path to write.
        kind: a key of FORMATS.
        litert: the model's own LiteRT file.
    """
    suffix = pathlib.Path("name" + FORMATS[kind][0]).suffix
    try:
        if kind == "saved_model":
            entries = {entry.name for entry in output.iterdir()} if output.is_dir() else {"a file"}
            if output.exists() and entries and not {"saved_model.pb"} <= entries <= SAVED_MODEL:
                raise UserError(f"{printable(output)} is not a SavedModel, so it is not replaced; name another --output.")
        elif output.is_dir() or output.suffix != suffix:
            raise UserError(f"--format {kind} writes a file that ends in {suffix}, not {printable(output)}.")
        elif kind == "litert-int8" and same_place(output, litert):
            raise UserError(f"{printable(output)} is the float32 export that predict.py runs; name another --output.")
    except OSError as error:
        raise UserError(f"cannot write {printable(output)}: {reason(error)}; choose another --output.") from error


def same_place(first: pathlib.Path, second: pathlib.Path) -> bool:
    """Return whether two paths name the same file."""
    return os.path.realpath(first) == os.path.realpath(second)


def bind(model: model_files.ModelFiles) -> str:
    """Put the checksum of a model's new LiteRT file into the model's record, so that predict.py runs it; say so."""
    if model_files.bind_litert(model.keras):
        return f"predict.py runs it: its checksum is in {printable(model.record)}"
    return f"predict.py still uses Keras: there is no record of this model at {printable(model.record)}"


if __name__ == "__main__":
    command_line.run(main)
