"""Pictures of a training and of its results: arrays in, a matplotlib Figure out.

    from digits.figures import results
    results.training_curves(history)                                         # shows itself in a notebook
    results.confusion_matrix(matrix).savefig("confusion_matrix.png", dpi=figure_style.DPI)

The data, and how a photo becomes 28x28 pixels, are drawn by digits/figures/data.py, what goes on inside the network by
digits/figures/network.py; how all of them look is in digits/figures/style.py. Every title says what there is to see. Images are
(N, 28, 28) uint8, ink 255 on 0; they are drawn dark on white, like ink on paper.
"""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, MaxNLocator, PercentFormatter

from digits.figures.style import (
    BLUE,
    DIGIT_COLOURS,
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


@styled
def training_curves(
    history: dict[str, list[float]], note: str = "not comparable: training digits are distorted, their targets smoothed"
) -> Figure:
    """Draw error rate, loss and learning rate over the epochs; the epoch that is kept is ringed.

    Args:
        history: dict of equally long lists: epoch (from 1), accuracy, loss, val_accuracy, val_loss (fractions
            and nats) and learning_rate.
        note: the second line of the heading.
    """
    epochs = np.asarray(history["epoch"], int)
    best = max(range(len(epochs)), key=lambda i: (history["val_accuracy"][i], i))
    figure = new_figure(
        11,
        4.5,
        f"{100 * history['val_accuracy'][best]:.2f} % of the validation digits read correctly "
        f"after epoch {epochs[best]} of {epochs[-1]}",
        note,
    )
    panels = [add_axes(figure, left, 0.6, 2.75, 2.7) for left in (0.85, 4.4, 8.1)]
    lines = [
        (0, "accuracy", "training", GREY),
        (0, "val_accuracy", "validation", BLUE),
        (1, "loss", "training", GREY),
        (1, "val_loss", "validation", BLUE),
        (2, "learning_rate", None, GREY),
    ]
    for panel, column, name, colour in lines:
        values = np.asarray(history[column], float)
        values = 1 - values if panel == 0 else values
        panels[panel].plot(epochs, values, color=colour, marker="o", markersize=4, label=name)
        if name == "validation":
            panels[panel].plot(
                epochs[best], values[best], "o", color=colour, markersize=11, mfc="none", mew=2, label="best epoch", clip_on=False
            )
    for axes, title in zip(panels, ("misread digits", "loss (cross-entropy, nats)", "learning rate")):
        _epoch_axes(axes, title, epochs)
    _error_scale(panels[0])
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="upper right",
        ncols=3,
        handlelength=1.3,
        columnspacing=1.3,
        bbox_to_anchor=(1, 1 - 0.36 / 4.5),
    )
    return figure


@styled
def compare_trainings(groups: dict[str, dict[str, dict]], title: str, note: str = "") -> Figure:
    """Draw the validation error of several trainings over their epochs, one panel for each thing that was changed.

    Args:
        groups: dict, name of a panel to a dict of (name of a training to its history, see `training_curves`). A training
            that is in all panels is blue.
        title, note: the heading.
    """
    figure = new_figure(11, 4.8, title, note)
    panels = [add_axes(figure, 0.95 + 10.05 / len(groups) * k, 0.6, 10.05 / len(groups) - 0.85, 2.75) for k in range(len(groups))]
    for axes, (name, trainings) in zip(panels, groups.items()):
        others = iter(DIGIT_COLOURS[1:])
        for number, (training, history) in enumerate(trainings.items()):
            everywhere = all(history in group.values() for group in groups.values())
            axes.plot(
                history["epoch"],
                1 - np.asarray(history["val_accuracy"]),
                color=DIGIT_COLOURS[0] if everywhere else next(others),
                marker="os^D"[number % 4],
                markersize=6,
                label=training,
            )
        _epoch_axes(axes, name, history["epoch"])
        _error_scale(axes)
        axes.set_title(name, pad=26)
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(-0.04, 0.98),
            ncols=len(trainings),
            handlelength=1,
            columnspacing=0.9,
            handletextpad=0.4,
            borderpad=0.2,
            fontsize=11,
        )
    lowest, highest = zip(*(axes.dataLim.intervaly for axes in panels))
    for axes in panels:  # one scale
        axes.set_ylim(max(min(lowest) / 1.6, 0), 1.3 * max(highest))
    panels[0].set_ylabel("misread validation digits")
    return figure


def predictions(images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, note: str = "") -> Figure:
    """Draw digits with what the network reads in them and how sure it is; misread ones are marked.

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
    """Draw a confusion matrix, counts and shares of their row, whose few errors show beside a diagonal a thousand times larger.

    Errors are coloured by a logarithmic scale of their own; the diagonal is plain and zeros are blank.

    Args:
        matrix: (10, 10) counts, row = label, column = prediction (as of sklearn.metrics.confusion_matrix).
    """
    matrix = np.asarray(matrix)
    total, right = matrix.sum(), np.trace(matrix)
    errors = matrix - np.diag(np.diag(matrix))
    figure = new_figure(8.2, 8.3, f"{total - right:,} of {total:,} digits misread", _worst_pairs(errors))
    axes = add_axes(figure, 0.45, 0.1, 7.6, 6.75)
    # The scale starts below 1 and ends at 10 or above, so that a single error shows and two do not shout.
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
    for digit in DIGITS:  # how much of what is read as a digit is one
        whole = matrix[:, digit].sum()
        axes.text(digit, 9.8, percent(matrix[digit, digit] / whole) if whole else "none", **margin)
    axes.text(-0.62, 9.8, "precision", **{**margin, "ha": "right"})
    axes.set(xticks=DIGITS, yticks=DIGITS, xlim=(-1.1, 9.5), ylim=(10.1, -0.5), aspect="equal")
    for lines in (axes.vlines, axes.hlines):
        lines(np.arange(11) - 0.5, -0.5, 9.5, color="#DDDDDD", lw=1, clip_on=False)
    axes.set(xticks=[], yticks=[])
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
        limit: draw at most this many; the title says so.
    """
    shown = misclassified[:limit]
    title = f"{len(misclassified):,} of {len(images):,} digits misread"
    if len(shown) < len(misclassified):
        title += f", the {len(shown):,} most confident shown"
    note = "label → prediction, confidence, number of the image; most confident first" if shown else "nothing to show"
    if known := sum(record["label_known_wrong"] for record in misclassified):
        note += f"; in blue: {known} whose label is known to be wrong"
    captions = [
        f"{record['label']} → {record['prediction']}  {percent(record['confidence'])}\n#{record['index']}" for record in shown
    ]
    colours = [BLUE if record["label_known_wrong"] else "black" for record in shown]
    return gallery([images[record["index"]] for record in shown], captions, title, note, colours)


@styled
def hardest_mistakes(images: np.ndarray, misclassified: list[dict], probabilities: np.ndarray, limit: int = 8) -> Figure:
    """Draw misread digits large, each above the probabilities that the network gave to the ten digits.

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
        f"The {len(shown)} mistakes the network was surest of" if shown else "No mistake to show",
        "orange: what it read; blue: the label; below: the probability of each digit" if shown else "",
    )
    for number, record in enumerate(shown):
        left, bottom = 0.72 + 2.38 * (number % columns), 3.35 * (rows - 1 - number // columns) + 0.35
        show_digit(add_axes(figure, left + 0.32, bottom + 1.0, 1.5, 1.5), images[record["index"]])
        axes = add_axes(figure, left, bottom, 2.14, 0.85)
        axes.bar(
            DIGITS,
            probabilities[record["index"]],
            width=0.8,
            color=[VERMILLION if digit == record["prediction"] else BLUE if digit == record["label"] else GREY for digit in DIGITS],
        )
        axes.set(ylim=(0, 1), yticks=(0, 0.5, 1), xticks=DIGITS)
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.tick_params(length=0, labelsize=10, labelleft=number % columns == 0)
        axes.grid(axis="y")
        for tick, digit in zip(axes.get_xticklabels(), DIGITS):
            if digit in (record["prediction"], record["label"]):
                tick.set(color=VERMILLION if digit == record["prediction"] else BLUE, fontweight="bold")
        figure.text(
            (left + 1.07) / 10.2,
            (bottom + 2.55) / figure.get_figheight(),
            f"#{record['index']}, "
            + (f"wrong label {record['label']}" if record["label_known_wrong"] else f"label {record['label']}"),
            ha="center",
        )
    return figure


@styled
def reliability_diagram(bins: list[dict], expected_calibration_error: float) -> Figure:
    """Draw how often the network is right against how sure it says it is.

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


def _epoch_axes(axes, title, epochs):
    """Give axes a title and a scale of whole epochs."""
    axes.set_title(title)
    axes.set(xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5), ylim=(0, 1.08 * axes.get_ylim()[1]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y")


def _error_scale(axes):
    """Scale the y axis for shares of misread digits: logarithmic down to 0.1 %, then linear, as there may be none."""
    axes.set_yscale("symlog", linthresh=1e-3, linscale=0.3)
    axes.yaxis.set_major_locator(FixedLocator([0, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1]))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")


def _worst_pairs(errors):
    """Return at most two confusions that are commoner than any other, in words: "most often: 4 read as 9 (6)"."""
    cells = np.argsort(-errors, axis=None, kind="stable")[:3]
    counts = errors.ravel()[cells]
    worst = [divmod(int(cell), 10) for cell, count in zip(cells, counts) if count > counts[2]]
    words = [f"{label} read as {read} ({errors[label, read]})" for label, read in worst]
    return "most often: " + ", ".join(words) if words else ""
