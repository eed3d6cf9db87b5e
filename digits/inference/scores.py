"""How good a network's answers are: accuracy, calibration, confusions, mistakes. Numbers only, no files or figures.

    metrics = measure(data.x_test, data.y_test, probabilities)     # everything, ready for JSON
    metrics["accuracy"], metrics["accuracy_interval"]              # 0.9969, [0.9956, 0.9978]
    metrics["misclassified"][0]                                    # the mistake it was most confident of

evaluate.py prints and draws these; notebooks and visualize.py draw some of them.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import classification_report, confusion_matrix, log_loss

CALIBRATION_BINS = 15  # as in Guo et al. 2017

# MNIST's test images whose label five reviewers each found wrong: C. G. Northcutt, A. Athalye, J. Mueller, "Pervasive
# Label Errors in Test Sets" (arXiv 2103.14749), file mturk/mnist_mturk.json of cleanlab/label-errors.
LABEL_ERRORS = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
MNIST_TEST_SHA256 = "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b"  # x_test's bytes, then y_test's


def measure(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray) -> dict:
    """Return every score of some predictions as a dict that JSON can hold.

    Args:
        images: (N, 28, 28) uint8; they only tell whether this is MNIST's test set, whose wrong labels are known.
        labels: (N,) integers 0 to 9.
        probabilities: (N, 10), each row adding up to 1.

    Returns:
        dict with accuracy, accuracy_interval (95 %, Wilson), accuracy_without_label_errors (None unless the
        images are MNIST's test set), loss (mean cross-entropy in nats), macro_precision, macro_recall,
        macro_f1, expected_calibration_error, test_images, digits (precision, recall, f1 and support of each),
        confusion_matrix (row = label, column = prediction), calibration (see `calibration_bins`) and
        misclassified (see `misclassified`).
    """
    labels, read = np.asarray(labels), np.argmax(probabilities, axis=1)
    right = read == labels
    known_wrong = label_errors(images, labels)
    report = classification_report(labels, read, output_dict=True, zero_division=0)
    bins = calibration_bins(np.max(probabilities, axis=1), right)
    return {
        "test_images": len(labels),
        "accuracy": float(np.mean(right)),
        "accuracy_interval": interval(int(np.sum(right)), len(right)),
        "accuracy_without_label_errors": float(np.mean(np.delete(right, known_wrong))) if known_wrong else None,
        "loss": float(log_loss(labels, probabilities, labels=range(10))),
        "macro_precision": report["macro avg"]["precision"],
        "macro_recall": report["macro avg"]["recall"],
        "macro_f1": report["macro avg"]["f1-score"],
        "expected_calibration_error": expected_calibration_error(bins),
        "digits": {name: values for name, values in report.items() if name.isdigit()},
        "confusion_matrix": confusion_matrix(labels, read, labels=range(10)).tolist(),
        "calibration": bins,
        "misclassified": misclassified(labels, probabilities, known_wrong),
    }


def interval(successes: int, trials: int) -> list[float]:
    """Return [low, high], the 95 % Wilson score interval of a proportion (E. B. Wilson, JASA 22, 1927)."""
    bounds = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    return [float(bounds.low), float(bounds.high)]


def label_errors(images: np.ndarray, labels: np.ndarray) -> tuple[int, ...]:
    """Return the indices of labels known to be wrong: LABEL_ERRORS for MNIST's test set, else ()."""
    checksum = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return LABEL_ERRORS if checksum == MNIST_TEST_SHA256 else ()


def doubtful_labels(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Find the labels that are probably wrong, by what a network says that has not learned from these images.

    A label is doubtful where another digit gets at least as much as it gets, on average, from the images labelled with it
    ("confident learning": C. G. Northcutt, L. Jiang, I. L. Chuang, JAIR 70, 2021, section 3.1, the confident joint).

    Args:
        labels: (N,) integers 0 to 9, each digit at least once.
        probabilities: (N, 10), each row adding up to 1.

    Returns:
        (M,) indices, first that whose label is least probable.
    """
    read = probabilities.argmax(axis=1)
    usual = np.array([probabilities[labels == digit, digit].mean() for digit in range(10)])
    doubtful = np.flatnonzero((read != labels) & (probabilities.max(axis=1) >= usual[read]))
    return doubtful[np.argsort(probabilities[doubtful, labels[doubtful]], kind="stable")]


def calibration_bins(confidences: np.ndarray, right: np.ndarray, bins: int = CALIBRATION_BINS) -> list[dict]:
    """Group predictions by stated confidence and compare it with how often they are right.

    Args:
        confidences: (N,) in [0, 1], the probability of each predicted digit.
        right: (N,) bool, whether the prediction is the label.
        bins: number of equally wide bins (lower, upper] over [0, 1].

    Returns:
        list of dicts with lower, upper, images, confidence (mean), accuracy and accuracy_interval (95 %), one
        for each bin that holds images.
    """
    edges = np.linspace(0, 1, bins + 1)
    members = np.clip(np.digitize(confidences, edges, right=True) - 1, 0, bins - 1)
    groups = []
    for number in np.unique(members):
        inside = members == number
        groups.append(
            {
                "lower": float(edges[number]),
                "upper": float(edges[number + 1]),
                "images": int(inside.sum()),
                "confidence": float(np.mean(confidences[inside], dtype=float)),
                "accuracy": float(np.mean(right[inside])),
                "accuracy_interval": interval(int(np.sum(right[inside])), int(inside.sum())),
            }
        )
    return groups


def expected_calibration_error(bins: list[dict]) -> float:
    """Return the mean distance of confidence and accuracy over `calibration_bins`, weighted by their images.

    Equation 3 of C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017 (arXiv 1706.04599). scikit-learn has the bins for two classes only (`calibration_curve`).
    """
    distance = sum(group["images"] * abs(group["accuracy"] - group["confidence"]) for group in bins)
    return distance / sum(group["images"] for group in bins)


def misclassified(labels: np.ndarray, probabilities: np.ndarray, known_wrong: Sequence[int] = ()) -> list[dict]:
    """Return the predictions that differ from their label, the most confident first.

    Args:
        labels: (N,) integers.
        probabilities: (N, 10).
        known_wrong: indices of labels known to be wrong.

    Returns:
        list of dicts with index, label, prediction, confidence and label_known_wrong.
    """
    read, confidence = np.argmax(probabilities, axis=1), np.max(probabilities, axis=1)
    wrong = np.flatnonzero(read != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return [
        {
            "index": int(i),
            "label": int(labels[i]),
            "prediction": int(read[i]),
            "confidence": float(confidence[i]),
            "label_known_wrong": int(i) in known_wrong,
        }
        for i in wrong
    ]
