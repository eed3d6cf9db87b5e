"""digits/inference/scores.py: its numbers against Wilson's formula and hand-made cases."""

import math

import numpy as np
import pytest

import data_loader
from digits.inference import scores


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
    metrics = scores.measure(no_images(5), labels, confident([0, 1, 1, 1, 1], [0.9, 0.8, 0.7, 0.6, 0.95]))
    assert metrics["test_images"] == 5
    assert metrics["accuracy"] == 0.8
    assert metrics["macro_precision"] == pytest.approx((1 + 3 / 4) / 2)
    assert metrics["macro_recall"] == pytest.approx((1 / 2 + 1) / 2)
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 6 / 7) / 2)
    likelihoods = [0.9, 0.2 / 9, 0.7, 0.6, 0.95]
    assert metrics["loss"] == pytest.approx(-sum(map(math.log, likelihoods)) / 5)
    # Each in a bin of its own, 1/15 wide; 0.8 is wrong, the others are right.
    assert metrics["expected_calibration_error"] == pytest.approx((0.1 + 0.8 + 0.3 + 0.4 + 0.05) / 5)
    assert metrics["confusion_matrix"][0] == [1, 1] + [0] * 8 and metrics["confusion_matrix"][1] == [0, 3] + [0] * 8
    assert metrics["misclassified"] == [
        {"index": 1, "label": 0, "prediction": 1, "confidence": pytest.approx(0.8), "label_known_wrong": False}
    ]
    assert metrics["accuracy_without_label_errors"] is None


@pytest.mark.parametrize(
    "right, total, expected",
    [
        (9975, 10000, (0.996312, 0.998306)),  # Wilson 1927, computed by hand from the formula below
        (0, 10, (0.0, 0.277533)),
        (10, 10, (0.722467, 1.0)),
    ],
)
def test_interval_is_wilsons(right, total, expected):
    z, share = 1.959964, right / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    low, high = scores.interval(right, total)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-6)
    assert (low, high) == pytest.approx(expected, abs=1e-5)


def test_calibration_bins_cover_both_ends():
    bins = scores.calibration_bins(np.array([0.0, 1.0, 1 / 15, 0.5]), np.array([False, True, True, False]))
    assert [(round(group["lower"] * 15), group["images"]) for group in bins] == [(0, 2), (7, 1), (14, 1)]
    assert bins[0]["accuracy"] == 0.5 and bins[0]["confidence"] == pytest.approx(1 / 30)
    assert scores.expected_calibration_error(bins) == pytest.approx((2 * (0.5 - 1 / 30) + 0.5 + 0) / 4)


def test_honest_confidence_has_no_calibration_error():
    random = np.random.default_rng(0)
    confidences = random.uniform(0.1, 1, 200_000)
    bins = scores.calibration_bins(confidences, random.random(200_000) < confidences)
    assert scores.expected_calibration_error(bins) < 0.005
    bins = scores.calibration_bins(confidences, random.random(200_000) < confidences - 0.1)
    assert scores.expected_calibration_error(bins) == pytest.approx(0.1, abs=0.005)


def test_misclassified_are_sorted_by_confidence_and_marked():
    probabilities = confident([1, 9, 9, 9], [0.9, 0.5, 0.99, 0.7])
    wrong = scores.misclassified(np.array([1, 2, 3, 4]), probabilities, known_wrong=(3,))
    assert [(one["index"], one["label_known_wrong"]) for one in wrong] == [(2, False), (3, True), (1, False)]


def test_known_wrong_labels_are_those_of_mnist_only():
    data = data_loader.load_mnist()
    read = data.y_test.copy()
    chosen = list(scores.LABEL_ERRORS[:10])
    read[chosen] = (read[chosen] + 1) % 10  # read ten of the wrong labels otherwise, and one right label wrongly
    read[0] = (read[0] + 1) % 10
    metrics = scores.measure(data.x_test, data.y_test, confident(read, np.full(10000, 0.9)))
    assert metrics["accuracy"] == pytest.approx(1 - 11 / 10000)
    assert metrics["accuracy_without_label_errors"] == pytest.approx(1 - 1 / 9985)
    assert sum(wrong["label_known_wrong"] for wrong in metrics["misclassified"]) == 10
    assert len(scores.label_errors(data.x_test, data.y_test)) == 15
    assert scores.label_errors(data.x_test, read) == ()
    assert scores.label_errors(data.x_test[::-1], data.y_test) == ()


def test_doubtful_labels_are_those_whose_image_is_surely_another_digit():
    labels = np.arange(1000) % 10
    said = np.where(np.arange(1000) % 2, 0.99, 0.95)  # even digits are read with less confidence, on average
    probabilities = confident(labels, said)
    probabilities[[20, 35, 51]] = confident([7, 8, 9], [0.985, 0.97, 0.995])  # 0, 5 and 1 by their labels; 9 is as sure as usual
    probabilities[64] = confident([2], [0.6])[0]  # a 4 that looks a little like a 2
    assert scores.doubtful_labels(labels, probabilities).tolist() == [51, 35]


def test_shipped_doubtful_labels_are_those_of_mnist():
    data = data_loader.load_mnist()
    rows = np.loadtxt(data_loader.MNIST_FOLDER / "doubtful_labels.csv", delimiter=",", skiprows=1)
    images, labels, said, read, instead = rows.T
    assert np.array_equal(data.y_train[images.astype(int)], labels) and len(set(images)) == len(images)
    assert (read != labels).all() and (said < instead).all() and (np.diff(said) >= 0).all()


def test_absent_digit_does_not_lower_the_averages():
    labels = np.array([0, 1, 2] * 5, np.uint8)
    metrics = scores.measure(no_images(15), labels, confident(labels, np.full(15, 0.95)))
    assert metrics["macro_f1"] == metrics["macro_recall"] == metrics["macro_precision"] == 1
    assert np.shape(metrics["confusion_matrix"]) == (10, 10) and set(metrics["digits"]) == {"0", "1", "2"}
