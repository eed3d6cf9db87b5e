"""export.py: every format by the real command line, run by its own runtime, against Keras; and its refusals."""

import os
import shutil

import numpy as np
import pytest

import data_loader
import export
from digits.inference import conversion, keras_model, model_files
from digits.inference.runtimes import load_network
from digits.support import files, messages
from helpers import run

IMAGES = slice(3, 10_000, 37)  # 271 test images, most of them not those that export.py itself compares


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the shipped model, with its record, in a folder of its own."""
    shipped, copy = model_files.files_of(), model_files.files_of(tmp_path_factory.mktemp("models") / "digits.keras")
    shutil.copy(shipped.keras, copy.keras)
    shutil.copy(shipped.record, copy.record)
    return copy


@pytest.fixture(scope="module")
def images():
    return data_loader.load_mnist().x_test[IMAGES]


@pytest.fixture(scope="module")
def expected(source, images):
    """Keras's probabilities of `images`."""
    return keras_model.predict(keras_model.load_model(source.keras), images)


def assert_same(answers, expected):
    assert answers.dtype == np.float32 and answers.shape == expected.shape
    assert np.abs(answers - expected).max() <= 1e-5


def run_litert(path, images):
    """Probabilities of (N, 28, 28) uint8 images by LiteRT alone, as the README shows it; and the interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    answers = interpreter.get_signature_runner()(images=images[..., None].astype(np.float32))
    return answers["output_0"], interpreter


@pytest.mark.slow
def test_litert_beside_the_model_is_what_predict_runs(source, images, expected, capsys):
    """The default output is predict.py's own file: the record then names it, whatever was there before."""
    record = files.read_json(source.record)
    source.litert.write_bytes(b"damaged")
    assert export.main(["--format", "litert", "--model", str(source.keras)]) == 0
    printed = capsys.readouterr().out
    assert "predict.py runs it" in printed and "float32 (N, 28, 28, 1)" in printed and "MB" in printed
    assert_same(run_litert(source.litert, images)[0], expected)
    assert_same(load_network(source.keras, "litert", warn=pytest.fail)(images), expected)
    after = files.read_json(source.record)
    assert after["litert_sha256"] == files.sha256(source.litert)
    assert {**after, "litert_sha256": 0} == {**record, "litert_sha256": 0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_litert_int8(source, images, expected, capsys):
    """Integers inside, float32 outside, a third of the size, and as accurate to half a percentage point."""
    assert export.main(["--format", "litert-int8", "--model", str(source.keras)]) == 0
    path = source.keras.with_name("digits_int8.tflite")
    printed = capsys.readouterr().out
    assert "10,000 test images" in printed and "accuracy" in printed
    answers, interpreter = run_litert(path, images)
    types = [detail["dtype"] for detail in interpreter.get_tensor_details() if len(detail["shape"]) == 4]
    assert types.count(np.int8) > 3 and types.count(np.float32) == 1  # only the images themselves
    assert np.mean(answers.argmax(axis=1) == expected.argmax(axis=1)) >= 0.985
    assert path.stat().st_size < 0.4 * 4 * keras_model.load_model(source.keras).count_params()


@pytest.mark.slow
def test_onnx_by_the_command_line(source, images, expected, tmp_path):
    """A process of its own, a new folder and a name with a space; nothing but the result on either stream."""
    import onnxruntime

    output = tmp_path / "new folder" / "digits.onnx"
    done = run("export.py", "--format", "onnx", "--model", source.keras, "--output", output)
    assert (done.returncode, done.stderr) == (0, "") and "largest difference" in done.stdout
    assert [path.name for path in output.parent.iterdir()] == ["digits.onnx"]
    session = onnxruntime.InferenceSession(str(output))
    for count in (1, len(images)):
        answers = session.run(None, {"images": images[:count, ..., None].astype(np.float32)})[0]
        assert_same(answers, expected[:count])


@pytest.mark.slow
def test_saved_model_replaces_a_saved_model_only(source, images, expected, capsys):
    import tensorflow as tf

    output = source.keras.with_name("digits_saved_model")
    output.mkdir()
    for name in ("saved_model.pb", "variables"):
        (output / name).write_text("old")
    leftover = output.with_name(".digits_saved_model-0123abcd")  # what a killed export leaves
    leftover.mkdir()
    (leftover / "saved_model.pb").write_text("half")
    assert export.main(["--format", "saved_model", "--model", str(source.keras)]) == 0
    assert "digits_saved_model" in capsys.readouterr().out
    loaded = tf.saved_model.load(str(output))
    for count in (1, len(images)):
        pixels = images[:count, ..., None].astype(np.float32)
        assert_same(loaded.serve(pixels).numpy(), expected[:count])
        served = loaded.signatures["serving_default"](tf.constant(pixels))  # what TensorFlow Serving calls
        assert_same(next(iter(served.values())).numpy(), expected[:count])
    assert not [path.name for path in output.parent.iterdir() if path.name.startswith(".") or path.suffix == ".lock"]
    (output / "my notes.txt").write_text("mine")
    with pytest.raises(messages.UserError, match="is not replaced"):
        export.main(["--format", "saved_model", "--model", str(source.keras)])
    assert (output / "my notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_a_wrong_export_is_not_kept(source, tmp_path, monkeypatch):
    """What answers otherwise than Keras, or fails to convert, leaves the old file where it was."""
    output = tmp_path / "digits.onnx"
    output.write_text("old")
    arguments = ["--format", "onnx", "--model", str(source.keras), "--output", str(output)]
    monkeypatch.setattr(conversion, "write", lambda *_: None)
    monkeypatch.setattr(conversion, "load_converted", lambda *_: lambda images: np.full((len(images), 10), np.nan))
    with pytest.raises(messages.UserError, match="does not answer like the model"):
        export.main(arguments)

    def fail(*_):
        raise RuntimeError("no such operator\x1b[2J")

    monkeypatch.setattr(conversion, "write", fail)
    with pytest.raises(messages.UserError, match="no such operator.*another --format") as refusal:
        export.main(arguments)
    assert "\x1b" not in str(refusal.value)
    assert output.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["digits.onnx"]


def test_a_foreign_record_is_left_alone(source, tmp_path):
    other = model_files.files_of(tmp_path / "other.keras")
    shutil.copy(source.keras, other.keras)
    files.write_json(other.record, {"model_sha256": "of another model"})
    assert "still uses Keras" in export.bind(other)
    assert files.read_json(other.record) == {"model_sha256": "of another model"}


@pytest.mark.parametrize(
    "kind, blocked, command",
    [
        ("onnx", ["tf2onnx", "onnxruntime"], "pip install tf2onnx onnxruntime"),
        ("litert", ["ai_edge_litert"], "pip install ai-edge-litert"),
    ],
)
def test_missing_packages_are_named(kind, blocked, command, tmp_path):
    """The packages are hidden from a real process, in the way that Python itself provides."""
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nfor name in {blocked}: sys.modules[name] = None\n")
    done = run("export.py", "--format", kind, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.strip().endswith(command)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "--format"),
        (["--format", "tfjs"], "invalid choice"),
        (["--format", "onnx", "--output", "model.tflite"], "ends in .onnx"),
        (["--format", "litert", "--output", "{folder}"], "ends in .tflite"),
        (["--format", "saved_model", "--output", "{file}"], "is not replaced"),
        (["--format", "litert-int8", "--model", "a.keras", "--output", "a.tflite"], "predict.py runs"),
        (["--format", "litert", "--model", "{folder}/none.keras"], "there is no model"),
        (["--format", "litert", "--model", "{file}"], "not a .keras file"),
    ],
)
def test_wrong_use(arguments, words, tmp_path):
    """One sentence and exit status 2, before anything is loaded."""
    (tmp_path / "file.txt").write_text("mine")
    done = run("export.py", *[text.format(folder=tmp_path, file=tmp_path / "file.txt") for text in arguments])
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1) and words in done.stderr
    assert (tmp_path / "file.txt").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_help_names_what_is_left_out():
    printed = run("export.py", "--help").stdout
    assert "tfjs" in printed and "onnxruntime-web" in printed and "pip install" in printed
