"""model.py: the network's shape and size, and what it does with pixels."""

import numpy as np
import pytest

from helpers import run
from model import build_model


def test_shape_and_number_of_parameters():
    network = build_model()
    assert network.input_shape == (None, 28, 28, 1) and network.output_shape == (None, 10)
    assert network.count_params() <= 400_000
    kinds = {type(layer).__name__ for layer in network.layers}
    assert {"Rescaling", "Conv2D", "BatchNormalization", "MaxPooling2D", "Dropout", "Dense"} <= kinds


def test_probabilities_add_up_to_one(tiny, mnist):
    probabilities = tiny.predict(mnist.x_test[:300, ..., None].astype("float32"), verbose=0)
    assert probabilities.shape == (300, 10) and probabilities.dtype == np.float32
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5) and probabilities.min() >= 0


def test_pixels_are_scaled_inside(tiny):
    """0 to 255 go in; the first convolution sees 0 to 1."""
    scale = next(layer for layer in tiny.layers if type(layer).__name__ == "Rescaling")
    assert np.asarray(scale(np.array([[0.0, 51.0, 255.0]]))) == pytest.approx(np.array([[0, 0.2, 1]]))


@pytest.mark.parametrize("options, share", [({}, 0.3), ({"dropout": 0.0}, 0.0), ({"dropout": 0.5}, 0.5)])
def test_training_hides_a_share_of_the_last_features(options, share):
    network = build_model(blocks=((4,), (8,)), **options)
    features = next(before for before, layer in zip(network.layers, network.layers[1:]) if "dropout" in layer.name).output
    last = network.layers[-1].input
    both = type(network)(network.inputs[0], [features, last])
    given, kept = both(np.random.default_rng(0).integers(0, 256, (200, 28, 28, 1)), training=True)
    hidden = (np.asarray(kept) == 0) & (np.asarray(given) != 0)
    assert hidden.sum() / (np.asarray(given) != 0).sum() == pytest.approx(share, abs=0.01)


@pytest.mark.slow
def test_the_script_prints_the_layers_and_nothing_else():
    done = run("model.py")
    assert (done.returncode, done.stderr) == (0, "") and "conv_1a" in done.stdout and "Total params" in done.stdout
