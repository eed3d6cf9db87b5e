"""evaluate.py: its numbers against scikit-learn; its files; its refusals."""

import contextlib
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sklearn_metrics

import data_loader
import evaluate
from digits.inference.keras_model import predict
from digits.support import files, messages

ROOT = data_loader.MNIST_FOLDER.parent


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    """An untrained network of a few hundred weights: quick to run, and its answers are not all alike."""
    import keras

    from model import build_model

    keras.utils.set_random_seed(1)
    model = build_model(blocks=((4,), (4,)))
    model.get_layer("digits").set_weights([10 * weights for weights in model.get_layer("digits").get_weights()])
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    model.save(path)
    return path


@pytest.fixture(scope="module")
def data_path(tmp_path_factory):
    """300 images of noise and blots, with labels 0 to 9 in turn."""
    random = np.random.default_rng(0)
    labels = (np.arange(300) % 10).astype(np.uint8)
    images = random.integers(0, 256, (300, 28, 28)) * (random.random((300, 28, 28)) < random.random((300, 1, 1)))
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    np.savez(path, x_train=images.astype(np.uint8), y_train=labels, x_test=images.astype(np.uint8), y_test=labels)
    return path


@pytest.fixture(scope="module")
def scored(model_path, data_path, tmp_path_factory):
    """One run of the command line: its folder, the record in it, and what was printed."""
    folder = tmp_path_factory.mktemp("reports") / "new folder"
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert evaluate.main(["--model", str(model_path), "--data", str(data_path), "--output-dir", str(folder)]) == 0
    return folder, json.loads((folder / "metrics.json").read_text()), output.getvalue()


def no_images(count):
    return np.zeros((count, 28, 28), np.uint8)


def test_command_line_agrees_with_scikit_learn(scored, model_path, data_path):
    import keras

    _, record, _ = scored
    data = np.load(data_path)
    probabilities = keras.saving.load_model(model_path, compile=False).predict(
        data["x_test"][..., None].astype("float32"), verbose=0
    )
    labels, read = data["y_test"], probabilities.argmax(axis=1)
    assert len(np.unique(read)) > 1  # otherwise this would test little
    assert record["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, read))
    assert record["loss"] == pytest.approx(sklearn_metrics.log_loss(labels, probabilities), rel=1e-4)
    assert record["confusion_matrix"] == sklearn_metrics.confusion_matrix(labels, read).tolist()
    expected = sklearn_metrics.precision_recall_fscore_support(labels, read, average="macro", zero_division=0)
    assert [record[f"macro_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected[:3])


def test_record_has_the_promised_keys(scored, model_path, data_path):
    _, record, _ = scored
    assert {
        "accuracy",
        "accuracy_interval",
        "accuracy_without_label_errors",
        "loss",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "confusion_matrix",
        "expected_calibration_error",
        "test_images",
        "model",
        "model_sha256",
        "data",
        "digits",
        "misclassified",
        "calibration",
    } <= record.keys()
    assert (record["model"], record["data"], record["test_images"]) == ("tiny.keras", "noise.npz", 300)
    assert record["model_sha256"] == files.sha256(model_path)
    assert set(record["digits"]) == set("0123456789")


def test_pictures_are_whole(scored):
    folder, _, _ = scored
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion_matrix.png",
        "metrics.json",
        "misclassified.png",
        "reliability.png",
    ]
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.format == "PNG" and min(picture.size) > 600
            picture.load()


def test_printed_report(scored):
    _, record, output = scored
    assert f"{record['accuracy']:.2%}" in output and "95 % interval" in output and "macro avg" in output
    rows = output.split("confusion matrix")[1].splitlines()[2:12]
    assert [[int(cell.replace(".", "0")) for cell in row.split()[1:]] for row in rows] == record["confusion_matrix"]


def test_answers_that_are_no_numbers_are_refused():
    class Damaged:
        def predict(self, images, **_):
            return np.full((len(images), 10), np.nan)

    with pytest.raises(messages.UserError, match="not numbers"):
        predict(Damaged(), no_images(3))


def test_record_of_another_model_is_told(model_path, data_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "write_reports", lambda *_: [])
    copy = tmp_path / "tiny.keras"
    copy.write_bytes(model_path.read_bytes())
    for sha256, warned in ((files.sha256(copy), False), ("0" * 64, True)):
        files.write_json(copy.with_suffix(".json"), {"model_sha256": sha256})
        assert evaluate.main(["--model", str(copy), "--data", str(data_path)]) == 0
        assert ("warning: " + str(copy.with_suffix(".json")) in capsys.readouterr().err) == warned


@pytest.mark.parametrize(
    "option, value, message",
    [
        ("--model", "nowhere.keras", "there is no model"),
        ("--data", "nowhere.npz", "there is no data set"),
        ("--data", __file__, "is no data set"),
        ("--output-dir", __file__, "cannot write"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(option, value, message, model_path, data_path, tmp_path):
    arguments = {"--model": model_path, "--data": data_path, "--output-dir": tmp_path / "reports", option: value}
    with pytest.raises(messages.UserError, match=message):
        evaluate.main([str(word) for pair in arguments.items() for word in pair])
    assert not (tmp_path / "reports").exists()


def test_help_imports_nothing_slow():
    code = (
        "import sys, evaluate\ntry: evaluate.main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'tensorflow', 'matplotlib', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert "--output-dir" in result.stdout and result.stdout.splitlines()[-1] == "[]"
