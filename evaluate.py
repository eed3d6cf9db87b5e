"""Score a trained model on test images that training never saw.

    python evaluate.py                                   # models/mnist_cnn.keras on MNIST's 10,000 test images
    python evaluate.py --model models/mine.keras --data my_digits/
    python evaluate.py --shard 2/4 > part2.csv           # only the answers for a quarter of the images: docs/scaling.md
    python evaluate.py --answers all.csv                 # score the answers of all parts, put together

Prints accuracy with its 95 % interval, loss, calibration error, precision, recall and F1 of each digit and
the confusion matrix, and writes to reports/ (or --output-dir):

    metrics.json           every number, as a record for other programs
    confusion_matrix.png   which digits are taken for which
    misclassified.png      the digits that were misread, the most confident first
    reliability.png        whether the stated confidence can be believed

Fifteen of MNIST's test labels are known to be wrong (`data_loader.LABEL_ERRORS`); accuracy is given with and
without them.
"""
import argparse
import hashlib
import pathlib
import sys
import warnings

import files
import shards
from files import UserError, printable
from model import MODEL_PATH

BATCH_SIZE = 500  # shards begin at whole batches: an answer's last bits can depend on the batch around it
CALIBRATION_BINS = 15  # as in Guo et al. 2017
MNIST_TEST_SHA256 = "c3f9adf9c66efb572b1f9326c3a511b45910c7173b97be66ceceeeeaef6b802b"  # x_test's bytes, then y_test's


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL_PATH, metavar="PATH",
                        help="the model to score (default: models/mnist_cnn.keras)")
    parser.add_argument("--data", metavar="PATH", help="a .npz, a folder of IDX files or a folder with one "
                        "sub-folder of images per digit; its test part is scored (default: MNIST)")
    parser.add_argument("--output-dir", type=pathlib.Path, default="reports", metavar="FOLDER",
                        help="where to write (default: %(default)s)")
    parser.add_argument("--shard", type=shards.shard, metavar="I/N", help="print the answers for the I-th of N parts of the test "
                        "images, one line each, and nothing else; the N outputs, one after the other, go to --answers")
    parser.add_argument("--answers", type=pathlib.Path, metavar="CSV", help="score these answers, of all shards in order, "
                        "instead of running the model")
    arguments = parser.parse_args(argv)
    if arguments.shard and arguments.answers:
        parser.error("--shard makes answers and --answers scores them; give one of them")

    from data_loader import load_dataset
    from model import check_archive, load_model, predict
    from network import mismatches
    check_archive(arguments.model)
    for warning in mismatches(arguments.model):
        print(f"evaluate.py: warning: {warning}", file=sys.stderr)
    data = load_dataset(arguments.data)
    if arguments.shard:
        start, stop = arguments.shard.bounds(len(data.x_test), unit=BATCH_SIZE)
        if start < stop:
            sys.stdout.write(answers_text(data.y_test[start:stop], predict(load_model(arguments.model), data.x_test[start:stop],
                                                                           BATCH_SIZE)))
        return 0
    files.make_folder(arguments.output_dir)
    probabilities = (read_answers(arguments.answers, data.y_test) if arguments.answers else
                     predict(load_model(arguments.model), data.x_test, BATCH_SIZE))
    metrics = {"model": arguments.model.name, "model_sha256": files.sha256(arguments.model), "data": data.name,
               "data_sha256": data.checksum, **measure(data.x_test, data.y_test, probabilities)}
    print(report(metrics, data.y_test, probabilities), flush=True)
    for path in write_reports(arguments.output_dir, data.x_test, metrics):
        print(f"wrote {printable(path)}")
    return 0


def answers_text(labels, probabilities):
    """Return answers as lines of CSV: the label and ten probabilities, each in as many digits as bring it back exactly."""
    return "".join(f"{label},{','.join(map(str, row))}\n" for label, row in zip(labels, probabilities))


def read_answers(path, labels):
    """Return the probabilities (N, 10) float32 in a file of `answers_text` for images with these labels.

    Raises:
        UserError: it cannot be read, or holds other images' answers, too few or too many.
    """
    import numpy as np
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about an empty file, which is refused below
            rows = np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read answers from {printable(path)}: {printable(files.reason(error))}; give what the shards of "
                        "evaluate.py wrote.") from error
    if rows.shape != (len(labels), 11) or not np.array_equal(rows[:, 0], labels) or not np.isfinite(rows).all():
        raise UserError(f"{printable(path)} does not hold the answers for these {len(labels)} images; put the outputs of all shards "
                        "together in their order, of the same --data.")
    return rows[:, 1:]


def measure(images, labels, probabilities):
    """Return everything that is known about predictions, as a JSON-ready dict.

    Args:
        images: (N, 28, 28) uint8; only to recognise MNIST's test set, whose wrong labels are known.
        labels: (N,) integers 0 to 9.
        probabilities: (N, 10), each row adding up to 1.

    Returns:
        dict with accuracy, accuracy_interval (95 %, Wilson), accuracy_without_label_errors (None unless the
        images are MNIST's test set), loss (mean cross-entropy in nats), macro_precision, macro_recall,
        macro_f1, expected_calibration_error, test_images, digits (precision, recall, f1 and support of each),
        confusion_matrix (row = label, column = prediction), calibration (see `calibration_bins`) and
        misclassified (see `misclassified`).
    """
    import numpy as np
    from sklearn import metrics
    labels, read = np.asarray(labels), np.argmax(probabilities, axis=1)
    right = read == labels
    known_wrong = label_errors(images, labels)
    report = metrics.classification_report(labels, read, output_dict=True, zero_division=0)
    bins = calibration_bins(np.max(probabilities, axis=1), right)
    return {
        "test_images": len(labels),
        "accuracy": float(np.mean(right)),
        "accuracy_interval": interval(int(np.sum(right)), len(right)),
        "accuracy_without_label_errors": float(np.mean(np.delete(right, known_wrong))) if known_wrong else None,
        "loss": float(metrics.log_loss(labels, probabilities, labels=range(10))),
        "macro_precision": report["macro avg"]["precision"],
        "macro_recall": report["macro avg"]["recall"],
        "macro_f1": report["macro avg"]["f1-score"],
        "expected_calibration_error": expected_calibration_error(bins),
        "digits": {name: values for name, values in report.items() if name.isdigit()},
        "confusion_matrix": metrics.confusion_matrix(labels, read, labels=range(10)).tolist(),
        "calibration": bins,
        "misclassified": misclassified(labels, probabilities, known_wrong),
    }


def interval(successes, trials):
    """Return [low, high], the 95 % Wilson score interval of a proportion (E. B. Wilson, JASA 22, 1927)."""
    from scipy.stats import binomtest
    bounds = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    return [float(bounds.low), float(bounds.high)]


def label_errors(images, labels):
    """Return the indices of labels known to be wrong: `data_loader.LABEL_ERRORS` for MNIST's test set, else ()."""
    from data_loader import LABEL_ERRORS
    checksum = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return LABEL_ERRORS if checksum == MNIST_TEST_SHA256 else ()


def calibration_bins(confidences, right, bins=CALIBRATION_BINS):
    """Group predictions by stated confidence and compare it with how often they are right.

    Args:
        confidences: (N,) in [0, 1], the probability of each predicted digit.
        right: (N,) bool, whether the prediction is the label.
        bins: number of equally wide bins (lower, upper] over [0, 1].

    Returns:
        list of dicts with lower, upper, images, confidence (mean), accuracy and accuracy_interval (95 %), one
        for each bin that holds images.
    """
    import numpy as np
    edges = np.linspace(0, 1, bins + 1)
    members = np.clip(np.digitize(confidences, edges, right=True) - 1, 0, bins - 1)
    groups = []
    for number in np.unique(members):
        inside = members == number
        groups.append({"lower": float(edges[number]), "upper": float(edges[number + 1]), "images": int(inside.sum()),
                       "confidence": float(np.mean(confidences[inside], dtype=float)),
                       "accuracy": float(np.mean(right[inside])),
                       "accuracy_interval": interval(int(np.sum(right[inside])), int(inside.sum()))})
    return groups


def expected_calibration_error(bins):
    """Return the mean distance of confidence and accuracy over `calibration_bins`, weighted by their images.

    Equation 3 of C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks", ICML
    2017 (arXiv 1706.04599). scikit-learn has the bins for two classes only (`calibration_curve`).
    """
    distance = sum(group["images"] * abs(group["accuracy"] - group["confidence"]) for group in bins)
    return distance / sum(group["images"] for group in bins)


def misclassified(labels, probabilities, known_wrong=()):
    """Return the predictions that differ from their label, the most confident first.

    Args:
        labels: (N,) integers.
        probabilities: (N, 10).
        known_wrong: indices of labels known to be wrong.

    Returns:
        list of dicts with index, label, prediction, confidence and label_known_wrong.
    """
    import numpy as np
    read, confidence = np.argmax(probabilities, axis=1), np.max(probabilities, axis=1)
    wrong = np.flatnonzero(read != labels)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    return [{"index": int(i), "label": int(labels[i]), "prediction": int(read[i]), "confidence": float(confidence[i]),
             "label_known_wrong": int(i) in known_wrong} for i in wrong]


def report(metrics, labels, probabilities):
    """Return `metrics` as text for people: headline numbers, scikit-learn's report, confusion matrix."""
    import numpy as np
    from sklearn.metrics import classification_report
    low, high = metrics["accuracy_interval"]
    wrong, total = len(metrics["misclassified"]), metrics["test_images"]
    lines = [f"accuracy                    {metrics['accuracy']:.2%}  (95 % interval {low:.2%} to {high:.2%}; "
             f"{wrong:,} of {total:,} misread)"]
    if metrics["accuracy_without_label_errors"] is not None:
        lines.append(f"  without 15 wrong labels   {metrics['accuracy_without_label_errors']:.2%}")
    lines += [f"loss (cross-entropy)        {metrics['loss']:.4f}",
              f"expected calibration error  {metrics['expected_calibration_error']:.2%}", "",
              classification_report(labels, np.argmax(probabilities, axis=1), digits=4, zero_division=0),
              "confusion matrix (row: label, column: prediction)"]
    width = max(len(str(np.max(metrics["confusion_matrix"]))), 2) + 1
    lines.append("   " + "".join(f"{digit:>{width}}" for digit in range(10)))
    lines += [f"{digit:>3}" + "".join(f"{count or '.':>{width}}" for count in row)
              for digit, row in enumerate(metrics["confusion_matrix"])]
    return "\n".join(lines)


def write_reports(folder, images, metrics):
    """Write metrics.json and the three pictures to `folder` and return their paths. Raises UserError."""
    import figures
    folder = pathlib.Path(folder)
    pictures = {
        "confusion_matrix": figures.confusion_matrix(metrics["confusion_matrix"]),
        "misclassified": figures.misclassified_gallery(images, metrics["misclassified"]),
        "reliability": figures.reliability_diagram(metrics["calibration"], metrics["expected_calibration_error"]),
    }
    for name, figure in pictures.items():
        with files.atomic_write(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=figures.DPI)
    files.write_json(folder / "metrics.json", metrics)
    return [folder / "metrics.json", *(folder / f"{name}.png" for name in pictures)]


if __name__ == "__main__":
    files.run(main)
