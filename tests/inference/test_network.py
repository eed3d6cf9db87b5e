"""The LiteRT export answers as the model does, is used only when it is the model's, and is never needed."""

import json
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest

import data_loader
import model
from digits.inference import keras_model, model_files, network
from digits.support import constants, files
from digits.support.messages import UserError


@pytest.fixture(scope="module")
def digits():
    return data_loader.load_mnist().x_test[:200]


@pytest.fixture
def copy(tmp_path):
    """Return the path of a copy of the shipped model with all its files."""
    for suffix in (".keras", ".tflite", ".json", ".csv"):
        if constants.DEFAULT_MODEL.with_suffix(suffix).exists():
            shutil.copy(constants.DEFAULT_MODEL.with_suffix(suffix), tmp_path / f"copy{suffix}")
    return tmp_path / "copy.keras"


@pytest.fixture
def no_keras(monkeypatch):
    """Stand in for Keras where only the choice of the runtime is looked at: TensorFlow takes seconds to import."""
    monkeypatch.setattr(network, "KerasNetwork", lambda path: types.SimpleNamespace(runtime="keras", path=path))


def load(path, runtime="auto"):
    """Return the runtime chosen, and what was said about it."""
    said = []
    return network.load_network(path, runtime, warn=said.append).runtime, said


def test_both_runtimes_agree(digits):
    quick, reference = (
        network.load_network(constants.DEFAULT_MODEL, "litert"),
        network.load_network(constants.DEFAULT_MODEL, "keras"),
    )
    assert (quick.runtime, reference.runtime) == ("litert", "keras")
    answers = quick(digits)
    assert answers.shape == (200, 10) and answers.dtype == np.float32
    assert np.abs(answers - reference(digits)).max() <= 1e-5
    assert np.abs(answers.sum(axis=1) - 1).max() < 1e-5
    direct = keras_model.load_model(constants.DEFAULT_MODEL).predict(digits[..., None].astype(np.float32), verbose=0)
    assert np.abs(answers - direct).max() <= 1e-5


def test_reads_mnist(digits):
    labels = data_loader.load_mnist().y_test[:200]
    assert (network.load_network(constants.DEFAULT_MODEL)(digits).argmax(axis=1) == labels).mean() >= 0.97


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 130])
def test_batches_change_nothing(digits, count):
    run = network.load_network(constants.DEFAULT_MODEL, "litert")
    run(digits[:5])
    one_by_one = [run(digits[i : i + 1])[0] for i in range(count)]
    assert np.abs(run(digits[:count]) - np.array(one_by_one).reshape(count, 10)).max(initial=0) < 1e-6


def test_wrong_shapes_are_refused(digits):
    run = network.load_network(constants.DEFAULT_MODEL, "litert")
    for pictures in (digits[0], digits[:, :20], digits[..., None]):
        with pytest.raises(ValueError, match="28, 28"):
            run(pictures)


def test_litert_leaves_tensorflow_alone_and_is_silent():
    code = (
        "import sys, numpy, network\nn = network.load_network(sys.argv[1])\nn(numpy.zeros((3, 28, 28), 'u1'))\n"
        "print(n.runtime, sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(constants.DEFAULT_MODEL)],
        capture_output=True,
        text=True,
        cwd=os.path.dirname(os.path.abspath(model.__file__)),
    )
    assert (run.stdout, run.stderr) == ("litert []\n", "")


def test_whole_copy_is_used(copy, no_keras):
    assert load(copy) == ("litert", [])


def test_without_export(copy, no_keras):
    copy.with_suffix(".tflite").unlink()
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 1 and "there is no" in said[0] and "using Keras" in said[0]
    assert load(copy, "keras") == ("keras", [])


def test_without_record(copy, no_keras):
    copy.with_suffix(".json").unlink()
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 1 and "copy.json" in said[0]


def test_export_of_another_training(copy, no_keras):
    """Same name, other weights: the model was trained again, and the export and the record were left over."""
    copy.write_bytes(copy.read_bytes() + b"\0")
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 2
    assert "not the record of" in said[0] and "not the export of" in said[1]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:1000], lambda data: b"", lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]],
    ids=["cut", "empty", "one bit"],
)
def test_damaged_export_is_not_run(copy, no_keras, damage):
    export = copy.with_suffix(".tflite")
    export.write_bytes(damage(export.read_bytes()))
    runtime, said = load(copy)
    assert runtime == "keras" and "not the export of" in said[0]


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"model_sha256": 3}', "\ud800"])
def test_damaged_record(copy, no_keras, record):
    copy.with_suffix(".json").write_text(record, errors="surrogatepass")
    runtime, said = load(copy)
    assert runtime == "keras" and said


def test_export_that_litert_cannot_run(copy, no_keras):
    """The record vouches for a file that is no network: what a broken export or another version would be."""
    export = copy.with_suffix(".tflite")
    export.write_bytes(b"no flatbuffer at all")
    record = json.loads(copy.with_suffix(".json").read_text()) | {"litert_sha256": files.sha256(export)}
    copy.with_suffix(".json").write_text(json.dumps(record))
    runtime, said = load(copy)
    assert runtime == "keras" and "LiteRT cannot run" in said[0]
    with pytest.raises(UserError, match="LiteRT cannot run.*--runtime keras"):
        network.load_network(copy, "litert")


def test_runtime_not_installed(copy, no_keras, monkeypatch):
    monkeypatch.setattr(network.importlib.util, "find_spec", lambda name: None)
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 1 and "ai-edge-litert is not installed; using Keras" in said[0]
    with pytest.raises(UserError, match="ai-edge-litert is not installed"):
        network.load_network(copy, "litert")


def test_demanded_litert_without_export(copy):
    copy.with_suffix(".tflite").unlink()
    with pytest.raises(UserError, match="there is no.*train again"):
        network.load_network(copy, "litert")


def test_history_of_another_training(copy):
    history = copy.with_suffix(".csv")
    history.write_text("epoch,accuracy\n1,0.5\n")
    assert "not the history" in model_files.mismatches(copy)[0]
    history.write_text("epoch,accuracy\n1,many\n")
    assert "cannot be read as a training history" in model_files.mismatches(copy)[0]
    history.write_bytes(b"\xff\0\xff")
    assert "history" in model_files.mismatches(copy)[0]
    history.unlink()
    assert model_files.mismatches(copy) == []


@pytest.mark.parametrize("runtime", network.RUNTIMES)
def test_no_model(tmp_path, runtime):
    with pytest.raises(UserError, match="nothing.keras"):
        network.load_network(tmp_path / "nothing.keras", runtime)
    with pytest.raises(UserError, match="not a .keras file"):
        network.load_network(tmp_path, runtime)


def test_answers_that_are_no_numbers():
    with pytest.raises(UserError, match="train it again"):
        network._in_batches(lambda batch: np.full((len(batch), 10), np.nan), np.zeros((2, 28, 28), np.uint8))
