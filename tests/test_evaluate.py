"""evaluate.py: its numbers against scikit-learn; its files; its refusals."""

import contextlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sklearn_metrics

import evaluate
from digits.inference.keras_model import predict
from digits.support import files, messages


@pytest.fixture(scope="module")
def model_path(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.keras"
    tiny.save(path)
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
    """One run of the command line: its folder, the metrics in it, and what was printed."""
    folder = tmp_path_factory.mktemp("reports") / "new folder"
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert evaluate.main(["--model", str(model_path), "--data", str(data_path), "--output-dir", str(folder)]) == 0
    return folder, json.loads((folder / "metrics.json").read_text()), output.getvalue()


def test_command_line_agrees_with_scikit_learn(scored, model_path, data_path):
    import keras

    _, metrics, _ = scored
    data = np.load(data_path)
    probabilities = keras.saving.load_model(model_path, compile=False).predict(
        data["x_test"][..., None].astype("float32"), verbose=0
    )
    labels, read = data["y_test"], probabilities.argmax(axis=1)
    assert len(np.unique(read)) > 1  # otherwise this would test little
    assert metrics["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, read))
    assert metrics["loss"] == pytest.approx(sklearn_metrics.log_loss(labels, probabilities), rel=1e-4)
    assert metrics["confusion_matrix"] == sklearn_metrics.confusion_matrix(labels, read).tolist()
    expected = sklearn_metrics.precision_recall_fscore_support(labels, read, average="macro", zero_division=0)
    assert [metrics[f"macro_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected[:3])


def test_metrics_have_the_promised_keys(scored, model_path, data_path):
    _, metrics, _ = scored
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
    } <= metrics.keys()
    assert (metrics["model"], metrics["data"], metrics["test_images"]) == ("tiny.keras", "noise.npz", 300)
    assert metrics["model_sha256"] == files.sha256(model_path)
    assert set(metrics["digits"]) == set("0123456789")


def test_figures_are_whole(scored):
    folder, _, _ = scored
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion_matrix.png",
        "metrics.json",
        "misclassified.png",
        "reliability.png",
    ]
    for path in folder.glob("*.png"):
        with Image.open(path) as figure:
            assert figure.format == "PNG" and min(figure.size) > 600
            figure.load()


def test_printed_report(scored):
    _, metrics, output = scored
    assert f"{100 * metrics['accuracy']:.2f} %" in output and "95 % interval" in output and "macro avg" in output
    rows = output.split("confusion matrix")[1].splitlines()[2:12]
    assert [[int(cell.replace(".", "0")) for cell in row.split()[1:]] for row in rows] == metrics["confusion_matrix"]


def test_answers_that_are_no_numbers_are_refused():
    class Damaged:
        def predict(self, images, **_):
            return np.full((len(images), 10), np.nan)

    with pytest.raises(messages.UserError, match="not numbers"):
        predict(Damaged(), np.zeros((3, 28, 28), np.uint8))


@pytest.mark.slow
def test_record_of_another_model_is_reported(model_path, data_path, tmp_path, capsys):
    copy = tmp_path / "tiny.keras"
    copy.write_bytes(model_path.read_bytes())
    for sha256, warned in ((files.sha256(copy), False), ("0" * 64, True)):
        files.write_json(tmp_path / "tiny.json", {"model_sha256": sha256})
        assert evaluate.main(["--model", str(copy), "--data", str(data_path), "--output-dir", str(tmp_path)]) == 0
        assert (f"warning: {tmp_path / 'tiny.json'}" in capsys.readouterr().err) == warned


@pytest.mark.parametrize(
    "option, value, message",
    [
        ("--model", "nowhere.keras", "there is no model"),
        ("--data", "nowhere.npz", "there is no data set"),
        ("--data", __file__, "is not a data set"),
        ("--output-dir", __file__, "is a file, not a folder"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(option, value, message, model_path, data_path, tmp_path):
    arguments = {"--model": model_path, "--data": data_path, "--output-dir": tmp_path / "reports", option: value}
    with pytest.raises(messages.UserError, match=message):
        evaluate.main([str(word) for pair in arguments.items() for word in pair])
    assert not (tmp_path / "reports").exists()
