"""digits/figures/training.py: what stands in the axes of each figure, and that nothing overlaps or is cut off."""

import numpy as np
import pytest

from digits.figures import training
from layout import check_layout, texts


@pytest.fixture
def history():
    return {
        "epoch": [1, 2, 3],
        "accuracy": [0.9, 0.97, 0.98],
        "loss": [0.4, 0.2, 0.1],
        "val_accuracy": [0.98, 0.99, 0.99],
        "val_loss": [0.1, 0.06, 0.05],
        "learning_rate": [1e-3, 5e-4, 0.0],
        "seconds": [9, 8, 8],
    }


def test_training_curves(history):
    figure = training.training_curves(history)
    assert "99.00 % of the validation digits read correctly after epoch 3" in texts(figure)
    errors, losses, rates = figure.axes
    drawn = {line.get_label(): line.get_ydata() for line in errors.lines}
    assert drawn["training"] == pytest.approx([0.1, 0.03, 0.02])
    assert drawn["validation"] == pytest.approx([0.02, 0.01, 0.01])
    assert losses.lines[0].get_ydata() == pytest.approx(history["loss"])
    assert rates.lines[0].get_ydata() == pytest.approx(history["learning_rate"])
    check_layout(figure)


def test_training_curves_of_one_perfect_epoch(history):
    one = {column: [1.0] if "accuracy" in column else values[:1] for column, values in history.items()}
    figure = training.training_curves(one)
    assert "100 % of the validation digits read correctly after epoch 1" in texts(figure)
    assert np.isfinite(figure.axes[0].get_ylim()).all()
    check_layout(figure)


def test_compared_trainings_share_one_scale(history):
    worse = {**history, "val_accuracy": [0.5, 0.6, 0.7]}
    figure = training.compare_trainings(
        {"learning rate": {"0.1": worse, "0.01": history}, "batch size": {"32": history}}, "What changes", "with one thing changed"
    )
    first, second = figure.axes
    assert [line.get_label() for line in first.lines] == ["0.1", "0.01"]
    assert first.lines[0].get_ydata() == pytest.approx([0.5, 0.4, 0.3])
    assert first.get_ylim() == second.get_ylim() and first.get_ylim()[1] > 0.5
    check_layout(figure)
