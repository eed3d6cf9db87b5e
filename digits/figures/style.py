"""What all figures have in common: colours, sizes, headings, grids of digits, and how they are saved.

    @styled
    def my_figure(values):
        figure = new_figure(8, 4, "What the figure shows", "what to know about it")
        axes = add_axes(figure, 0.8, 0.6, 7, 2.6)              # in inches from the lower left corner
        ...
        return figure

The figures are plain `matplotlib.figure.Figure` objects without pyplot: they need no display, keep no state and are
freed like any other object. Their background is white and opaque, for light and dark pages. Digits are drawn dark on
white, like ink on paper. Every title says what there is to see.

The colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), which can be told apart with every kind
of colour vision; the scale from "against" to "for" goes from vermillion over white to blue. Nobody can tell ten colours
apart, so each digit is also named.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from digits.support.files import atomic_write

BLUE, VERMILLION, GREY, PALE = "#0072B2", "#D55E00", "#595959", "#EDEDED"
DIGIT_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D00", "#56B4E9", "#000000", "#E69F00", "#7A4FA3", "#7F7F7F")
ERROR_COLOURS = LinearSegmentedColormap.from_list("errors", ["white", VERMILLION])
FOR_AND_AGAINST = LinearSegmentedColormap.from_list("for and against", [VERMILLION, "white", BLUE])
DPI, DIGITS = 150, range(10)

STYLE: dict = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12,
    "text.color": "black",
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": PALE,
    "grid.linewidth": 1.0,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "legend.fontsize": 12,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "image.interpolation": "nearest",
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorate a function so that it draws in the project's style, whatever the user's matplotlib settings are."""

    @functools.wraps(draw)
    def drawn(*arguments, **options):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(STYLE)
            return draw(*arguments, **options)

    return drawn


def new_figure(width: float, height: float, title: str, note: str = "") -> Figure:
    """Return a Figure, width and height in inches, with a title and a note below it at the top left."""
    figure = Figure(figsize=(width, height), facecolor="white")
    figure.text(0.16 / width, 1 - 0.16 / height, title, fontsize=15, fontweight="bold", va="top")
    figure.text(0.16 / width, 1 - 0.5 / height, note, fontsize=11, color=GREY, va="top")
    return figure


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure to `path` as PNG, whole or not at all. Raises UserError."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return new axes of a figure, placed in inches from its lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def show_digit(axes: Axes, image: np.ndarray, **options: Any) -> None:
    """Draw a (28, 28) uint8 image, ink 255 on 0, dark on white into axes, without ticks or frame."""
    axes.imshow(image, **{"cmap": "gray_r", "vmin": 0, "vmax": 255, **options})
    axes.axis("off")


@styled
def gallery(
    images: np.ndarray | list[np.ndarray],
    captions: list[str],
    title: str,
    note: str = "",
    colours: list[str] | np.ndarray | None = None,
    columns: int = 8,
) -> Figure:
    """Draw digits in rows, each with a caption below.

    Args:
        images: (N, 28, 28) uint8, or a list of such.
        captions: N strings, of one or more lines.
        title, note: the heading.
        colours: None, or N colours; a digit that is not "black" gets a frame and a caption in its colour.
        columns: digits in a row.
    """
    colours = ["black"] * len(images) if colours is None else colours
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    inch, cell_width, cell_height = 1 / 32, 40, 34 + 8 * lines  # in pixels of the images
    rows = -(-len(images) // columns)
    width, head = columns * cell_width * inch + 0.2, 0.9 if note else 0.6
    height = max(0.1, rows * cell_height * inch) + head
    figure = new_figure(width, height, title, note)
    axes = add_axes(figure, 0.1, 0, width - 0.2, height - head)
    for number, (image, caption, colour) in enumerate(zip(images, captions, colours)):
        row, column = divmod(number, columns)
        x, y = column * cell_width + 6, row * cell_height
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, extent=(x, x + 28, y + 28, y))
        frame = {"ec": "#C8C8C8", "lw": 0.8} if colour == "black" else {"ec": colour, "lw": 2.5}
        axes.add_patch(Rectangle((x, y), 28, 28, fill=False, **frame))
        axes.text(x + 14, y + 30, caption, color=colour, ha="center", va="top", fontsize=10.5, linespacing=1.25)
    axes.set(xlim=(0, columns * cell_width), ylim=(max(1, rows * cell_height), -1))
    axes.axis("off")
    return figure


def mosaic(tiles: np.ndarray, columns: int, gap: int = 4, repeat: int = 1, fill: float = 0) -> np.ndarray:
    """Return one array of all `tiles` (N, H, W) in rows of `columns`, with gaps of `fill` between them.

    `repeat` enlarges each pixel first, so that the gap can be thinner than a pixel of a tiny tile.
    """
    tiles = tiles.repeat(repeat, axis=1).repeat(repeat, axis=2)
    tiles = np.pad(tiles, ((0, -len(tiles) % columns), (0, gap), (0, gap)), constant_values=fill)
    rows, (height, width) = len(tiles) // columns, tiles.shape[1:]
    whole = tiles.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)
    return whole[:-gap, :-gap]
