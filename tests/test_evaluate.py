"""evaluate.py: its numbers against scikit-learn, Wilson's formula and hand-made cases; its files; its refusals."""
import contextlib
import io
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as sklearn_metrics

import data_loader
import evaluate
import files
from model import predict

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


def confident(predictions, confidences):
    """Probabilities (N, 10) that put each confidence on each prediction and share the rest out evenly."""
    confidences = np.asarray(confidences, float)
    probabilities = np.repeat((1 - confidences)[:, None] / 9, 10, axis=1)
    probabilities[np.arange(len(confidences)), predictions] = confidences
    return probabilities


def no_images(count):
    return np.zeros((count, 28, 28), np.uint8)


def test_hand_computed_case():
    # 0 read as 0 and as 1, 1 read as 1 three times: precision of 0 is 1/1, of 1 is 3/4; recall 1/2 and 3/3.
    labels = np.array([0, 0, 1, 1, 1], np.uint8)
    record = evaluate.measure(no_images(5), labels, confident([0, 1, 1, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.95]))
    assert record["test_images"] == 5
    assert record["accuracy"] == 0.8
    assert record["macro_precision"] == pytest.approx((1 + 3 / 4) / 2)
    assert record["macro_recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert record["macro_f1"] == pytest.approx((2 / 3 + 6 / 7) / 2)
    likelihoods = [0.9, 0.2 / 9, 0.7, 0.6, 0.95]
    assert record["loss"] == pytest.approx(-sum(map(math.log, likelihoods)) / 5)
    # Each in a bin of its own, 1/15 wide; 0.8 is wrong, the others are right.
    assert record["expected_calibration_error"] == pytest.approx((0.1 + 0.8 + 0.3 + 0.4 + 0.05) / 5)
    assert record["confusion_matrix"][0] == [1, 1] + [0] * 8 and record["confusion_matrix"][1] == [0, 3] + [0] * 8
    assert record["misclassified"] == [
        {"index": 1, "label": 0, "prediction": 1, "confidence": pytest.approx(0.8), "label_known_wrong": False}]
    assert record["accuracy_without_label_errors"] is None


def test_command_line_agrees_with_scikit_learn(scored, model_path, data_path):
    import keras
    _, record, _ = scored
    data = np.load(data_path)
    probabilities = keras.saving.load_model(model_path, compile=False).predict(
        data["x_test"][..., None].astype("float32"), verbose=0)
    labels, read = data["y_test"], probabilities.argmax(axis=1)
    assert len(np.unique(read)) > 1  # otherwise this would test little
    assert record["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, read))
    assert record["loss"] == pytest.approx(sklearn_metrics.log_loss(labels, probabilities), rel=1e-4)
    assert record["confusion_matrix"] == sklearn_metrics.confusion_matrix(labels, read).tolist()
    expected = sklearn_metrics.precision_recall_fscore_support(labels, read, average="macro", zero_division=0)
    assert [record[f"macro_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(expected[:3])


def test_record_has_the_promised_keys(scored, model_path, data_path):
    _, record, _ = scored
    assert {"accuracy", "accuracy_interval", "accuracy_without_label_errors", "loss", "macro_precision", "macro_recall",
            "macro_f1", "confusion_matrix", "expected_calibration_error", "test_images", "model", "model_sha256",
            "data", "digits", "misclassified", "calibration"} <= record.keys()
    assert (record["model"], record["data"], record["test_images"]) == ("tiny.keras", "noise.npz", 300)
    assert record["model_sha256"] == files.sha256(model_path)
    assert set(record["digits"]) == set("0123456789")


def test_pictures_are_whole(scored):
    folder, _, _ = scored
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion_matrix.png", "metrics.json", "misclassified.png", "reliability.png"]
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.format == "PNG" and min(picture.size) > 600
            picture.load()


def test_printed_report(scored):
    _, record, output = scored
    assert f"{record['accuracy']:.2%}" in output and "95 % interval" in output and "macro avg" in output
    rows = output.split("confusion matrix")[1].splitlines()[2:12]
    assert [[int(cell.replace(".", "0")) for cell in row.split()[1:]] for row in rows] == record["confusion_matrix"]


@pytest.mark.parametrize("right, total, expected", [
    (9975, 10000, (0.996312, 0.998306)),  # Wilson 1927, computed by hand from the formula below
    (0, 10, (0.0, 0.277533)),
    (10, 10, (0.722467, 1.0)),
])
def test_interval_is_wilsons(right, total, expected):
    z, share = 1.959964, right / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    low, high = evaluate.interval(right, total)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert (low, high) == pytest.approx(expected, abs=1e-5)


def test_calibration_bins_cover_both_ends():
    bins = evaluate.calibration_bins(np.array([0.0, 1.0, 1 / 15, 0.5]), np.array([False, True, True, False]))
    assert [(round(group["lower"] * 15), group["images"]) for group in bins] == [(0, 2), (7, 1), (14, 1)]
    assert bins[0]["accuracy"] == 0.5 and bins[0]["confidence"] == pytest.approx(1 / 30)
    assert evaluate.expected_calibration_error(bins) == pytest.approx((2 * (0.5 - 1 / 30) + 0.5 + 0) / 4)


def test_honest_confidence_has_no_calibration_error():
    random = np.random.default_rng(0)
    confidences = random.uniform(0.1, 1, 200_000)
    bins = evaluate.calibration_bins(confidences, random.random(200_000) < confidences)
    assert evaluate.expected_calibration_error(bins) < 0.005
    bins = evaluate.calibration_bins(confidences, random.random(200_000) < confidences - 0.1)
    assert evaluate.expected_calibration_error(bins) == pytest.approx(0.1, abs=0.005)


def test_misclassified_are_sorted_by_confidence_and_marked():
    probabilities = confident([1, 9, 9, 9], [0.9, 0.5, 0.99, 0.7])
    wrong = evaluate.misclassified(np.array([1, 2, 3, 4]), probabilities, known_wrong=(3,))
    assert [(record["index"], record["label_known_wrong"]) for record in wrong] == [(2, False), (3, True), (1, False)]


def test_known_wrong_labels_are_those_of_mnist_only():
    data = data_loader.load_mnist()
    read = data.y_test.copy()
    chosen = list(data_loader.LABEL_ERRORS[:10])
    read[chosen] = (read[chosen] + 1) % 10  # read ten of the wrong labels otherwise, and one right label wrongly
    read[0] = (read[0] + 1) % 10
    record = evaluate.measure(data.x_test, data.y_test, confident(read, np.full(10000, 0.9)))
    assert record["accuracy"] == pytest.approx(1 - 11 / 10000)
    assert record["accuracy_without_label_errors"] == pytest.approx(1 - 1 / 9985)
    assert sum(wrong["label_known_wrong"] for wrong in record["misclassified"]) == 10
    assert len(evaluate.label_errors(data.x_test, data.y_test)) == 15
    assert evaluate.label_errors(data.x_test, read) == ()
    assert evaluate.label_errors(data.x_test[::-1], data.y_test) == ()


def test_absent_digit_does_not_lower_the_averages():
    labels = np.array([0, 1, 2] * 5, np.uint8)
    record = evaluate.measure(no_images(15), labels, confident(labels, np.full(15, 0.95)))
    assert record["macro_f1"] == record["macro_recall"] == record["macro_precision"] == 1
    assert np.shape(record["confusion_matrix"]) == (10, 10) and set(record["digits"]) == {"0", "1", "2"}


def test_answers_that_are_no_numbers_are_refused():
    class Damaged:
        def predict(self, images, **_):
            return np.full((len(images), 10), np.nan)

    with pytest.raises(files.UserError, match="not numbers"):
        predict(Damaged(), no_images(3))


def test_record_of_another_model_is_told(model_path, data_path, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "write_reports", lambda *_: [])
    copy = tmp_path / "tiny.keras"
    copy.write_bytes(model_path.read_bytes())
    for sha256, warned in ((files.sha256(copy), False), ("0" * 64, True)):
        files.write_json(copy.with_suffix(".json"), {"model_sha256": sha256})
        assert evaluate.main(["--model", str(copy), "--data", str(data_path)]) == 0
        assert ("warning: " + str(copy.with_suffix(".json")) in capsys.readouterr().err) == warned


@pytest.mark.parametrize("option, value, message", [
    ("--model", "nowhere.keras", "there is no model"),
    ("--data", "nowhere.npz", "there is no data set"),
    ("--data", __file__, "is no data set"),
    ("--output-dir", __file__, "cannot write"),
])
def test_bad_input_is_refused_in_one_sentence(option, value, message, model_path, data_path, tmp_path):
    arguments = {"--model": model_path, "--data": data_path, "--output-dir": tmp_path / "reports", option: value}
    with pytest.raises(files.UserError, match=message):
        evaluate.main([str(word) for pair in arguments.items() for word in pair])
    assert not (tmp_path / "reports").exists()


def test_help_imports_nothing_slow():
    code = ("import sys, evaluate\ntry: evaluate.main(['--help'])\nexcept SystemExit: pass\n"
            "print([name for name in ('numpy', 'tensorflow', 'matplotlib', 'sklearn') if name in sys.modules])")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert "--output-dir" in result.stdout and result.stdout.splitlines()[-1] == "[]"
