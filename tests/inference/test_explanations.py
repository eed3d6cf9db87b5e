"""digits/inference/explanations.py: features, evidence and the choice of digits, against what can be computed otherwise."""

import keras
import numpy as np
import pytest
from keras import layers

from digits.inference import embedding, explanations
from digits.support import messages
from model import build_model


def test_stage_outputs_are_those_of_convolutions_and_what_the_next_one_reads():
    x = images = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 255)(x)
    x = conv = layers.Conv2D(4, 5, name="conv")(x)
    x = first = layers.ReLU(name="first")(layers.BatchNormalization()(x))
    x = second = layers.Conv2D(6, 3, activation="relu", name="second")(x)
    x = layers.MaxPooling2D(name="pool")(layers.Conv2D(8, 3, name="third")(x))
    model = keras.Model(images, layers.Dense(10)(layers.Flatten()(x)))
    image = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    outputs = explanations.stage_outputs(model, image, stages=9)
    assert [(name, maps.shape) for name, maps in outputs] == [
        ("conv", (24, 24, 4)),
        ("first", (24, 24, 4)),
        ("second", (22, 22, 6)),
        ("third", (20, 20, 8)),
        ("pool", (10, 10, 8)),
    ]
    expected = keras.Model(images, [conv, first, second])(image[None, ..., None].astype("float32"))
    for (_, maps), values in zip(outputs, expected):
        assert maps == pytest.approx(np.asarray(values)[0], abs=1e-5)
    assert [name for name, _ in explanations.stage_outputs(model, image, stages=2)] == ["conv", "first"]
    assert explanations.first_convolution(model).name == "conv"


def test_stages_are_the_shapes_of_an_image_and_all_parameters():
    model = build_model(blocks=((4,), (6,)), dropout=0.25)
    stages = explanations.stages(model)
    assert [shape for shape, _, _ in stages] == [(28, 28, 1), (24, 24, 4), (12, 12, 4), (10, 10, 6), (600,), (10,)]
    assert [steps for _, steps, _ in stages] == [
        ["scale to 0..1"],
        ["convolution 5x5"],
        ["max pooling 2x2", "batch norm", "ReLU"],
        ["convolution 3x3", "batch norm", "ReLU"],
        ["flatten", "dropout 0.25"],
        ["dense", "softmax"],
    ]
    assert sum(count for _, _, count in stages) == model.count_params()


def test_model_without_convolution_is_refused():
    dense = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])
    with pytest.raises(messages.UserError, match="no convolution"):
        explanations.first_convolution(dense)


def test_chosen_digits_end_with_the_least_confident():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(10), 500)
    chosen = explanations.choose_digits(probabilities)
    confidence = probabilities.max(axis=1)
    assert len(set(chosen)) == len(chosen) == 40
    assert list(chosen[-10:]) == list(np.argsort(-confidence)[-10:])
    assert not np.all(np.diff(confidence[chosen[:30]]) <= 0)  # these are chosen at random
    assert np.array_equal(chosen, explanations.choose_digits(probabilities))
    assert sorted(explanations.choose_digits(probabilities[:12])) == list(range(12))


@pytest.fixture(scope="module")
def model():
    """A network of one dense layer, whose gradient is known: the more ink in column k, the likelier digit k."""
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    weights = np.zeros((28, 28, 10), np.float32)
    for digit in range(10):
        weights[:, digit, digit] = 0.001
    model.layers[-1].set_weights([weights.reshape(784, 10), np.zeros(10, np.float32)])
    return model


def test_saliency_of_a_network_whose_gradient_is_known(model):
    images = np.zeros((2, 28, 28), np.uint8)
    images[0, :20, 3], images[0, :10, 8] = 255, 255
    images[1, :20, 9], images[1, :10, 0] = 255, 255
    evidence, read, rivals = explanations.saliency(model, images, copies=3)
    assert list(read) == [3, 9] and list(rivals) == [8, 0]
    expected = np.zeros((2, 28, 28))
    expected[0, :, 3] = expected[1, :, 9] = 0.001
    expected[0, :, 8] = expected[1, :, 0] = -0.001
    assert evidence == pytest.approx(expected, abs=1e-7)


def test_last_features_are_what_the_last_layer_reads(model):
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype(np.uint8)
    assert explanations.last_features(model, images) == pytest.approx(images.reshape(5, 784))


def test_model_that_does_not_end_in_a_dense_layer_is_refused():
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10), layers.Softmax()])
    with pytest.raises(messages.UserError, match="last layer is not dense"):
        explanations.saliency(model, np.zeros((1, 28, 28), np.uint8))


def test_embedding_keeps_neighbours_together():
    random = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 20)
    points = embedding.embed(random.normal(size=(60, 100)) + 9 * np.eye(3)[groups] @ random.normal(size=(3, 100)))
    assert points.shape == (60, 2)
    distances = np.linalg.norm(points[:, None] - points, axis=2) + np.diag(np.full(60, np.inf))
    assert (groups[distances.argmin(axis=1)] == groups).all()
    assert embedding.embed(random.normal(size=(5, 3))).shape == (5, 2)  # the fewest
