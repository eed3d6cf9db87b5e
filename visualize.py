"""Draw what the data, the training and the network look like.

    python visualize.py                                  # five pictures into reports/
    python visualize.py --model models/mine.keras --data my_digits/ --output-dir pictures/
    python visualize.py --image 7 --show                 # look into test image 7, in windows

    samples.png            sample digits of each class, from the training data
    training_curves.png    error, loss and learning rate over the epochs, from the history beside the model
    predictions.png        test digits with the digit read and its confidence, wrong ones marked
    filters.png            the kernels of the first convolution
    feature_maps.png       what the first layers make of one test digit

The pictures are drawn by functions of figures.py, which a notebook can call with arrays of its own.
"""
import argparse
import csv
import math
import pathlib

import files
from files import UserError, printable
from model import MODEL_PATH

RANDOM_DIGITS, UNSURE_DIGITS = 30, 10  # of predictions.png


def main(argv=None):
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=MODEL_PATH,
                        help="the model to draw (default: models/mnist_cnn.keras)")
    parser.add_argument("--data", help="a .npz, a folder of IDX files or a folder with one sub-folder of images per "
                        "digit (default: MNIST)")
    parser.add_argument("--output-dir", type=pathlib.Path, default="reports",
                        help="where to write (default: %(default)s)")
    parser.add_argument("--image", type=int, default=0,
                        help="number of the test image for feature_maps.png, from 0 (default: %(default)s)")
    parser.add_argument("--show", action="store_true", help="open the pictures in windows, too")
    arguments = parser.parse_args(argv)
    if arguments.show:
        check_display()

    from data_loader import load_dataset
    from model import check_archive, load_model
    check_archive(arguments.model)
    history = read_history(arguments.model.with_suffix(".csv"))
    data = load_dataset(arguments.data)
    if not 0 <= arguments.image < len(data.x_test):
        raise UserError(f"there is no test image {arguments.image}; give an --image from 0 to {len(data.x_test) - 1}.")
    files.make_folder(arguments.output_dir)

    paths = []
    for name, figure in draw(load_model(arguments.model), data, history, arguments.image):
        paths.append(save(figure, arguments.output_dir / f"{name}.png"))
        print(f"wrote {printable(paths[-1])}", flush=True)
    if arguments.show:
        show(paths)
    return 0


def draw(model, data, history, image=0):
    """Yield (name, matplotlib Figure) of each picture.

    Args:
        model: keras.Model of (N, 28, 28, 1) pixels, 0 to 255, to (N, 10) probabilities.
        data: data_loader.Dataset.
        history: dict of lists, see `read_history`.
        image: index of the test image for the feature maps.
    """
    import numpy as np
    import figures
    from model import predict
    yield "samples", figures.sample_digits(data.x_train, data.y_train)
    yield "training_curves", figures.training_curves(history)

    probabilities = predict(model, data.x_test)
    chosen = choose_digits(probabilities)
    note = f"{RANDOM_DIGITS} drawn at random, then the {UNSURE_DIGITS} read with least confidence" \
        if len(chosen) == RANDOM_DIGITS + UNSURE_DIGITS else ""
    yield "predictions", figures.predictions(data.x_test[chosen], data.y_test[chosen], probabilities[chosen], note=note)

    layer = first_convolution(model)
    yield "filters", figures.filters(np.asarray(layer.kernel), f"the first convolution, {layer.name}")
    yield "feature_maps", figures.feature_maps(data.x_test[image], stage_outputs(model, data.x_test[image]),
                                               int(data.y_test[image]))


def choose_digits(probabilities, seed=0):
    """Return indices of RANDOM_DIGITS drawn at random and UNSURE_DIGITS of least confidence, the least sure last.

    Args:
        probabilities: (N, 10) float; with fewer than RANDOM_DIGITS + UNSURE_DIGITS images, all are returned.
    """
    import numpy as np
    by_confidence = np.argsort(-np.max(probabilities, axis=1), kind="stable")
    others, unsure = by_confidence[:-UNSURE_DIGITS], by_confidence[-UNSURE_DIGITS:]
    return np.concatenate([np.random.default_rng(seed).permutation(others)[:RANDOM_DIGITS], unsure])


def first_convolution(model):
    """Return the model's first Conv2D layer. Raises UserError when it has none."""
    from keras.layers import Conv2D
    for layer in model.layers:
        if isinstance(layer, Conv2D):
            return layer
    raise UserError("the model has no convolution to draw; give a model that train.py wrote.")


def stage_outputs(model, image, stages=4):
    """Return [(layer name, maps)] of the first stages: each convolution's output, and what it comes to for the next.

    Args:
        model: keras.Model.
        image: (28, 28) uint8.
        stages: how many at most.

    Returns:
        list of (str, (height, width, channels) float32).
    """
    import keras
    import numpy as np
    following = (keras.layers.Conv2D, keras.layers.Flatten, keras.layers.GlobalAveragePooling2D)
    first = model.layers.index(first_convolution(model))
    ends = [layer for layer, successor in zip(model.layers[first:], model.layers[first + 1:])
            if isinstance(layer, keras.layers.Conv2D) or isinstance(successor, following)][:stages]
    until = keras.Model(model.input, [layer.output for layer in ends])
    outputs = until(image[np.newaxis, ..., np.newaxis].astype(np.float32))
    return [(layer.name, np.asarray(output)[0]) for layer, output in zip(ends, outputs)]


def read_history(path):
    """Return a training history as a dict of lists of float: epoch, accuracy, loss, val_accuracy, val_loss, ...

    Raises:
        UserError: the file is missing, holds no epoch, or is not a history.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        history = {column: [float(row[column]) for row in rows] for column in rows[0]}
        if not all(math.isfinite(value) for values in history.values() for value in values):
            raise ValueError("a value is not a finite number")
        missing = {"epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"} - history.keys()
    except FileNotFoundError:
        raise UserError(f"there is no training history at {printable(path)}; train.py writes it beside the model: run "
                        "`python train.py`, or restore it.") from None
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {files.reason(error)}.") from error
    except (ValueError, TypeError, IndexError, csv.Error) as error:
        raise UserError(f"{printable(path)} is not a training history ({printable(files.reason(error))}); restore it "
                        "or train again.") from error
    if missing:
        raise UserError(f"{printable(path)} lacks {', '.join(sorted(missing))}; restore it or train again.")
    return history


def save(figure, path):
    """Write a matplotlib Figure to `path` as PNG, whole or not at all, and return the path. Raises UserError."""
    import figures
    with files.atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=figures.DPI)
    return path


def check_display():
    """Refuse --show before any work is done where no window can be opened. Raises UserError."""
    try:
        from matplotlib import pyplot
        windows = pyplot.figure().canvas.manager is not None and pyplot.get_backend().lower() != "agg"
        pyplot.close("all")
    except Exception as error:  # each window system has its own way to fail
        raise UserError(f"no window can be opened here ({files.reason(error)}); leave --show away and open the files "
                        "in --output-dir.") from error
    if not windows:
        raise UserError("no window can be opened here (no display, or no window system such as tkinter); leave --show "
                        "away and open the files in --output-dir.")


def show(paths):
    """Open a window for each PNG file in `paths` and wait until all are closed."""
    from matplotlib import pyplot
    for path in paths:
        pixels = pyplot.imread(path)
        window = pyplot.figure(path.stem, figsize=(pixels.shape[1] / 100, pixels.shape[0] / 100))
        window.add_axes((0, 0, 1, 1), frameon=False).imshow(pixels)
    pyplot.show()


if __name__ == "__main__":
    files.run(main)
