"""Draw the data, the training, the network and how a photo is read.

    python visualize.py                                  # every figure, into reports/
    python visualize.py saliency embedding               # these two
    python visualize.py reading --photo my_photo.jpg     # how a photo of yours is read
    python visualize.py --model models/mine.keras --data my_digits/ --output-dir figures/
    python visualize.py feature_maps --image 7 --show    # look into test image 7, in a window

    samples             sample digits of each class, from the training data
    augmentation        digits before and after the changes that training makes to them
    training_curves     error, loss and learning rate over the epochs, from the model's record
    predictions         test digits with the digit read and its confidence, wrong ones marked
    confusion_matrix    which digits are taken for which, counts and shares
    reliability         whether the stated confidence can be believed
    mistakes            the most confident mistakes, with all ten probabilities
    architecture        the network as blocks: the shape after each stage, its layers, its parameters
    filters             the kernels of the first convolution
    feature_maps        the outputs of the first layers for one test digit
    saliency            which pixels of the least certain digits speak for the answer, and which against it
    embedding           test digits in the plane; digits that the network finds alike lie together
    reading             the stages of reading a photo

Each becomes NAME.png. Without names, figures whose files are missing are left out, and a sentence says why. Exit
status: 0 all drawn, 1 some were left out, 2 nothing was drawn, or wrong usage. In a notebook, call the functions of
digits/figures instead.
"""

from __future__ import annotations

import functools
import os
import pathlib
import sys
from typing import TYPE_CHECKING

from digits.inference.model_files import read_history
from digits.support import command_line, files
from digits.support.command_line import Parser
from digits.support.constants import DEFAULT_MODEL, EXAMPLE_PHOTO
from digits.support.messages import UserError, printable, reason

if TYPE_CHECKING:
    import keras
    import numpy as np
    from matplotlib.figure import Figure

    from data_loader import Dataset

FIGURES = {  # the name of each figure, and which of the Inputs it needs
    "samples": ["data"],
    "augmentation": ["data"],
    "training_curves": ["history"],
    "predictions": ["model", "data"],
    "confusion_matrix": ["model", "data"],
    "reliability": ["model", "data"],
    "mistakes": ["model", "data"],
    "architecture": ["model"],
    "filters": ["model"],
    "feature_maps": ["model", "data", "image"],
    "saliency": ["model", "data"],
    "embedding": ["model", "data"],
    "reading": ["model", "photo"],
}
RANDOM_DIGITS, UNSURE_DIGITS = 30, 10  # of predictions.png
EXPLAINED_DIGITS, EMBEDDED_DIGITS = 6, 2000  # of saliency.png and embedding.png; t-SNE would take minutes for all
AUGMENTED_DIGITS, VARIANTS = 6, 9  # of augmentation.png


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="what to draw, of the list above (default: everything)")
    add("--model", type=command_line.path, metavar="PATH", help="the model to draw (default: models/mnist_cnn.keras)")
    help_data = "a .npz, a folder of IDX files or a folder with one sub-folder of images per digit (default: MNIST)"
    add("--data", metavar="PATH", help=help_data)
    add("--photo", metavar="PATH", help="the image whose reading is drawn (default: images/examples/two_lines.jpg)")
    add("--output-dir", type=command_line.path, default="reports", metavar="FOLDER", help="where to write (default: %(default)s)")
    add("--image", type=int, metavar="N", help="number of the test image for feature_maps.png, from 0 (default: 0)")
    add("--show", action="store_true", help="also open the figures in windows")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in FIGURES]
    if unknown:
        parser.error(f"there is no figure named {printable(unknown[0])}; choose from {', '.join(FIGURES)}")
    for option in ("photo", "image"):  # each is for one figure
        using = [name for name, needs in FIGURES.items() if option in needs]
        if getattr(arguments, option) is not None and set(using).isdisjoint(arguments.names or FIGURES):
            parser.error(f"--{option} is not for what is to be drawn; it is for {', '.join(using)}")
    if arguments.show:
        check_display()
    inputs = Inputs(arguments.model or DEFAULT_MODEL, arguments.data, arguments.photo or EXAMPLE_PHOTO, arguments.image or 0)
    left_out = {}
    for name in arguments.names or FIGURES:
        for need in FIGURES[name]:
            try:
                getattr(inputs, need)
            except UserError as error:
                if arguments.names or getattr(arguments, need, None) is not None:  # a figure or a file that was asked for
                    raise
                left_out[name] = str(error)
    files.make_folder(arguments.output_dir)

    from digits.figures.style import save

    paths = []
    for name in dict.fromkeys(arguments.names or FIGURES):
        if name not in left_out:
            path = arguments.output_dir / f"{name}.png"
            save(draw(name, inputs), path)
            print(f"wrote {printable(path)}", flush=True)
            paths.append(path)
    for name, why in left_out.items():
        print(f"visualize.py: left out {name}: {why}", file=sys.stderr)
    if arguments.show:
        show(paths)
    return 2 if not paths else 1 if left_out else 0


class Inputs:
    """What the figures are drawn from; each attribute is loaded or computed when it is first asked for.

    Args:
        model_path: a `.keras` file.
        data_path: see `data_loader.load_dataset`.
        photo_path: path of an image.
        index: of the test image to look into.

    Attributes (each raises UserError where its file is missing or damaged):
        data: data_loader.Dataset. model: keras.Model. history: dict of lists, see `model_files.read_history`.
        photo: (H, W, 3) uint8. image: ((28, 28) uint8, its label), the test image to look into.
        probabilities: (N, 10) for the test images. metrics: their scores, see `scores.measure`.
    """

    def __init__(
        self,
        model_path: str | os.PathLike = DEFAULT_MODEL,
        data_path: str | os.PathLike | None = None,
        photo_path: str | os.PathLike = EXAMPLE_PHOTO,
        index: int = 0,
    ) -> None:
        self.model_path, self.data_path, self.photo_path, self.index = model_path, data_path, photo_path, index

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
    def metrics(self) -> dict:
        from digits.inference.scores import measure

        return measure(self.data.x_test, self.data.y_test, self.probabilities)


def draw(name: str, inputs: Inputs) -> Figure:
    """Return a figure of FIGURES. Raises UserError where its inputs are missing or damaged."""
    from data_loader import subset
    from digits.figures import dataset, results, training

    match name:
        case "samples":
            return dataset.sample_digits(inputs.data.x_train, inputs.data.y_train)
        case "augmentation":
            return draw_augmentation(inputs.data.x_train[subset(inputs.data.y_train, AUGMENTED_DIGITS, seed=0)])
        case "reading":
            return draw_reading(inputs)
        case "training_curves":
            return training.training_curves(inputs.history)
        case "confusion_matrix":
            return results.confusion_matrix(inputs.metrics["confusion_matrix"])
        case "reliability":
            return results.reliability_diagram(inputs.metrics["calibration"], inputs.metrics["expected_calibration_error"])
        case "mistakes":
            return results.hardest_mistakes(inputs.data.x_test, inputs.metrics["misclassified"], inputs.probabilities)
    return draw_network(name, inputs)


def draw_augmentation(images: np.ndarray) -> Figure:
    """Return a figure of (N, 28, 28) uint8 images as they are and as training changes them."""
    from digits.figures import dataset
    from digits.inference.keras_model import start_tensorflow

    start_tensorflow()
    from digits.training.augmentation import augment

    copies = images.repeat(VARIANTS, axis=0)[..., None].astype("float32")
    return dataset.augmentation(images, augment(copies, (0, 0)).numpy().reshape(len(images), VARIANTS, 28, 28))


def draw_reading(inputs: Inputs) -> Figure:
    """Return a figure of the stages of reading a photo."""
    from digits.figures import reading
    from digits.inference.runtimes import load_network
    from digits.reading import trace

    steps = trace.follow(inputs.photo, load_network(inputs.model_path))
    return reading.reading_stages(steps, printable(pathlib.Path(inputs.photo_path).name))


def draw_network(name: str, inputs: Inputs) -> Figure:
    """Return a figure of FIGURES that looks into the network; apart from `draw`, because it needs TensorFlow."""
    from data_loader import subset
    from digits.figures import dataset, network, results
    from digits.inference import embedding, explanations

    match name:
        case "architecture":
            return network.architecture(explanations.stages(inputs.model))
        case "filters":
            layer = explanations.first_convolution(inputs.model)
            return network.filters(layer.get_weights()[0], f"the first convolution, {layer.name}")
        case "feature_maps":
            image, label = inputs.image
            return network.feature_maps(image, explanations.stage_outputs(inputs.model, image), label)
        case "predictions":
            chosen = explanations.choose_digits(inputs.probabilities, RANDOM_DIGITS, UNSURE_DIGITS)
            note = f"{RANDOM_DIGITS} chosen at random, then the {UNSURE_DIGITS} with the least confidence"
            return results.predictions(
                inputs.data.x_test[chosen],
                inputs.data.y_test[chosen],
                inputs.probabilities[chosen],
                note if len(chosen) == RANDOM_DIGITS + UNSURE_DIGITS else "",
            )
        case "saliency":
            chosen = explanations.choose_digits(inputs.probabilities, 0, EXPLAINED_DIGITS)
            images = inputs.data.x_test[chosen]
            return network.saliency(images, *explanations.saliency(inputs.model, images), inputs.data.y_test[chosen])
        case "embedding":
            chosen = subset(inputs.data.y_test, EMBEDDED_DIGITS, seed=0)
            images, labels = inputs.data.x_test[chosen], inputs.data.y_test[chosen]
            return dataset.embedding(
                embedding.embed(explanations.last_features(inputs.model, images)),
                labels,
                "Digits that the network finds alike lie together",
                f"{len(labels):,} test digits, placed by t-SNE of the last layer's input; ringed: misread",
                inputs.probabilities[chosen].argmax(axis=1) != labels,
            )
    raise KeyError(name)


def check_display() -> None:
    """Refuse --show before any work is done where no window can be opened. Raises UserError."""
    try:
        from matplotlib import pyplot

        windows = pyplot.figure().canvas.manager is not None and pyplot.get_backend().lower() != "agg"
        pyplot.close("all")
        fault = "no display, or no window system such as tkinter"
    except Exception as error:  # each window system fails in its own way
        windows, fault = False, reason(error)
    if not windows:
        raise UserError(f"no window can be opened here ({fault}); leave --show away and open the files in --output-dir.")


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
