"""Figures of the network and what goes on inside it: arrays in, a matplotlib Figure out.

    from digits.figures import network
    from digits.inference import explanations
    network.architecture(explanations.stages(model))
    network.filters(kernels, "conv_1a")
    network.feature_maps(image, explanations.stage_outputs(model, image), label=7)
    network.saliency(images, *explanations.saliency(model, images))

See digits/figures/style.py on what all figures have in common. Images are (N, 28, 28) uint8, ink 255 on 0.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from digits.figures.style import BLUE, FOR_AND_AGAINST, GREY, PALE, VERMILLION, add_axes, mosaic, new_figure, show_digit, styled


@styled
def filters(kernels: np.ndarray, name: str = "first layer") -> Figure:
    """Draw convolution kernels side by side on one scale: blue is positive, orange negative, white zero.

    Args:
        kernels: (height, width, inputs, outputs) float weights.
        name: the layer's name, for the title.
    """
    height, width, inputs, outputs = kernels.shape
    tiles = np.moveaxis(kernels, (2, 3), (0, 1)).reshape(inputs * outputs, height, width)
    limit, columns = float(np.abs(tiles).max()) or 1.0, min(len(tiles), 8)
    rows = -(-len(tiles) // columns)
    figure = new_figure(
        max(6.5, 0.8 * columns + 1.2),
        0.8 * rows + 1.1,
        f"{len(tiles)} kernels of {height}x{width}: {name}",
        "weight of each pixel: blue positive, orange negative, white zero",
    )
    axes = add_axes(figure, 0.2, 0.15, 0.8 * columns, 0.8 * rows)
    axes.imshow(mosaic(tiles, columns, gap=3, repeat=8, fill=np.nan), cmap=FOR_AND_AGAINST, vmin=-limit, vmax=limit)
    axes.axis("off")
    bar = figure.colorbar(axes.images[0], cax=add_axes(figure, figure.get_figwidth() - 0.8, 0.15, 0.15, 0.8 * rows))
    bar.ax.spines[:].set_visible(False)
    bar.ax.tick_params(labelsize=10, length=0)
    return figure


@styled
def feature_maps(image: np.ndarray, layers: list[tuple[str, np.ndarray]], label: int | None = None, limit: int = 10) -> Figure:
    """Draw the outputs of the first layers for one digit, one row of maps for each layer.

    Args:
        image: (28, 28) uint8.
        layers: list of (name, maps), maps (height, width, channels) float.
        label: of the digit, for the title.
        limit: draw at most this many maps of each layer.
    """
    height, digit = 1.15 * len(layers) + 0.95, "digit" if label is None else label
    figure = new_figure(
        0.85 * limit + 1.6,
        height,
        f"What the first layers see in this {digit}",
        "each map from its weakest (white) to its strongest response (black)",
    )
    axes = add_axes(figure, 0.15, height - 2.05, 1.05, 0.85)
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    axes.axis("off")
    axes.set_title("the digit", fontsize=11)
    for number, (name, maps) in enumerate(layers):
        tiles = np.moveaxis(maps, -1, 0)[:limit]
        lowest, highest = tiles.min(axis=(1, 2), keepdims=True), tiles.max(axis=(1, 2), keepdims=True)
        tiles = (tiles - lowest) / np.where(highest > lowest, highest - lowest, 1)
        axes = add_axes(figure, 1.45, height - 2.05 - 1.15 * number, 0.85 * len(tiles), 0.85)
        row = mosaic(tiles, len(tiles), gap=3, repeat=112 // maps.shape[0] or 1, fill=0.25)
        axes.imshow(np.pad(row, 3, constant_values=0.25), cmap="gray_r", vmin=0, vmax=1)
        axes.axis("off")
        axes.set_anchor("W")
        axes.set_title(f"{name}: {len(tiles)} of {maps.shape[-1]} maps, {maps.shape[0]}x{maps.shape[1]}", fontsize=11)
    return figure


@styled
def saliency(
    images: np.ndarray, evidence: np.ndarray, read: np.ndarray, rivals: np.ndarray, labels: np.ndarray | None = None
) -> Figure:
    """Draw which pixels make the network read a digit as it does and not as the next likely one.

    Args:
        images: (N, 28, 28) uint8.
        evidence, read, rivals: as `explanations.saliency` returns them. Each map is drawn on its own scale.
        labels: (N,) integers; misread digits have an orange title.
    """
    columns = min(len(images), 6)
    rows = -(-len(images) // columns)
    width, height = max(7.4, 1.7 * columns + 0.2), 3.65 * rows + 0.95
    figure = new_figure(
        width,
        height,
        "Why this digit and not the next likely one",
        "ink on blue speaks for the answer, ink on orange against it; orange title: misread",
    )
    for number, (image, change, digit, rival) in enumerate(zip(images, evidence, read, rivals)):
        left, bottom = 0.15 + 1.7 * (number % columns), 3.65 * (rows - 1 - number // columns) + 0.1
        upper, lower = (add_axes(figure, left, bottom + up, 1.6, 1.6) for up in (1.65, 0))
        show_digit(upper, image)
        misread = labels is not None and labels[number] != digit
        upper.set_title(f"{digit}, not {rival}", loc="center", fontsize=13, color=VERMILLION if misread else "black")
        limit = float(np.quantile(np.abs(change), 0.995)) or 1.0
        lower.imshow(change, cmap=FOR_AND_AGAINST, vmin=-limit, vmax=limit)
        lower.contour(image, levels=[110], colors="black", linewidths=1)
        for axes in (upper, lower):
            axes.axis("on")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color="#C8C8C8")
    return figure


@styled
def architecture(stages: list[tuple[tuple[int, ...], list[str], int]]) -> Figure:
    """Draw a network as a row of blocks, one for the shape after each stage, with its layers and parameters below.

    Args:
        stages: as `explanations.stages` returns them. Shapes are (height, width, channels) or (values,).
    """
    column, lines = 1.22, max(len(steps) for _, steps, _ in stages)
    names = 0.75 + 0.19 * lines  # where the words begin, in inches from below; the blocks stand above them
    middle, top = names + 0.83, names + 2.6
    figure = new_figure(
        column * len(stages) + 0.3,
        top,
        f"The network: {sum(count for _, _, count in stages):,} parameters",
        "height and width of a block: size of its maps; depth: their number",
    )
    axes = add_axes(figure, 0, 0, column * len(stages) + 0.3, top)
    axes.set(xlim=(0, column * len(stages) + 0.3), ylim=(0, top))
    axes.axis("off")
    end = 0.0
    for number, (shape, steps, count) in enumerate(stages):
        x = 0.15 + column * (number + 0.5)
        height, width = (shape[0] / 32, shape[1] / 32) if len(shape) == 3 else (1.5 * min(1, 0.4 + shape[0] / 1000), 0.1)
        depth = 0.03 * shape[2] ** 0.5 if len(shape) == 3 else 0.0
        left, bottom = x - (width + depth) / 2, middle - (height + depth) / 2
        if number:
            axes.annotate(
                "", (left - 0.04, middle), (end + 0.04, middle), arrowprops={"arrowstyle": "->", "color": GREY, "lw": 1.5}
            )
        colour = PALE if not number else VERMILLION if number == len(stages) - 1 else BLUE
        front = [(0, 0), (width, 0), (width, height), (0, height)]
        upper = [(0, height), (width, height), (width + depth, height + depth), (depth, height + depth)]
        side = [(width, 0), (width + depth, depth), (width + depth, height + depth), (width, height)]
        for corners, strength in ((front, 0.85), (upper, 0.5), (side, 0.65)):
            places = [(left + across, bottom + up) for across, up in corners]
            axes.add_patch(Polygon(places, fc=(colour, strength if number else 1), ec="white" if number else GREY, lw=1))
        end = left + width + depth
        axes.text(x, names, "x".join(map(str, shape)), ha="center", va="top", fontsize=11.5, fontweight="bold")
        axes.text(x, names - 0.26, "\n".join(steps or ["the image"]), ha="center", va="top", fontsize=9.5, linespacing=1.4)
        if count:
            axes.text(x, 0.28, f"{count:,}", ha="center", va="top", fontsize=9.5, color=GREY)
    axes.text(0.15 + column / 2, 0.28, "parameters:", ha="center", va="top", fontsize=9.5, color=GREY)
    return figure
