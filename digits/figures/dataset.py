"""Figures of images and labels: arrays in, a matplotlib Figure out.

    from digits.figures import dataset
    dataset.sample_digits(data.x_train, data.y_train)                # shows itself in a notebook

See digits/figures/style.py on what all figures have in common. Images are (N, 28, 28) uint8, ink 255 on 0.
"""

import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from digits.figures.style import DIGIT_COLOURS, DIGITS, GREY, add_axes, mosaic, new_figure, styled


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
        f"{len(labels):,} handwritten digits, {per_class} of each chosen at random",
        "beside each row: the digit and its number of images",
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

    Rows: the average image; the standard deviation of each pixel; the image nearest to the average; the image farthest
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
        "standard deviation: of each pixel, drawn twice as strong; most usual and unusual: nearest to the average and farthest",
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
    """Draw digits as they are and, beside each, as training changes them.

    Args:
        images: (N, 28, 28), before.
        variants: (N, V, 28, 28), after; 0 to 255 like the images.
    """
    rows, columns = variants.shape[:2]
    width, height = max(7.2, 0.8 * columns + 1.35), 0.8 * rows + 1.3
    figure = new_figure(
        width,
        height,
        "The same digits, changed for training",
        "rotated, slanted, scaled, shifted; a thicker or a thinner pen; some in lower resolution",
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
    """Draw images as points in the plane, each marked with its digit; a large digit marks where most of its kind are.

    Args:
        points: (N, 2) float, such as of `embedding.embed`.
        labels: (N,) integers 0 to 9.
        title, note: the heading.
        misread: (N,) bool or None; these points are ringed.
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
    axes.set_xlabel("two dimensions without a unit: only neighbourhood has a meaning", fontsize=11, color=GREY)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#C8C8C8")
    return figure
