"""Figures of how a photo becomes 28x28 pixels and digits: arrays in, a matplotlib Figure out.

    from digits.figures import reading
    reading.reading_stages(trace.follow(image, network))             # shows itself in a notebook

See digits/figures/style.py on what all figures have in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digits.figures.style import BLUE, DIGIT_COLOURS, VERMILLION, add_axes, new_figure, styled
from digits.support.messages import percent

if TYPE_CHECKING:
    from digits.reading.trace import Steps


@styled
def reading_stages(steps: Steps, name: str = "photo") -> Figure:
    """Draw how a photo is read, from its pixels to digits.

    Args:
        steps: see `trace.Steps`.
        name: of the photo, for the title.
    """
    aspect = steps.photo.shape[0] / steps.photo.shape[1]
    width, shown = 3.4, steps.images[:12]
    height = min((width - 0.1) * aspect, 3.4)
    digits_height = 1.62 if len(shown) else 0.0
    across, up = 10.5, 2 * (height + 0.42) + digits_height + 0.95
    found = f"{steps.text} ({percent(steps.confidence)})" if steps.confidence is not None else "no digit found"
    figure = new_figure(across, up, f"How an image is read: {found}", f"{name}, step by step")
    stages = [
        ("1  the image", steps.photo),
        ("2  its paper: the image without the ink", steps.paper),
        ("3  how much darker than its paper", steps.strength),
        ("4  what is dark enough to be ink", steps.mask),
        ("5  connected strokes" + "; pale: removed" * bool((steps.strokes < 0).any()), steps.strokes),
        (f"6  blue: {len(steps.boxes)} of {len(steps.candidates)} candidates are digits", steps.photo),
    ]
    for number, (title, image) in enumerate(stages):
        row, column = divmod(number, 3)
        axes = add_axes(
            figure, 0.15 + column * (width + 0.05), digits_height + (1 - row) * (height + 0.42) + 0.1, width - 0.1, height
        )
        axes.set_title(title, fontsize=11.5)
        _show(axes, image)
    for x0, y0, x1, y1 in steps.candidates:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=VERMILLION, lw=0.7, ls=":"))
    for x0, y0, x1, y1 in steps.boxes:
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, ec=BLUE, lw=2))
    if len(shown):
        figure.text(
            0.15 / across,
            (digits_height - 0.28) / up,
            "7  each digit as MNIST prepares it, 28x28 pixels, and what the network reads in it",
            fontsize=11.5,
        )
    for number, (image, digit, confidence) in enumerate(zip(shown, steps.digits, steps.confidences)):
        axes = add_axes(figure, 0.15 + 0.86 * number, 0.42, 0.8, 0.8)
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color="#C8C8C8")
        axes.set_xlabel(f"{digit}  {percent(confidence)}", fontsize=10.5)
    return figure


@styled
def normalisation(ink: np.ndarray, image: np.ndarray, title: str = "How MNIST prepares a digit") -> Figure:
    """Draw the ink of one digit and the 28x28 image made of it, with MNIST's box and centre.

    Args:
        ink: (h, w) bool or float, ink on 0.
        image: (28, 28) uint8, see `mnist_format.mnist_normalise`.
        title: the heading.
    """
    figure = new_figure(8.4, 5.05, title, "fitted into 20x20 pixels, then moved until its centre of mass is the centre of 28x28")
    left, right = add_axes(figure, 0.6, 0.6, 3.4, 3.4), add_axes(figure, 4.7, 0.6, 3.4, 3.4)
    left.imshow(ink, cmap="gray_r", interpolation="antialiased")
    left.set(title=f"the ink, {ink.shape[1]} x {ink.shape[0]} pixels", xlabel="pixels")
    right.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    right.hlines(np.arange(29) - 0.5, -0.5, 27.5, color="#DDDDDD", lw=0.5)
    right.vlines(np.arange(29) - 0.5, -0.5, 27.5, color="#DDDDDD", lw=0.5)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    if len(rows):
        centre = [np.average(np.arange(28), weights=image.sum(axis=axis)) for axis in (0, 1)]
        box = columns[0] - 0.5, rows[0] - 0.5
        right.add_patch(Rectangle(box, columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1, fill=False, ec=BLUE, lw=2, zorder=3))
        right.plot(*centre, "+", color=VERMILLION, markersize=18, mew=3)
        right.set(title=f"28 x 28; the digit {columns[-1] - columns[0] + 1} x {rows[-1] - rows[0] + 1}, its centre (+)")
    right.set(xlabel="pixels", xticks=(0, 7, 14, 21, 27), yticks=(0, 7, 14, 21, 27))
    for axes in (left, right):
        axes.spines[:].set_visible(True)
    return figure


@styled
def panels(images: list[tuple[str, np.ndarray]], title: str, note: str = "", columns: int = 3) -> Figure:
    """Draw images of any size in rows, each with its name above.

    Args:
        images: list of (name, array): (h, w, 3) uint8 colours; (h, w) bool or float, drawn dark on white; or
            (h, w) int, numbered strokes, each drawn in a colour of its own, 0 white, -1 (removed) pale.
        title, note: the heading.
        columns: images in a row.
    """
    columns = min(columns, len(images))
    rows, width = -(-len(images) // columns), 10.4 / columns
    height = max((width - 0.25) * image.shape[0] / image.shape[1] for _, image in images)
    height = min(height, 1.2 * width)
    figure = new_figure(10.4, rows * (height + 0.45) + (0.75 if note else 0.5), title, note)
    for number, (name, image) in enumerate(images):
        row, column = divmod(number, columns)
        axes = add_axes(figure, 0.15 + column * width, (rows - 1 - row) * (height + 0.45) + 0.12, width - 0.25, height)
        axes.set_title(name, fontsize=11.5)
        _show(axes, image)
    return figure


def _show(axes, image):
    """Draw one image of `panels` into axes."""
    if image.ndim == 2 and image.dtype.kind == "i":
        colours = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in DIGIT_COLOURS[:8]], np.uint8)
        blank = np.where(image < 0, 205, 255).astype(np.uint8)
        image = np.where((image > 0)[..., None], colours[image % 8], blank[..., None])
    options = {} if image.ndim == 3 else {"cmap": "gray_r", "vmin": 0}
    axes.imshow(image, interpolation="antialiased", **options)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color="#C8C8C8")
