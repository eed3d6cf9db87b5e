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

from __future__ import annotations

import io
import os
import pathlib
import re
import sys
import warnings
from typing import TYPE_CHECKING

import files
import shards
from command_line import Parser
from files import UserError, printable
from model import MODEL_PATH

if TYPE_CHECKING:
    import numpy as np

BATCH_SIZE = 500  # shards begin at whole batches: an answer's last bits can depend on the batch around it


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--model",
        type=pathlib.Path,
        default=MODEL_PATH,
        metavar="PATH",
        help="the model to score (default: models/mnist_cnn.keras)",
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="a .npz, a folder of IDX files or a folder with one "
        "sub-folder of images per digit; its test part is scored (default: MNIST)",
    )
    parser.add_argument(
        "--output-dir", type=pathlib.Path, default="reports", metavar="FOLDER", help="where to write (default: %(default)s)"
    )
    parser.add_argument(
        "--shard",
        type=shards.shard,
        metavar="I/N",
        help="print the answers for the I-th of N parts of the test "
        "images, one line each, and nothing else; the N outputs, one after the other, go to --answers",
    )
    parser.add_argument(
        "--answers",
        type=pathlib.Path,
        metavar="CSV",
        help="score these answers, of all shards in order, instead of running the model",
    )
    arguments = parser.parse_args(argv)
    if arguments.shard and arguments.answers:
        parser.error("--shard makes answers and --answers scores them; give one of them")

    from data_loader import load_dataset
    from model import check_archive, load_model, predict
    from network import mismatches
    from scores import measure

    check_archive(arguments.model)
    for warning in mismatches(arguments.model):
        print(f"evaluate.py: warning: {warning}", file=sys.stderr)
    data = load_dataset(arguments.data)
    model_sha256 = files.sha256(arguments.model)
    origin = f"model {model_sha256} data {data.checksum}"
    if arguments.shard:
        start, stop = arguments.shard.bounds(len(data.x_test), unit=BATCH_SIZE)
        if start < stop:
            probabilities = predict(load_model(arguments.model), data.x_test[start:stop], BATCH_SIZE)
            sys.stdout.write(answers_text(start, data.y_test[start:stop], probabilities, origin))
        return 0
    files.make_folder(arguments.output_dir)
    if arguments.answers:
        probabilities = read_answers(arguments.answers, data.y_test, origin)
    else:
        probabilities = predict(load_model(arguments.model), data.x_test, BATCH_SIZE)
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


def answers_text(first: int, labels: np.ndarray, probabilities: np.ndarray, origin: str) -> str:
    """Return answers as lines of CSV: number of the image, label, ten probabilities in as many digits as bring them back exactly.

    Args:
        first: number of the first image. origin: what made them, for a comment at the beginning.
    """
    lines = [f"{first + i},{label},{','.join(map(str, row))}\n" for i, (label, row) in enumerate(zip(labels, probabilities))]
    return f"# {origin}\n{''.join(lines)}"


def read_answers(path: str | os.PathLike, labels: np.ndarray, origin: str) -> np.ndarray:
    """Return the probabilities (N, 10) float32 in a file of `answers_text` for images with these labels.

    Raises:
        UserError: it cannot be read, holds other images' or another model's answers, too few, too many or in another order.
    """
    import numpy as np

    try:
        with open(path, encoding="ascii") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about an empty file, which is refused below
            text = file.read()
            rows = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read answers from {printable(path)} ({printable(files.reason(error)).rstrip('.')}); give what the shards of "
            "evaluate.py wrote."
        ) from error
    if set(re.findall("^# .*", text, re.MULTILINE)) - {f"# {origin}"}:
        raise UserError(f"{printable(path)} holds answers of another --model or --data; name those that its parts were made with.")
    numbered = rows.shape == (len(labels), 12) and (rows[:, 0] == np.arange(len(labels))).all() and (rows[:, 1] == labels).all()
    if not numbered or not (rows[:, 2:] >= 0).all() or not np.allclose(rows[:, 2:].sum(axis=1), 1, atol=1e-3):
        raise UserError(
            f"{printable(path)} does not hold the answers for these {len(labels)} images; put the outputs of all shards "
            "together in their order, of the same --data."
        )
    return rows[:, 2:].astype(np.float32)


def report(metrics: dict, labels: np.ndarray, probabilities: np.ndarray) -> str:
    """Return `metrics` as text for people: headline numbers, scikit-learn's report, confusion matrix."""
    import numpy as np
    from sklearn.metrics import classification_report

    low, high = metrics["accuracy_interval"]
    wrong, total = len(metrics["misclassified"]), metrics["test_images"]
    lines = [
        f"accuracy                    {metrics['accuracy']:.2%}  (95 % interval {low:.2%} to {high:.2%}; "
        f"{wrong:,} of {total:,} misread)"
    ]
    if metrics["accuracy_without_label_errors"] is not None:
        lines.append(f"  without 15 wrong labels   {metrics['accuracy_without_label_errors']:.2%}")
    lines += [
        f"loss (cross-entropy)        {metrics['loss']:.4f}",
        f"expected calibration error  {metrics['expected_calibration_error']:.2%}",
        "",
        classification_report(labels, np.argmax(probabilities, axis=1), digits=4, zero_division=0),
        "confusion matrix (row: label, column: prediction)",
    ]
    width = max(len(str(np.max(metrics["confusion_matrix"]))), 2) + 1
    lines.append("   " + "".join(f"{digit:>{width}}" for digit in range(10)))
    lines += [
        f"{digit:>3}" + "".join(f"{count or '.':>{width}}" for count in row)
        for digit, row in enumerate(metrics["confusion_matrix"])
    ]
    return "\n".join(lines)


def write_reports(folder: str | os.PathLike, images: np.ndarray, metrics: dict) -> list[pathlib.Path]:
    """Write metrics.json and the three pictures to `folder` and return their paths. Raises UserError."""
    import figures
    from figure_style import DPI

    folder = pathlib.Path(folder)
    pictures = {
        "confusion_matrix": figures.confusion_matrix(metrics["confusion_matrix"]),
        "misclassified": figures.misclassified_gallery(images, metrics["misclassified"]),
        "reliability": figures.reliability_diagram(metrics["calibration"], metrics["expected_calibration_error"]),
    }
    for name, figure in pictures.items():
        with files.atomic_write(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=DPI)
    files.write_json(folder / "metrics.json", metrics)
    return [folder / "metrics.json", *(folder / f"{name}.png" for name in pictures)]


if __name__ == "__main__":
    files.run(main)
