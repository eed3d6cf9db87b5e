"""Make a model's probabilities honest: temperature scaling.

C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", arXiv 1706.04599, section 4.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from digits.inference.keras_model import predict

if TYPE_CHECKING:
    import keras


def best_temperature(probabilities: np.ndarray, labels: np.ndarray, smoothing: float = 0.0) -> tuple[float, float]:
    """Return the temperature that fits best, and the mean cross-entropy (nats) that it leads to.

    Args:
        probabilities: (N, 10) float32. labels: (N,) integers, 0 to 9.
        smoothing: share of the target, 0 to 1, that is spread over all classes (label smoothing).

    Returns:
        (temperature, loss), floats.
    """
    logits = np.log(np.maximum(probabilities, 1e-12))
    right = (1 - smoothing) * logits[np.arange(len(labels)), labels] + smoothing * logits.mean(axis=1)

    def loss(temperature):
        return float(np.mean(np.log(np.exp(logits / temperature).sum(axis=1)) - right / temperature))

    temperature = min(np.geomspace(0.2, 3, 200), key=loss)
    return float(temperature), loss(temperature)


def calibrate(model: keras.Model, images: np.ndarray, labels: np.ndarray, smoothing: float = 0.0) -> float:
    """Make the model's probabilities honest: divide its logits, for good, by the temperature that fits best.

    Temperature scaling on images that were not trained on. It goes into the last layer's weights and costs nothing later.

    Args:
        model: its last layer is dense, with softmax; changed in place.
        images: (N, 28, 28) pixels, 0 to 255. labels: (N,) integers, 0 to 9.
        smoothing: as in `best_temperature`; above 0, the model is made to fit smoothed targets, as before its calibration.

    Returns:
        The temperature (float): above 1 where the model was too sure, below 1 where it was too careful.
    """
    temperature, _ = best_temperature(predict(model, images), labels, smoothing)
    layer = model.layers[-1]
    layer.set_weights([weights / temperature for weights in layer.get_weights()])
    return temperature


def score(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the accuracy and the mean cross-entropy (nats) of a model on images (N, 28, 28), labels (N,).

    The cross-entropy is the one after calibration, which the saved model gets: before it, label smoothing makes every
    network look too careful.
    """
    probabilities = predict(model, images)
    return float(np.mean(probabilities.argmax(axis=1) == labels)), best_temperature(probabilities, labels)[1]
