"""digits/inference/calibration.py: the temperature is the one that was hidden, and only the confidence changes."""

import numpy as np
import pytest

from digits.inference import calibration, keras_model


def honest_answers(count, temperature, seed=0):
    """Return probabilities (N, 10) that are off by a temperature, and labels (N,) drawn from the true probabilities."""
    random = np.random.default_rng(seed)
    logits = 3 * random.normal(size=(count, 10))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    stated = np.exp(logits * temperature) / np.exp(logits * temperature).sum(axis=1, keepdims=True)
    return stated.astype(np.float32), np.array([random.choice(10, p=row) for row in true])


@pytest.mark.parametrize("hidden", [0.4, 1.0, 2.5])
def test_the_hidden_temperature_is_found(hidden):
    stated, labels = honest_answers(5000, hidden)
    temperature, loss = calibration.best_temperature(stated, labels)
    assert temperature == pytest.approx(hidden, rel=0.06)
    assert loss <= -np.log(np.maximum(stated[np.arange(len(labels)), labels], 1e-12)).mean() + 1e-4


@pytest.fixture
def network(tiny):
    """A copy of the small network, which may be changed."""
    import keras

    copy = keras.models.clone_model(tiny)
    copy.set_weights(tiny.get_weights())
    return copy


def test_calibration_divides_the_logits_by_the_temperature(network, mnist):
    """Labels are drawn from the answers at half their logits: the network is twice as sure as it should be."""
    images, random = mnist.x_test[:3000], np.random.default_rng(0)
    before = keras_model.predict(network, images)
    true = before**0.5 / (before**0.5).sum(axis=1, keepdims=True)
    labels = np.array([random.choice(10, p=row / row.sum()) for row in true.astype(float)])
    temperature = calibration.calibrate(network, images, labels)
    assert temperature == pytest.approx(2, rel=0.06)
    after = keras_model.predict(network, images)
    expected = before ** (1 / temperature)
    assert after == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-4)
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    assert calibration.calibrate(network, images, labels) == pytest.approx(1, abs=0.03)  # it is calibrated now


def test_score_is_the_accuracy_and_the_loss_after_calibration(network, mnist):
    images, labels = mnist.x_test[:500], mnist.y_test[:500]
    accuracy, loss = calibration.score(network, images, labels)
    calibration.calibrate(network, images, labels)
    answers = keras_model.predict(network, images)
    assert accuracy == np.mean(answers.argmax(axis=1) == labels)
    assert loss == pytest.approx(-np.log(answers[np.arange(500), labels]).mean(), rel=1e-3)
