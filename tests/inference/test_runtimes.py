"""The LiteRT export answers as the model does, is used only when it is the model's, and is never needed."""

import importlib.util
import shutil
import types

import numpy as np
import pytest

import data_loader
from digits.inference import keras_model, model_files, runtimes
from digits.support import constants
from digits.support.messages import UserError
from helpers import run_code


@pytest.fixture(scope="module")
def digits():
    return data_loader.load_mnist().x_test[:200]


@pytest.fixture
def copy(tmp_path):
    """Return the files of a copy of the shipped model."""
    shipped, copy = model_files.files_of(), model_files.files_of(tmp_path / "copy.keras")
    for name in ("keras", "litert", "record"):
        shutil.copy(getattr(shipped, name), getattr(copy, name))
    return copy


@pytest.fixture
def no_keras(monkeypatch):
    """Stand in for Keras where only the choice of the runtime is looked at: TensorFlow takes seconds to import."""
    monkeypatch.setattr(runtimes, "KerasNetwork", lambda path: types.SimpleNamespace(runtime="keras", path=path))


def load(copy, runtime="auto"):
    """Return the runtime chosen, and what was said about it."""
    said = []
    return runtimes.load_network(copy.keras, runtime, warn=said.append).runtime, said


def test_both_runtimes_agree(digits):
    quick, reference = (
        runtimes.load_network(constants.DEFAULT_MODEL, "litert"),
        runtimes.load_network(constants.DEFAULT_MODEL, "keras"),
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
    assert (runtimes.load_network(constants.DEFAULT_MODEL)(digits).argmax(axis=1) == labels).mean() >= 0.97


@pytest.mark.parametrize("count", [0, 1, 2, 63, 64, 65, 130])
def test_batches_change_nothing(digits, count):
    run = runtimes.load_network(constants.DEFAULT_MODEL, "litert")
    run(digits[:5])
    one_by_one = [run(digits[i : i + 1])[0] for i in range(count)]
    assert np.abs(run(digits[:count]) - np.array(one_by_one).reshape(count, 10)).max(initial=0) < 1e-6


def test_threads_change_nothing(digits):
    first, second = (runtimes.load_network(constants.DEFAULT_MODEL, "litert", threads)(digits[:130]) for threads in (1, 2))
    assert np.array_equal(first, second)


def test_wrong_shapes_are_refused(digits):
    run = runtimes.load_network(constants.DEFAULT_MODEL, "litert")
    for images in (digits[0], digits[:, :20], digits[..., None]):
        with pytest.raises(ValueError, match="28, 28"):
            run(images)


def test_litert_leaves_tensorflow_alone_and_is_silent():
    code = (
        "import sys, numpy\nfrom digits.inference.runtimes import load_network\n"
        "network = load_network()\nnetwork(numpy.zeros((3, 28, 28), 'u1'))\n"
        "print(network.runtime, sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = run_code(code)
    assert (done.stdout, done.stderr) == ("litert []\n", "")


def test_whole_copy_is_used(copy, no_keras):
    assert load(copy) == ("litert", [])


def test_without_export(copy, no_keras):
    copy.litert.unlink()
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 1 and "there is no" in said[0] and "using Keras" in said[0]
    assert load(copy, "keras") == ("keras", [])


def test_without_record(copy, no_keras):
    copy.record.unlink()
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 1 and "copy.json" in said[0]


def test_export_of_another_training(copy, no_keras):
    """Same name, other weights: the model was trained again, and the export and the record were left over."""
    copy.keras.write_bytes(copy.keras.read_bytes() + b"\0")
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 2
    assert "not the record of" in said[0] and "not the export of" in said[1]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:1000], lambda data: b"", lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]],
    ids=["cut", "empty", "one bit"],
)
def test_damaged_export_is_not_run(copy, no_keras, damage):
    copy.litert.write_bytes(damage(copy.litert.read_bytes()))
    runtime, said = load(copy)
    assert runtime == "keras" and "not the export of" in said[0]


@pytest.mark.parametrize("record", ["", "{", "[]", "{}", '{"model_sha256": 3}', "\ud800"])
def test_damaged_record(copy, no_keras, record):
    copy.record.write_text(record, errors="surrogatepass")
    runtime, said = load(copy)
    assert runtime == "keras" and said


def test_export_that_litert_cannot_run(copy, no_keras):
    """The record vouches for a file that is no network: what a broken export or another version would be."""
    copy.litert.write_bytes(b"no flatbuffer at all")
    assert model_files.bind_litert(copy.keras)
    runtime, said = load(copy)
    assert runtime == "keras" and "LiteRT cannot run" in said[0]
    with pytest.raises(UserError, match="LiteRT cannot run.*--runtime keras"):
        runtimes.load_network(copy.keras, "litert")


def test_runtime_not_installed(copy, no_keras, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    runtime, said = load(copy)
    assert runtime == "keras" and len(said) == 1 and "ai-edge-litert is not installed; using Keras" in said[0]
    with pytest.raises(UserError, match="ai-edge-litert is not installed"):
        runtimes.load_network(copy.keras, "litert")


def test_demanded_litert_without_export(copy):
    copy.litert.unlink()
    with pytest.raises(UserError, match="there is no.*train again"):
        runtimes.load_network(copy.keras, "litert")


@pytest.mark.parametrize("runtime", runtimes.RUNTIMES)
def test_no_model(tmp_path, runtime):
    with pytest.raises(UserError, match="nothing.keras"):
        runtimes.load_network(tmp_path / "nothing.keras", runtime)
    with pytest.raises(UserError, match="not a .keras file"):
        runtimes.load_network(tmp_path, runtime)


def test_weights_that_are_no_numbers(tiny, tmp_path):
    """By either runtime: the answers are refused."""
    import keras

    damaged = keras.models.clone_model(tiny)
    damaged.set_weights([np.full_like(weights, np.nan) for weights in tiny.get_weights()])
    path = tmp_path / "damaged.keras"
    model_files.save(damaged, path, {})
    for runtime in ("litert", "keras"):
        with pytest.raises(UserError, match="not numbers"):
            runtimes.load_network(path, runtime)(np.zeros((2, 28, 28), np.uint8))
