"""digits/inference/model_files.py: a model's files are written together, told apart from strangers, and read back."""

import json
import os

import numpy as np
import pytest

from digits.inference import keras_model, model_files, runtimes
from digits.support import files
from digits.support.messages import UserError
from helpers import full_disk, history, run


@pytest.fixture(scope="module")
def saved(tiny, tmp_path_factory):
    """Files of a small model with a record."""
    saved = model_files.files_of(tmp_path_factory.mktemp("saved") / "small.keras")
    model_files.save(tiny, saved.keras, {"history": history(0.95, 0.97), "seed": 7})
    return saved


def test_saved_files_belong_together_and_answer_alike(saved, tiny, mnist):
    assert sorted(os.listdir(saved.keras.parent)) == ["small.json", "small.keras", "small.tflite"]
    assert model_files.mismatch(saved.keras) is None and model_files.litert_obstacle(saved.keras) is None
    assert files.read_json(saved.record)["seed"] == 7
    images = mnist.x_test[:100]
    answers = keras_model.predict(keras_model.load_model(saved.keras), images)
    assert np.array_equal(answers, keras_model.predict(tiny, images))
    assert np.abs(runtimes.load_network(saved.keras, "litert")(images) - answers).max() < 1e-5


def test_the_default_model_is_complete(shipped_model):
    assert model_files.mismatch() is None and model_files.litert_obstacle() is None
    assert model_files.read_history()["val_accuracy"][-1] > 0.99


@pytest.mark.parametrize(
    "script", ["predict.py x.png", "evaluate.py", "visualize.py filters", "export.py --format litert", "app.py"]
)
@pytest.mark.parametrize("path", ["", "/"])
def test_a_folder_in_place_of_a_model_is_told(script, path, tmp_path):
    done = run(*script.split(), "--model", path, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and " is " in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1000, 15_000])
def test_a_full_disk_leaves_each_old_file_whole(limit, tiny, tmp_path):
    """Whichever of the files does not fit, what lies there was written whole, and no record names what it does not fit."""
    paths = model_files.files_of(tmp_path / "x.keras")
    model_files.save(tiny, paths.keras, {"number": 1})
    with pytest.raises(UserError, match="the disk is full|cannot write"), full_disk(limit):
        model_files.save(tiny, paths.keras, {"number": 2})
    assert sorted(os.listdir(tmp_path)) == ["x.json", "x.keras", "x.tflite"]
    keras_model.load_model(paths.keras)
    runtimes.LiteRTNetwork(paths.litert)
    assert files.read_json(paths.record)["number"] == 1


def test_a_record_of_another_model_is_told(saved, tmp_path):
    other = model_files.files_of(tmp_path / "other.keras")
    other.keras.write_bytes(saved.keras.read_bytes() + b"\0")
    assert model_files.mismatch(other.keras) is None  # a model without a record is complete in itself
    other.record.write_bytes(saved.record.read_bytes())
    assert "other.json is not the record of" in model_files.mismatch(other.keras)
    assert not model_files.bind_litert(other.keras)
    other.record.write_text("{")
    assert "is not valid JSON" in model_files.mismatch(other.keras)


def test_reads_history(saved):
    read = model_files.read_history(saved.keras)
    assert read["epoch"] == [1, 2] and read["val_accuracy"] == [0.95, 0.97] and read["seconds"] == [3.5, 3.5]


def changed(**values):
    """The text of a record in whose history the second epoch has other values."""
    first, second = history(0.95, 0.97)
    return json.dumps({"history": [first, {**second, **values}]})


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "there is no record.*python train.py"),
        (b"", "is not valid JSON"),
        (b"\xff\xfe\0\0", "is not valid JSON"),
        ("{}", "holds no training history"),
        ('{"history": []}', "holds no training history"),
        ('{"history": [3]}', "holds no training history"),
        ('{"history": [{"epoch": 1, "accuracy": 0.5}]}', "lacks learning_rate, loss, val_accuracy, val_loss"),
        (changed(loss="good"), "holds no training history"),
        (changed(loss=None), "holds no training history"),
        (changed(loss=float("nan")), "not a finite number"),
    ],
)
def test_bad_histories_are_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "x.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as refusal:
        model_files.read_history(tmp_path / "x.keras")
    assert "x.json" in str(refusal.value)
