"""Score a trained model on test images that training never saw.

    python evaluate.py                                   # models/mnist_cnn.keras on MNIST's 10,000 test images
    python evaluate.py --model models/mine.keras --data my_digits/

Prints accuracy with its 95 % interval, loss, calibration error, precision, recall and F1 of each digit and
the confusion matrix, and writes to reports/ (or --output-dir):

    metrics.json           every number, for other programs
    confusion_matrix.png   which digits are taken for which
    misclassified.png      the digits that were misread, the most confident first
    reliability.png        whether the stated confidence can be believed

Fifteen of MNIST's test labels are known to be wrong (digits/inference/scores.py); the accuracy is given with and
without them.
"""

from __future__ import annotations

import pathlib
import sys
from typing import TYPE_CHECKING

from digits.inference.model_files import mismatch
from digits.support import command_line, files
from digits.support.command_line import Parser
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import percent, printable

if TYPE_CHECKING:
    import numpy as np


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = Parser(__doc__)
    add = parser.add_argument
    score = "the model to score (default: models/mnist_cnn.keras)"
    add("--model", type=command_line.path, default=DEFAULT_MODEL, metavar="PATH", help=score)
    help_data = "a .npz, a folder of IDX files or a folder with one sub-folder of images per digit; its test part is scored"
    add("--data", metavar="PATH", help=f"{help_data} (default: MNIST)")
    add("--output-dir", type=command_line.path, default="reports", metavar="FOLDER", help="where to write (default: %(default)s)")
    arguments = parser.parse_args(argv)

    # What is wrong with the command is said before TensorFlow is imported, which takes seconds.
    from data_loader import load_dataset
    from digits.inference.archive import check_archive

    check_archive(arguments.model)
    if warning := mismatch(arguments.model):
        print(f"evaluate.py: warning: {warning}", file=sys.stderr)
    data = load_dataset(arguments.data)
    model_sha256 = files.sha256(arguments.model)
    files.make_folder(arguments.output_dir)

    from digits.inference.keras_model import load_model, predict
    from digits.inference.scores import measure

    probabilities = predict(load_model(arguments.model), data.x_test)
    metrics = {
        "model": arguments.model.name,
        "model_sha256": model_sha256,
        "data": data.name,
        "data_sha256": data.checksum,
        **measure(data.x_test, data.y_test, probabilities),
    }
    print(report(metrics, data.y_test, probabilities), flush=True)
    for path in write_reports(arguments.output_dir, data.x_test, metrics):
        print(f"wrote {printable(path)}")
    return 0


def report(metrics: dict, labels: np.ndarray, probabilities: np.ndarray) -> str:
    """Return `metrics` as text for people: accuracy and loss, scikit-learn's report, confusion matrix."""
    from sklearn.metrics import classification_report

    low, high = (percent(bound, 2) for bound in metrics["accuracy_interval"])
    wrong, total, matrix = len(metrics["misclassified"]), metrics["test_images"], metrics["confusion_matrix"]
    lines = [
        f"accuracy                    {percent(metrics['accuracy'], 2)}  (95 % interval {low} to {high}; "
        f"{wrong:,} of {total:,} misread)"
    ]
    if metrics["accuracy_without_label_errors"] is not None:
        lines.append(f"  without 15 wrong labels   {percent(metrics['accuracy_without_label_errors'], 2)}")
    lines += [
        f"loss (cross-entropy)        {metrics['loss']:.4f}",
        f"expected calibration error  {percent(metrics['expected_calibration_error'], 2)}",
        "",
        classification_report(labels, probabilities.argmax(axis=1), digits=4, zero_division=0),
        "confusion matrix (row: label, column: prediction)",
    ]
    width = max(len(str(max(map(max, matrix)))), 2) + 1
    lines.append("   " + "".join(f"{digit:>{width}}" for digit in range(10)))
    lines += [f"{digit:>3}" + "".join(f"{count or '.':>{width}}" for count in row) for digit, row in enumerate(matrix)]
    return "\n".join(lines)


def write_reports(folder: pathlib.Path, images: np.ndarray, metrics: dict) -> list[pathlib.Path]:
    """Write metrics.json and the three figures to `folder` and return their paths. Raises UserError."""
    from digits.figures import results
    from digits.figures.style import save

    figures = {
        "confusion_matrix.png": results.confusion_matrix(metrics["confusion_matrix"]),
        "misclassified.png": results.misclassified_gallery(images, metrics["misclassified"]),
        "reliability.png": results.reliability_diagram(metrics["calibration"], metrics["expected_calibration_error"]),
    }
    files.write_json(folder / "metrics.json", metrics)
    for name, figure in figures.items():
        save(figure, folder / name)
    return [folder / name for name in ("metrics.json", *figures)]


if __name__ == "__main__":
    command_line.run(main)
