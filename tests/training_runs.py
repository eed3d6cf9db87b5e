"""The weights that trainings end with, for tests that compare them."""

import numpy as np


def weights_of(path):
    from digits.inference import keras_model

    return keras_model.load_model(path).get_weights()


def assert_same_weights(first, second):
    first, second = weights_of(first), weights_of(second)
    assert len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second))
