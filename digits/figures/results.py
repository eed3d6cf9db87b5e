"""Figures of a network's answers to a test set: arrays in, a matplotlib Figure out.

    from digits.figures import results
    results.confusion_matrix(matrix)                                 # shows itself in a notebook

See digits/figures/style.py on what all figures have in common. Images are (N, 28, 28) uint8, ink 255 on 0.
"""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from digits.figures.style import (
    BLUE,
    DIGITS,
    ERROR_COLOURS,
    GREY,
    PALE,
    VERMILLION,
    add_axes,
    gallery,
    new_figure,
    show_digit,
    styled,
)
from digits.support.messages import percent


def predictions(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, note: str = "") -> Figure:
    """Draw digits with the network's answer and its confidence; misread ones are marked.

    Args:
        images: (N, 28, 28) uint8, drawn in this order.
        labels: (N,) integers.
        probabilities: (N, 10), each row adding up to 1.
        note: a second line below the title, such as how the digits were chosen.
    """
    read, confidence = np.argmax(probabilities, axis=1), np.max(probabilities, axis=1)
    wrong = read != np.asarray(labels)
    captions = [
        f"{digit}  {percent(share)}" + (f"\nlabel {label}" if miss else "")
        for digit, share, label, miss in zip(read, confidence, labels, wrong)
    ]
    title = f"{np.sum(~wrong):,} of these {len(images):,} digits read correctly"
    return gallery(images, captions, title, note, np.where(wrong, VERMILLION, "black"))


@styled
def confusion_matrix(matrix: np.ndarray | list[list[int]]) -> Figure:
    """Draw a confusion matrix with counts and their share of the row.

    The errors have a logarithmic colour scale of their own, so that they show beside a diagonal a thousand times larger.
    Zeros are blank.

    Args:
        matrix: (10, 10) counts, row = label, column = prediction (as of sklearn.metrics.confusion_matrix).
    """
    matrix = np.asarray(matrix)
    total, right = matrix.sum(), np.trace(matrix)
    errors = matrix - np.diag(np.diag(matrix))
    figure = new_figure(8.2, 8.3, f"{total - right:,} of {total:,} digits misread", _worst_pairs(errors))
    axes = add_axes(figure, 0.45, 0.1, 7.6, 6.75)
    # The scale starts below 1 and ends at 10 or above: a single error is visible, and two are not yet dark.
    axes.imshow(np.ma.masked_equal(errors, 0), cmap=ERROR_COLOURS, norm=LogNorm(0.6, max(10, errors.max())))
    for (row, column), count in np.ndenumerate(matrix):
        right = row == column
        if right:
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=PALE, lw=0))
        if count:
            axes.text(
                column, row - 0.13, f"{count:,}", ha="center", va="center", fontsize=12.5, fontweight="normal" if right else "bold"
            )
            axes.text(
                column,
                row + 0.27,
                percent(count / matrix[row].sum(), 2),
                ha="center",
                va="center",
                fontsize=8.5,
                color=GREY if right else "black",
            )
    margin: dict = {"ha": "center", "va": "center", "fontsize": 10, "color": GREY}
    for digit in DIGITS:  # of all that is read as this digit, the share that is one
        whole = matrix[:, digit].sum()
        axes.text(digit, 9.8, percent(matrix[digit, digit] / whole) if whole else "none", **margin)
    axes.text(-0.62, 9.8, "precision", **{**margin, "ha": "right"})
    axes.set(xticks=[], yticks=[], xlim=(-1.1, 9.5), ylim=(10.1, -0.5), aspect="equal")
    for lines in (axes.vlines, axes.hlines):
        lines(np.arange(11) - 0.5, -0.5, 9.5, color="#DDDDDD", lw=1, clip_on=False)
    for digit in DIGITS:
        axes.text(digit, -0.8, f"{digit}", ha="center", va="center", fontsize=13)
        axes.text(-0.8, digit, f"{digit}", ha="center", va="center", fontsize=13)
    axes.text(4.5, -1.25, "prediction", ha="center", va="center")
    axes.text(-1.3, 4.5, "label", ha="center", va="center", rotation=90)
    axes.spines[:].set_visible(False)
    return figure


def misclassified_gallery(images: np.ndarray, misclassified: list[dict], limit: int = 60) -> Figure:
    """Draw the digits that were misread, the most confident first, with label, prediction and confidence.

    Args:
        images: (N, 28, 28) uint8, all images that were scored.
        misclassified: list of dicts with index, label, prediction, confidence (0 to 1) and
            label_known_wrong (bool), in the order in which to draw (`scores.misclassified`).
        limit: draw at most this many; then the title says so.
    """
    shown = misclassified[:limit]
    title = f"{len(misclassified):,} of {len(images):,} digits misread"
    if len(shown) < len(misclassified):
        title += f", the {len(shown):,} most confident shown"
    note = "label → prediction, confidence, number of the image; most confident first" if shown else "nothing to show"
    if known := sum(mistake["label_known_wrong"] for mistake in misclassified):
        note += f"; in blue: {known} whose label is known to be wrong"
    captions = [
        f"{mistake['label']} → {mistake['prediction']}  {percent(mistake['confidence'])}\n#{mistake['index']}" for mistake in shown
    ]
    colours = [BLUE if mistake["label_known_wrong"] else "black" for mistake in shown]
    return gallery([images[mistake["index"]] for mistake in shown], captions, title, note, colours)


@styled
def hardest_mistakes(images: np.ndarray, misclassified: list[dict], probabilities: np.ndarray, limit: int = 8) -> Figure:
    """Draw misread digits large, each above the network's probabilities of the ten digits.

    Args:
        images, misclassified: as for `misclassified_gallery`.
        probabilities: (N, 10), of all images.
        limit: draw at most this many, the first of the list.
    """
    shown, columns = misclassified[:limit], 4
    rows = max(1, -(-len(shown) // columns))
    figure = new_figure(
        10.2,
        3.35 * rows + 0.8,
        f"The {len(shown)} most confident mistakes" if shown else "No mistake to show",
        "orange: the prediction; blue: the label; below: the probability of each digit" if shown else "",
    )
    for number, mistake in enumerate(shown):
        left, bottom = 0.72 + 2.38 * (number % columns), 3.35 * (rows - 1 - number // columns) + 0.35
        show_digit(add_axes(figure, left + 0.32, bottom + 1.0, 1.5, 1.5), images[mistake["index"]])
        axes = add_axes(figure, left, bottom, 2.14, 0.85)
        colours = [GREY] * 10
        colours[mistake["label"]], colours[mistake["prediction"]] = BLUE, VERMILLION
        axes.bar(DIGITS, probabilities[mistake["index"]], width=0.8, color=colours)
        axes.set(ylim=(0, 1), yticks=(0, 0.5, 1), xticks=DIGITS)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.tick_params(length=0, labelsize=10, labelleft=number % columns == 0)
        axes.grid(axis="y")
        for tick, digit in zip(axes.get_xticklabels(), DIGITS):
            if digit in (mistake["prediction"], mistake["label"]):
                tick.set(color=colours[digit], fontweight="bold")
        figure.text(
            (left + 1.07) / 10.2,
            (bottom + 2.55) / figure.get_figheight(),
            f"#{mistake['index']}, "
            + (f"wrong label {mistake['label']}" if mistake["label_known_wrong"] else f"label {mistake['label']}"),
            ha="center",
        )
    return figure


@styled
def reliability_diagram(bins: list[dict], expected_calibration_error: float) -> Figure:
    """Draw how often the network is right against the confidence that it states.

    Args:
        bins: list of dicts with lower and upper edge, images, confidence (mean), accuracy and
            accuracy_interval (95 %), bins without images left out (`scores.calibration_bins`).
        expected_calibration_error: 0 to 1 (Guo et al. 2017, arXiv 1706.04599).
    """
    total = sum(group["images"] for group in bins)
    figure = new_figure(
        6.6,
        7.2,
        f"Confidence is off by {100 * expected_calibration_error:.2f} points on average",
        f"expected calibration error over {total:,} digits; bars show 95 % intervals",
    )
    upper, lower = add_axes(figure, 0.95, 2.6, 5.35, 3.6), add_axes(figure, 0.95, 0.6, 5.35, 1.4)
    upper.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
    upper.text(
        0.02,
        0.04,
        "perfectly calibrated",
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        color=GREY,
        fontsize=10,
    )
    for group in bins:
        (low, high), accuracy = group["accuracy_interval"], group["accuracy"]
        upper.errorbar(
            group["confidence"],
            accuracy,
            [[accuracy - low], [high - accuracy]],
            fmt="o",
            color=BLUE,
            markersize=7,
            lw=1.5,
            capsize=3,
            clip_on=False,
        )
        left, right, count = group["lower"], group["upper"], group["images"]
        lower.bar(left, count, right - left, align="edge", color=BLUE, edgecolor="white")
        lower.text((left + right) / 2, count * 1.2, f"{count:,}", ha="center", fontsize=9)
    upper.set(xlim=(0, 1.02), ylim=(0, 1.02), ylabel="read correctly")
    lower.set(xlim=(0, 1.02), ylim=(0.7, 6 * total), yscale="log", xlabel="confidence", ylabel="digits")
    for axes in (upper, lower):
        axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    upper.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return figure


def _worst_pairs(errors):
    """Return at most two confusions that are commoner than any other, in words: "most often: 4 read as 9 (6)"."""
    cells = np.argsort(-errors, axis=None, kind="stable")[:3]
    counts = errors.ravel()[cells]
    worst = [divmod(int(cell), 10) for cell, count in zip(cells, counts) if count > counts[2]]
    words = [f"{label} read as {read} ({errors[label, read]})" for label, read in worst]
    return "most often: " + ", ".join(words) if words else ""
