"""Draw what the data, the training, the network and the reading of a photo look like.

    python visualize.py                                  # everything, into reports/
    python visualize.py saliency embedding               # these two
    python visualize.py reading --photo my_photo.jpg     # how a photo of yours is read
    python visualize.py --model models/mine.keras --data my_digits/ --output-dir pictures/
    python visualize.py feature_maps --image 7 --show    # look into test image 7, in a window

    samples             sample digits of each class, from the training data
    augmentation        digits before and after the changes that training makes to them
    training_curves     error, loss and learning rate over the epochs, from the history beside the model
    predictions         test digits with the digit read and its confidence, wrong ones marked
    confusion_matrix    which digits are taken for which, counts and shares
    reliability         whether the stated confidence can be believed
    mistakes            the misread digits that the network was surest of, with all ten probabilities
    architecture        the network as blocks: the shapes a picture takes, what leads there, the parameters
    filters             the kernels of the first convolution
    feature_maps        what the first layers make of one test digit
    saliency            what in the least sure digits speaks for the answer, and what against the next likely one
    embedding           test digits in the plane, near each other where the network finds them alike
    reading             the stages of reading a photo

Each becomes NAME.png. Without names, what lacks its files is left out, and a sentence says why. Exit status: 0 all
drawn, 1 some were left out, 2 nothing was drawn, or wrong usage. figures*.py draw; a notebook can call them.
"""

from __future__ import annotations

import functools
import os
import pathlib
import sys
from typing import TYPE_CHECKING

from digits.support import command_line, files, messages
from digits.support.command_line import Parser
from digits.support.constants import DEFAULT_MODEL, EXAMPLE_PHOTO
from digits.support.messages import UserError, printable

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure

    from data_loader import Dataset

RANDOM_DIGITS, UNSURE_DIGITS = 30, 10  # of predictions.png
EXPLAINED_DIGITS, EMBEDDED_DIGITS = 6, 2000  # of saliency.png and embedding.png; t-SNE would take minutes for all
AUGMENTED_DIGITS, VARIANTS = 6, 9  # of augmentation.png


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = Parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to draw, of the list above (default: everything)")
    parser.add_argument("--model", type=pathlib.Path, metavar="PATH", help="the model to draw (default: models/mnist_cnn.keras)")
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="a .npz, a folder of IDX files or a folder with one sub-folder of images per digit (default: MNIST)",
    )
    parser.add_argument(
        "--photo", metavar="PATH", help="the picture of which to draw the reading (default: images/examples/two_lines.jpg)"
    )
    parser.add_argument(
        "--output-dir", type=pathlib.Path, default="reports", metavar="FOLDER", help="where to write (default: %(default)s)"
    )
    parser.add_argument("--image", type=int, metavar="N", help="number of the test image for feature_maps.png, from 0 (default: 0)")
    parser.add_argument("--show", action="store_true", help="open the pictures in windows, too")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in FIGURES]
    if unknown:
        parser.error(f"there is no picture named {printable(unknown[0])}; choose from {', '.join(FIGURES)}")
    if arguments.show:
        check_display()
    material = Material(arguments.model or DEFAULT_MODEL, arguments.data, arguments.photo or EXAMPLE_PHOTO, arguments.image or 0)
    left_out = {}
    for name in arguments.names or FIGURES:
        for need in FIGURES[name][1]:
            try:
                getattr(material, need)
            except UserError as error:
                # What is asked for by name, of a figure or of a file, is not left out in silence.
                if arguments.names or getattr(arguments, need, None) is not None:
                    raise
                left_out[name] = str(error)
    files.make_folder(arguments.output_dir)

    paths = []
    for name in dict.fromkeys(arguments.names or FIGURES):
        if name not in left_out:
            paths.append(save(FIGURES[name][0](material), arguments.output_dir / f"{name}.png"))
            print(f"wrote {printable(paths[-1])}", flush=True)
    for name, reason in left_out.items():
        print(f"visualize.py: left out {name}: {reason}", file=sys.stderr)
    if arguments.show:
        show(paths)
    return 2 if not paths else 1 if left_out else 0


class Material:
    """The data, the model, what it answers, its history and a photo.

    Args:
        model_path: a `.keras` file.
        data_path: see `data_loader.load_dataset`.
        photo_path: path of a picture.
        index: of the test image to look into.

    Attributes (asking for one raises UserError where its file is missing or damaged):
        data: data_loader.Dataset. model: keras.Model. history: dict of lists, see `model_files.read_history`.
        photo: (H, W, 3) uint8. image: ((28, 28) uint8, its label), the test image to look into.
        probabilities: (N, 10) for the test images. measures: of them, see `scores.measure`.
    """

    def __init__(
        self,
        model_path: str | os.PathLike = DEFAULT_MODEL,
        data_path: str | os.PathLike | None = None,
        photo_path: str | os.PathLike = EXAMPLE_PHOTO,
        index: int = 0,
    ) -> None:
        self.model_path, self.data_path, self.photo_path, self.index = pathlib.Path(model_path), data_path, photo_path, index

    @functools.cached_property
    def data(self) -> Dataset:
        from data_loader import load_dataset

        return load_dataset(self.data_path)

    @functools.cached_property
    def image(self) -> tuple[np.ndarray, int]:
        if not 0 <= self.index < len(self.data.x_test):
            raise UserError(f"there is no test image {self.index}; give an --image from 0 to {len(self.data.x_test) - 1}.")
        return self.data.x_test[self.index], int(self.data.y_test[self.index])

    @functools.cached_property
    def model(self) -> keras.Model:
        from digits.inference.keras_model import load_model

        return load_model(self.model_path)

    @functools.cached_property
    def history(self) -> dict[str, list[float]]:
        from digits.inference.model_files import read_history

        return read_history(self.model_path)

    @functools.cached_property
    def photo(self) -> np.ndarray:
        from digits.reading.image_loader import load_image

        return load_image(self.photo_path)

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        from digits.inference.keras_model import predict

        return predict(self.model, self.data.x_test)

    @functools.cached_property
    def measures(self) -> dict:
        from digits.inference.scores import measure

        return measure(self.data.x_test, self.data.y_test, self.probabilities)


def draw_samples(material: Material) -> Figure:
    from digits.figures import dataset

    return dataset.sample_digits(material.data.x_train, material.data.y_train)


def draw_augmentation(material: Material) -> Figure:
    import numpy as np

    from digits.figures import dataset
    from digits.training.augmentation import augment

    images = material.data.x_train[:AUGMENTED_DIGITS]
    copies = np.repeat(images, VARIANTS, axis=0)[..., None].astype(np.float32)
    return dataset.augmentation(images, np.asarray(augment(copies, (0, 0))).reshape(len(images), VARIANTS, 28, 28))


def draw_training_curves(material: Material) -> Figure:
    from digits.figures import results

    return results.training_curves(material.history)


def draw_predictions(material: Material) -> Figure:
    from digits.figures import results
    from digits.inference.explanations import choose_digits

    chosen, data = choose_digits(material.probabilities, RANDOM_DIGITS, UNSURE_DIGITS), material.data
    note = (
        f"{RANDOM_DIGITS} drawn at random, then the {UNSURE_DIGITS} read with least confidence"
        if len(chosen) == RANDOM_DIGITS + UNSURE_DIGITS
        else ""
    )
    return results.predictions(data.x_test[chosen], data.y_test[chosen], material.probabilities[chosen], note=note)


def draw_confusion_matrix(material: Material) -> Figure:
    from digits.figures import results

    return results.confusion_matrix(material.measures["confusion_matrix"])


def draw_reliability(material: Material) -> Figure:
    from digits.figures import results

    return results.reliability_diagram(material.measures["calibration"], material.measures["expected_calibration_error"])


def draw_mistakes(material: Material) -> Figure:
    from digits.figures import results

    return results.hardest_mistakes(material.data.x_test, material.measures["misclassified"], material.probabilities)


def draw_architecture(material: Material) -> Figure:
    from digits.figures import network
    from digits.inference import explanations

    return network.architecture(explanations.stages(material.model))


def draw_filters(material: Material) -> Figure:
    import numpy as np

    from digits.figures import network
    from digits.inference import explanations

    layer = explanations.first_convolution(material.model)
    return network.filters(np.asarray(layer.kernel), f"the first convolution, {layer.name}")


def draw_feature_maps(material: Material) -> Figure:
    from digits.figures import network
    from digits.inference import explanations

    image, label = material.image
    return network.feature_maps(image, explanations.stage_outputs(material.model, image), label)


def draw_saliency(material: Material) -> Figure:
    from digits.figures import network
    from digits.inference import explanations

    chosen = explanations.choose_digits(material.probabilities, 0, EXPLAINED_DIGITS)
    images, labels = material.data.x_test[chosen], material.data.y_test[chosen]
    return network.saliency(images, *explanations.saliency(material.model, images), labels)


def draw_embedding(material: Material) -> Figure:
    from digits.figures import dataset
    from digits.inference import explanations

    images, labels = material.data.x_test[:EMBEDDED_DIGITS], material.data.y_test[:EMBEDDED_DIGITS]
    misread = material.probabilities[:EMBEDDED_DIGITS].argmax(axis=1) != labels
    return dataset.embedding(
        explanations.embed(explanations.last_features(material.model, images)),
        labels,
        "Digits that the network finds alike lie together",
        f"the first {len(labels):,} test digits, placed by t-SNE of the last layer's input; ringed: misread",
        misread,
    )


def draw_reading(material: Material) -> Figure:
    from digits.figures import dataset
    from digits.inference.network import load_network
    from digits.reading import trace

    steps = trace.follow(material.photo, load_network(material.model_path))
    return dataset.reading_stages(steps, printable(pathlib.Path(material.photo_path).name))


FIGURES = {  # name: how to draw it, and what it needs
    "samples": (draw_samples, ["data"]),
    "augmentation": (draw_augmentation, ["data"]),
    "training_curves": (draw_training_curves, ["history"]),
    "predictions": (draw_predictions, ["model", "data"]),
    "confusion_matrix": (draw_confusion_matrix, ["model", "data"]),
    "reliability": (draw_reliability, ["model", "data"]),
    "mistakes": (draw_mistakes, ["model", "data"]),
    "architecture": (draw_architecture, ["model"]),
    "filters": (draw_filters, ["model"]),
    "feature_maps": (draw_feature_maps, ["model", "data", "image"]),
    "saliency": (draw_saliency, ["model", "data"]),
    "embedding": (draw_embedding, ["model", "data"]),
    "reading": (draw_reading, ["model", "photo"]),
}


def save(figure: Figure, path: pathlib.Path) -> pathlib.Path:
    """Write a matplotlib Figure to `path` as PNG, whole or not at all, and return the path. Raises UserError."""
    from digits.figures.style import DPI

    with files.atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=DPI)
    return path


def check_display() -> None:
    """Refuse --show before any work is done where no window can be opened. Raises UserError."""
    try:
        from matplotlib import pyplot

        windows = pyplot.figure().canvas.manager is not None and pyplot.get_backend().lower() != "agg"
        pyplot.close("all")
    except Exception as error:  # each window system has its own way to fail
        raise UserError(
            f"no window can be opened here ({messages.reason(error)}); leave --show away and open the files in --output-dir."
        ) from error
    if not windows:
        raise UserError(
            "no window can be opened here (no display, or no window system such as tkinter); leave --show "
            "away and open the files in --output-dir."
        )


def show(paths: list[pathlib.Path]) -> None:
    """Open a window for each PNG file in `paths` and wait until all are closed."""
    from matplotlib import pyplot

    for path in paths:
        pixels = pyplot.imread(path)
        window = pyplot.figure(path.stem, figsize=(pixels.shape[1] / 100, pixels.shape[0] / 100))
        window.add_axes((0, 0, 1, 1), frameon=False).imshow(pixels)
    pyplot.show()


if __name__ == "__main__":
    command_line.run(main)
