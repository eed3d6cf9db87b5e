"""trial.py: a short training learns, reports each epoch, and its settings matter."""

import numpy as np
import pytest

import trial
from model import predict

TINY = ((4,), (8,))


@pytest.fixture(scope="module")
def few(mnist):
    """256 training images, 200 others to validate on."""
    return mnist.x_train[:256], mnist.y_train[:256], mnist.x_train[-200:], mnist.y_train[-200:]


def test_learns_and_reports_each_epoch(few):
    seen = []
    model, history = trial.try_training(
        *few, epochs=6, batch_size=16, learning_rate=1e-2, blocks=TINY, on_epoch=lambda history: seen.append(len(history["epoch"]))
    )
    assert seen == history["epoch"] == [1, 2, 3, 4, 5, 6]
    assert history["val_accuracy"][-1] > 0.5 and history["val_accuracy"][-1] > history["val_accuracy"][0]
    assert history["learning_rate"][0] > history["learning_rate"][-1] == pytest.approx(0, abs=1e-6)
    # The model that comes back is the one that the last epoch was scored with.
    assert np.mean(predict(model, few[2]).argmax(axis=1) == few[3]) == history["val_accuracy"][-1]


def test_same_seed_same_training_and_augmentation_changes_it(few):
    runs = [trial.try_training(*few, epochs=1, blocks=TINY, **options)[1]["loss"][0] for options in ({}, {}, {"augmented": False})]
    assert runs[0] == pytest.approx(runs[1], rel=1e-4) and runs[2] != pytest.approx(runs[0], rel=1e-3)
