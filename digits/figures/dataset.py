"""Pictures of the data, and of how a photo becomes data: arrays in, a matplotlib Figure out.

    from digits.figures import dataset
    data.sample_digits(data.x_train, data.y_train)                   # shows itself in a notebook
    data.reading_stages(reading_steps.follow(image, network))

See digits/figures/results.py on what all figures have in common. Images are (N, 28, 28) uint8, ink 255 on 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from digits.figures.style import BLUE, DIGIT_COLOURS, DIGITS, GREY, VERMILLION, add_axes, mosaic, new_figure, styled
from digits.support.messages import percent

if TYPE_CHECKING:
    from digits.reading.trace import Steps


@styled
def sample_digits(images: np.ndarray, labels: np.ndarray, per_class: int = 12, seed: int = 0) -> Figure:
    """Draw `per_class` random images of each digit, one row per digit, with the number of images beside it.

    Args:
        images: (N, 28, 28) uint8.
        labels: (N,) integers 0 to 9; a digit that is absent keeps an empty row.
    """
    labels, random = np.asarray(labels), np.random.default_rng(seed)
    counts = np.bincount(labels, minlength=10)
    tiles = np.zeros((10, per_class, 28, 28), np.uint8)
    for digit in DIGITS:
        chosen = random.permutation(np.flatnonzero(labels == digit))[:per_class]
        tiles[digit, : len(chosen)] = images[chosen]
    figure = new_figure(
        max(7, 0.6 * per_class + 1.3),
        6.95,
        f"{len(labels):,} handwritten digits, {per_class} of each drawn at random",
        "beside each row: the digit and how many images of it there are",
    )
    axes = add_axes(figure, 1.2, 0.05, 0.6 * per_class, 6)
    axes.imshow(mosaic(tiles.reshape(-1, 28, 28), per_class), cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=np.arange(10) * 32 + 13.5)
    axes.set_yticklabels([f"{digit}   {f'{count:,}' if count else 'none':>6}" for digit, count in enumerate(counts)])
    axes.tick_params(length=0, labelsize=12)
    axes.spines[:].set_visible(False)
    return figure


@styled
def class_averages(images: np.ndarray, labels: np.ndarray) -> Figure:
    """Draw what the images of each digit have in common and where they differ, one column per digit.

    Rows: the average image; the standard deviation of each pixel; the image nearest to the average and the one farthest
    from it (Euclidean distance over the pixels). A digit that is absent keeps an empty column.

    Args as `sample_digits`.
    """
    tiles = np.zeros((4, 10, 28, 28))
    for digit in np.unique(labels):
        of_digit = images[np.asarray(labels) == digit].astype(np.float32)
        average = of_digit.mean(axis=0)
        distance = np.linalg.norm(of_digit - average, axis=(1, 2))
        tiles[:, digit] = average, 2 * of_digit.std(axis=0), of_digit[distance.argmin()], of_digit[distance.argmax()]
    figure = new_figure(
        10.2,
        4.75,
        "What the images of a digit have in common, and where writers differ",
        "standard deviation: of each pixel, at twice its strength; usual and unusual: nearest to the average and farthest from it",
    )
    axes = add_axes(figure, 1.6, 0.05, 8.5, 3.75)
    axes.imshow(mosaic(tiles.reshape(-1, 28, 28), 10), cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=np.arange(10) * 32 + 13.5, yticks=np.arange(4) * 32 + 13.5)
    axes.set_xticklabels([str(digit) for digit in DIGITS])
    axes.set_yticklabels(["average", "standard\ndeviation", "most usual", "most unusual"])
    axes.tick_params(length=0, labelsize=12, labeltop=True, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


@styled
def augmentation(images: np.ndarray, variants: np.ndarray) -> Figure:
    """Draw digits as they are and, beside each, as training redraws them.

    Args:
        images: (N, 28, 28), before.
        variants: (N, V, 28, 28), after; 0 to 255 like the images.
    """
    rows, columns = variants.shape[:2]
    width, height = max(7.2, 0.8 * columns + 1.35), 0.8 * rows + 1.3
    figure = new_figure(
        width,
        height,
        "The same digits, redrawn for training",
        "turned, slanted, squeezed, shifted; a thicker or a thinner pen; some of them coarse",
    )
    for left, count, tiles, title in ((0.15, 1, images, "before"), (1.25, columns, variants, "after")):
        axes = add_axes(figure, left, 0.12, 0.8 * count - 0.1, 0.8 * rows - 0.1)
        axes.imshow(mosaic(np.asarray(tiles).reshape(-1, 28, 28), count), cmap="gray_r", vmin=0, vmax=255)
        axes.axis("off")
        figure.text(left / width, 1 - 1.1 / height, title)
    figure.add_artist(Line2D([1.05 / width] * 2, [0.12 / height, 1 - 1.2 / height], color=GREY, lw=1))
    return figure


@styled
def embedding(
    points: np.ndarray,
    labels: np.ndarray,
    title: str = "Digits that look alike lie together",
    note: str = "",
    misread: np.ndarray | None = None,
) -> Figure:
    """Draw images as points in the plane, each as the digit that it is; large digits stand where most of theirs are.

    Args:
        points: (N, 2) float, such as of `explanations.embed`.
        labels: (N,) integers 0 to 9.
        title, note: the heading.
        misread: (N,) bool or None, which points to ring.
    """
    points, labels = np.asarray(points, float), np.asarray(labels)
    figure = new_figure(8.2, 8.4, title, note)
    axes = add_axes(figure, 0.15, 0.45, 7.9, 7.1)
    for digit in np.unique(labels):
        group = points[labels == digit]
        axes.scatter(group[:, 0], group[:, 1], s=34, marker=f"${digit}$", color=DIGIT_COLOURS[digit], lw=0.3)
        apart = np.sort(np.linalg.norm(group[:, None] - group, axis=2), axis=1)[:, min(20, len(group) - 1)]
        x, y = group[apart.argmin()]
        name = axes.text(x, y, f"{digit}", fontsize=26, fontweight="bold", ha="center", va="center", color=DIGIT_COLOURS[digit])
        name.set_path_effects([patheffects.withStroke(linewidth=5, foreground="white")])
    if misread is not None and np.any(misread):
        axes.scatter(points[misread, 0], points[misread, 1], s=150, fc="none", ec="black", lw=1.5)
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel("two dimensions without a unit: only who is near whom has a meaning", fontsize=11, color=GREY)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#C8C8C8")
    return figure


@styled
def normalisation(ink: np.ndarray, picture: np.ndarray, title: str = "How MNIST draws a digit") -> Figure:
    """Draw the ink of one digit and the 28x28 picture made of it, with MNIST's box and centre.

    Args:
        ink: (h, w) bool or float, ink on 0.
        picture: (28, 28) uint8, see `mnist_format.mnist_normalise`.
        title: the heading.
    """
    figure = new_figure(8.4, 5.05, title, "fitted into 20x20 pixels, then moved until its centre of mass is the centre of 28x28")
    left, right = add_axes(figure, 0.6, 0.6, 3.4, 3.4), add_axes(figure, 4.7, 0.6, 3.4, 3.4)
    left.imshow(ink, cmap="gray_r", interpolation="antialiased")
    left.set(title=f"the ink, {ink.shape[1]} x {ink.shape[0]} pixels", xlabel="pixels")
    right.imshow(picture, cmap="gray_r", vmin=0, vmax=255)
    right.hlines(np.arange(29) - 0.5, -0.5, 27.5, color="#DDDDDD", lw=0.5)
    right.vlines(np.arange(29) - 0.5, -0.5, 27.5, color="#DDDDDD", lw=0.5)
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    if len(rows):
        centre = [np.average(np.arange(28), weights=picture.sum(axis=axis)) for axis in (0, 1)]
        box = columns[0] - 0.5, rows[0] - 0.5
        right.add_patch(Rectangle(box, columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1, fill=False, ec=BLUE, lw=2, zorder=3))
        right.plot(*centre, "+", color=VERMILLION, markersize=18, mew=3)
        right.set(title=f"28 x 28; the digit {columns[-1] - columns[0] + 1} x {rows[-1] - rows[0] + 1}, its centre (+)")
    right.set(xlabel="pixels", xticks=(0, 7, 14, 21, 27), yticks=(0, 7, 14, 21, 27))
    for axes in (left, right):
        axes.spines[:].set_visible(True)
    return figure


@styled
def panels(pictures: list[tuple[str, np.ndarray]], title: str, note: str = "", columns: int = 3) -> Figure:
    """Draw pictures of any size in rows, each with its name above.

    Args:
        pictures: list of (name, array): (h, w, 3) uint8 colours; (h, w) bool or float, drawn dark on white; or
            (h, w) int, numbered strokes, each drawn in a colour of its own, 0 white, -1 (what was taken away) pale.
        title, note: the heading.
        columns: pictures in a row.
    """
    columns = min(columns, len(pictures))
    rows, width = -(-len(pictures) // columns), 10.4 / columns
    height = max((width - 0.25) * picture.shape[0] / picture.shape[1] for _, picture in pictures)
    height = min(height, 1.2 * width)
    figure = new_figure(10.4, rows * (height + 0.45) + (0.75 if note else 0.5), title, note)
    for number, (name, picture) in enumerate(pictures):
        row, column = divmod(number, columns)
        axes = add_axes(figure, 0.15 + column * width, (rows - 1 - row) * (height + 0.45) + 0.12, width - 0.25, height)
        axes.set_title(name, fontsize=11.5)
        _show(axes, picture)
    return figure


@styled
def reading_stages(steps: Steps, name: str = "photo") -> Figure:
    """Draw how a photo is read, from the pixels of the camera to digits.

    Args:
        steps: reading_steps.Steps.
        name: what the photo is called, for the title.
    """
    aspect = steps.photo.shape[0] / steps.photo.shape[1]
    width, shown = 3.4, steps.pictures[:12]
    height = min((width - 0.1) * aspect, 3.4)
    digits_height = 1.62 if len(shown) else 0.0
    across, up = 10.5, 2 * (height + 0.42) + digits_height + 0.95
    found = f"{steps.text} ({percent(steps.confidence)})" if steps.confidence is not None else "no digit found"
    figure = new_figure(across, up, f"How a picture is read: {found}", f"{name}, step by step")
    stages = [
        ("1  the picture", steps.photo),
        ("2  its paper: the light without the ink", steps.paper),
        ("3  how much darker than its paper", steps.strength),
        ("4  what is dark enough to be ink", steps.mask),
        ("5  connected strokes" + "; pale: taken away" * bool((steps.strokes < 0).any()), steps.strokes),
        (f"6  blue: {len(steps.boxes)} of {len(steps.candidates)} candidates are digits", steps.photo),
    ]
    for number, (title, picture) in enumerate(stages):
        row, column = divmod(number, 3)
        axes = add_axes(
            figure, 0.15 + column * (width + 0.05), digits_height + (1 - row) * (height + 0.42) + 0.1, width - 0.1, height
        )
        axes.set_title(title, fontsize=11.5)
        _show(axes, picture)
    for x0, y0, x1, y1 in steps.candidates:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=VERMILLION, lw=0.7, ls=":"))
    for x0, y0, x1, y1 in steps.boxes:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=BLUE, lw=2))
    if len(shown):
        figure.text(
            0.15 / across,
            (digits_height - 0.28) / up,
            "7  each drawn as MNIST draws its digits, 28x28 pixels, and what the network reads in it",
            fontsize=11.5,
        )
    for number, (picture, digit, confidence) in enumerate(zip(shown, steps.digits, steps.confidences)):
        axes = add_axes(figure, 0.15 + 0.86 * number, 0.42, 0.8, 0.8)
        axes.imshow(picture, cmap="gray_r", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color="#C8C8C8")
        axes.set_xlabel(f"{digit}  {percent(confidence)}", fontsize=10.5)
    return figure


def _show(axes, picture):
    """Draw one picture of `panels` into axes."""
    if picture.ndim == 2 and picture.dtype.kind == "i":
        colours = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in DIGIT_COLOURS[:8]], np.uint8)
        blank = np.where(picture < 0, 205, 255).astype(np.uint8)
        picture = np.where((picture > 0)[..., None], colours[picture % 8], blank[..., None])
    options = {} if picture.ndim == 3 else {"cmap": "gray_r", "vmin": 0}
    axes.imshow(picture, interpolation="antialiased", **options)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#C8C8C8")
