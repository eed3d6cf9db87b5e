"""Figures of how a training went: histories in, a matplotlib Figure out.

    from digits.figures import training
    training.training_curves(model_files.read_history())             # shows itself in a notebook

See digits/figures/style.py on what all figures have in common.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from digits.figures.style import BLUE, DIGIT_COLOURS, GREY, add_axes, new_figure, styled
from digits.support.messages import percent


@styled
def training_curves(
    history: dict[str, list[float]], note: str = "not comparable: training digits are augmented, their labels smoothed"
) -> Figure:
    """Draw error rate, loss and learning rate over the epochs.

    Args:
        history: dict of equally long lists: epoch (from 1), accuracy, loss, val_accuracy, val_loss (fractions
            and nats) and learning_rate.
        note: the second line of the heading.
    """
    epochs = np.asarray(history["epoch"], int)
    figure = new_figure(
        11, 4.5, f"{percent(history['val_accuracy'][-1], 2)} of the validation digits read correctly after epoch {epochs[-1]}", note
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
    """Draw the validation error of several trainings over their epochs, one panel for each setting that was changed.

    Args:
        groups: dict of panel names to dicts of training names to histories (see `training_curves`). A training that is in
            all panels is blue, with round markers; there are three others in a panel at most.
        title, note: the heading.
    """
    figure = new_figure(11, 4.8, title, note)
    panels = [add_axes(figure, 0.95 + 10.05 / len(groups) * k, 0.6, 10.05 / len(groups) - 0.85, 2.75) for k in range(len(groups))]
    for axes, (name, trainings) in zip(panels, groups.items()):
        others = iter(zip(DIGIT_COLOURS[1:], "s^D"))
        for training, history in trainings.items():
            everywhere = all(history in group.values() for group in groups.values())
            colour, marker = (DIGIT_COLOURS[0], "o") if everywhere else next(others)
            axes.plot(
                history["epoch"], 1 - np.asarray(history["val_accuracy"]), color=colour, marker=marker, markersize=6, label=training
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


def _epoch_axes(axes, title, epochs):
    """Give axes a title and a scale of whole epochs."""
    axes.set_title(title)
    axes.set(xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5), ylim=(0, 1.08 * axes.get_ylim()[1]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y")


def _error_scale(axes):
    """Scale the y axis for shares of misread digits: logarithmic down to 0.1 %, then linear, because a share can be 0."""
    axes.set_yscale("symlog", linthresh=1e-3, linscale=0.3)
    axes.yaxis.set_major_locator(FixedLocator([0, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5, 1]))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
