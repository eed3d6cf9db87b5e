"""export.py: every format by the real command line, run by its own runtime, against Keras; and its refusals."""

import json
import os
import shutil
import sys

import numpy as np
import pytest

import data_loader
import export
from conftest import run
from digits.inference import keras_model
from digits.support import command_line, constants, files, messages

IMAGES = slice(3, 10_000, 37)  # 271 test images, most of them not those that export.py itself compares


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the shipped model, with its record, in a folder of its own."""
    path = tmp_path_factory.mktemp("models") / "digits.keras"
    for suffix in (".keras", ".json"):
        shutil.copy(constants.DEFAULT_MODEL.with_suffix(suffix), path.with_suffix(suffix))
    return path


@pytest.fixture(scope="module")
def images():
    return data_loader.load_mnist().x_test[IMAGES]


@pytest.fixture(scope="module")
def expected(source, images):
    """Keras's probabilities of `images`."""
    return keras_model.predict(keras_model.load_model(source), images)


def assert_same(answers, expected):
    assert answers.dtype == np.float32 and answers.shape == expected.shape
    assert np.abs(answers - expected).max() <= 1e-5


def run_litert(path, pictures):
    """Probabilities of (N, 28, 28) uint8 pictures by LiteRT alone, as the README shows it; and the interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    answers = interpreter.get_signature_runner()(images=pictures[..., None].astype(np.float32))
    return answers["output_0"], interpreter


def test_litert_beside_the_model_is_what_predict_runs(source, images, expected, capsys):
    """The default output is predict.py's own file: the record is made to name it, whatever stood there before."""
    from digits.inference.network import load_network

    record = files.read_json(source.with_suffix(".json"))
    source.with_suffix(".tflite").write_bytes(b"damaged")
    assert export.main(["--format", "litert", "--model", str(source)]) == 0
    printed = capsys.readouterr().out
    assert "predict.py runs it" in printed and "float32 (N, 28, 28, 1)" in printed and "MB" in printed
    assert_same(run_litert(source.with_suffix(".tflite"), images)[0], expected)
    assert_same(load_network(source, "litert", warn=pytest.fail)(images), expected)
    after = files.read_json(source.with_suffix(".json"))
    assert after["litert_sha256"] == files.sha256(source.with_suffix(".tflite"))
    assert {**after, "litert_sha256": 0} == {**record, "litert_sha256": 0}


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_litert_int8(source, images, expected, capsys):
    """Integers inside, float32 outside, a third of the size, and as accurate to half a percentage point."""
    assert export.main(["--format", "litert-int8", "--model", str(source)]) == 0
    path = source.with_name("digits_int8.tflite")
    printed = capsys.readouterr().out
    assert "10,000 test images" in printed and "accuracy" in printed
    answers, interpreter = run_litert(path, images)
    types = [detail["dtype"] for detail in interpreter.get_tensor_details() if len(detail["shape"]) == 4]
    assert types.count(np.int8) > 3 and types.count(np.float32) == 1  # only the pictures themselves
    assert np.mean(answers.argmax(axis=1) == expected.argmax(axis=1)) >= 0.985
    assert path.stat().st_size < 0.4 * 4 * keras_model.load_model(source).count_params()


def test_onnx_by_the_command_line(source, images, expected, tmp_path):
    """A process of its own, a new folder and a name with a space; nothing but the result on either stream."""
    import onnxruntime

    output = tmp_path / "new folder" / "digits.onnx"
    done = run("export.py", "--format", "onnx", "--model", source, "--output", output)
    assert (done.returncode, done.stderr) == (0, "") and "largest difference" in done.stdout
    assert [path.name for path in output.parent.iterdir()] == ["digits.onnx"]
    session = onnxruntime.InferenceSession(str(output))
    for count in (1, len(images)):
        answers = session.run(None, {"images": images[:count, ..., None].astype(np.float32)})[0]
        assert_same(answers, expected[:count])


def test_saved_model_replaces_a_saved_model_only(source, images, expected, capsys):
    import tensorflow as tf

    output = source.with_name("digits_saved_model")
    output.mkdir()
    for name in ("saved_model.pb", "variables"):
        (output / name).write_text("old")
    assert export.main(["--format", "saved_model", "--model", str(source)]) == 0
    assert "digits_saved_model" in capsys.readouterr().out
    loaded = tf.saved_model.load(str(output))
    for count in (1, len(images)):
        pictures = images[:count, ..., None].astype(np.float32)
        assert_same(loaded.serve(pictures).numpy(), expected[:count])
        served = loaded.signatures["serving_default"](tf.constant(pictures))  # what TensorFlow Serving calls
        assert_same(next(iter(served.values())).numpy(), expected[:count])
    assert not list(source.parent.glob(".*"))  # no litter
    (output / "my notes.txt").write_text("mine")
    with pytest.raises(messages.UserError, match="left alone"):
        export.main(["--format", "saved_model", "--model", str(source)])
    assert (output / "my notes.txt").read_text() == "mine"


def test_a_wrong_export_is_not_kept(source, tmp_path, monkeypatch):
    """What answers otherwise than Keras, or fails to convert, leaves the old file where it was."""
    output = tmp_path / "digits.onnx"
    output.write_text("old")
    arguments = ["--format", "onnx", "--model", str(source), "--output", str(output)]
    monkeypatch.setattr(export, "convert", lambda *_: None)
    monkeypatch.setattr(export, "load_exported", lambda *_: lambda images: np.full((len(images), 10), np.nan))
    with pytest.raises(messages.UserError, match="does not answer like the model"):
        export.main(arguments)

    def fail(*_):
        raise RuntimeError("no such operator\x1b[2J")

    monkeypatch.setattr(export, "convert", fail)
    with pytest.raises(messages.UserError, match="no such operator.*another --format") as refusal:
        export.main(arguments)
    assert "\x1b" not in str(refusal.value)
    assert output.read_text() == "old" and [path.name for path in tmp_path.iterdir()] == ["digits.onnx"]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_text("old")
    with pytest.raises(KeyError), export.folder_write(folder) as new:
        new.mkdir()
        raise KeyError
    with pytest.raises(messages.UserError, match="cannot write"), export.folder_write(folder):
        pass  # nothing was made, so that the rename fails
    assert (folder / "saved_model.pb").read_text() == "old" and list(tmp_path.iterdir()) == [folder]


def test_a_foreign_record_is_left_alone(source, tmp_path):
    path = tmp_path / "other.keras"
    shutil.copy(source, path)
    path.with_suffix(".json").write_text(json.dumps({"model_sha256": "of another model"}))
    assert "goes on with Keras" in export.bind(path, path)
    assert json.loads(path.with_suffix(".json").read_text()) == {"model_sha256": "of another model"}


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
        (["--format", "saved_model", "--output", "{file}"], "left alone"),
        (["--format", "litert-int8", "--model", "a.keras", "--output", "a.tflite"], "predict.py runs"),
        (["--format", "litert", "--model", "{folder}/none.keras"], "there is no model"),
        (["--format", "litert", "--model", "{file}"], "not a .keras file"),
    ],
)
def test_wrong_use(arguments, words, tmp_path, monkeypatch, capsys):
    """One sentence, exit status 2, and no TensorFlow loaded to find out."""
    (tmp_path / "file.txt").write_text("mine")
    arguments = [text.format(folder=tmp_path, file=tmp_path / "file.txt") for text in arguments]
    monkeypatch.setattr(sys, "argv", ["export.py"])
    with pytest.raises(SystemExit) as end:
        command_line.run(lambda: export.main(arguments))
    printed = capsys.readouterr()
    assert end.value.code == 2 and words in printed.err and printed.out == ""
    assert (tmp_path / "file.txt").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_help_names_what_is_left_out():
    printed = run("export.py", "--help").stdout
    assert "tfjs" in printed and "onnxruntime-web" in printed and "pip install" in printed
