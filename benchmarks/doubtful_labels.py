"""Find the training labels that are probably wrong, by networks that have not seen their images.

    python benchmarks/doubtful_labels.py                                       # about ten minutes on two cores
    python benchmarks/doubtful_labels.py --table data/doubtful_labels.csv      # the list that notebook 1 shows

Five networks learn from four fifths of MNIST's 60,000 training images each and read the other fifth. Which labels are
doubtful then is told by `scores.doubtful_labels`. The test images are never looked at. What each network says is kept in a
folder of reports/doubtful_labels/ that is named after the code: run it again after an interruption, and it goes on.
"""

import csv
import io
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import tables
from digits.support import command_line
from digits.support.command_line import Parser
from train import PRESETS

FOLDS, EPOCHS, BATCH_SIZE = 5, 8, 128


def probabilities_of(fold, data):
    """Train on the images that are not in `fold` (indices). Returns what the network says of the others, (N, 10) float32."""
    from digits.inference.calibration import calibrate
    from digits.inference.keras_model import predict, start_tensorflow
    from model import build_model

    start_tensorflow()
    import keras
    import numpy as np

    from digits.training import recipe

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    training = np.setdiff1d(np.arange(len(data.y_train)), fold)
    mnist = PRESETS["mnist"]
    batches = recipe.Batches(data.x_train[training], data.y_train[training], BATCH_SIZE, seed=0)
    model = build_model()
    model.compile(recipe.optimizer(mnist["learning_rate"], EPOCHS * batches.steps), "categorical_crossentropy")
    model.fit(batches.dataset(EPOCHS), steps_per_epoch=batches.steps, epochs=EPOCHS, shuffle=False, verbose=0)
    calibrate(model, data.x_train[fold], data.y_train[fold])
    return predict(model, data.x_train[fold])


def table(labels, probabilities, doubtful):
    """Return the list as CSV: the number of each image among the training images, its label, and what is read instead."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["image", "label", "label_probability", "answer", "answer_probability"])
    for image in doubtful:
        label, answer = int(labels[image]), int(probabilities[image].argmax())
        rows.writerow([image, label, f"{probabilities[image, label]:.4f}", answer, f"{probabilities[image, answer]:.4f}"])
    return text.getvalue()


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("--folder", type=pathlib.Path, default=tables.cache("doubtful_labels"), help="(default: %(default)s)")
    tables.add_option(parser)
    arguments = parser.parse_args(argv)
    import numpy as np
    from sklearn.model_selection import StratifiedKFold

    from data_loader import load_mnist
    from digits.inference.scores import doubtful_labels

    data = load_mnist()
    probabilities = np.zeros((len(data.y_train), 10), np.float32)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(data.y_train, data.y_train)
    for number, (_, fold) in enumerate(folds, 1):
        file = arguments.folder / f"fold_{number}.npy"
        if not file.exists():
            np.save(file, probabilities_of(fold, data))
            print(f"fold {number} of {FOLDS} is read", flush=True)
        probabilities[fold] = np.load(file)
    print(f"{100 * np.mean(probabilities.argmax(axis=1) == data.y_train):.2f} % of the labels are what is read")
    tables.publish(table(data.y_train, probabilities, doubtful_labels(data.y_train, probabilities)), arguments.table)
    return 0


if __name__ == "__main__":
    command_line.run(main)
