"""digits/training/recipe.py: what joins the training images, batches that can be taken up at any epoch, and the scores."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from digits.training import recipe  # noqa: E402


@pytest.fixture(scope="module")
def pictures(mnist):
    return mnist.x_train[:200], mnist.y_train[:200]


def test_pictures_are_added_by_share(pictures):
    images, labels = recipe.training_pictures(*pictures, pen_digits=0.1, non_digits=0.2, seed=0)
    assert images.shape == (260, 28, 28) and images.dtype == labels.dtype == np.uint8
    assert np.array_equal(images[:200], pictures[0]) and np.array_equal(labels[:200], pictures[1])
    assert labels[200:220].max() <= 9 and np.all(labels[220:] == recipe.NOT_A_DIGIT)
    assert images[200:].max(axis=(1, 2)).min() > 100  # every one shows ink
    again = recipe.training_pictures(*pictures, pen_digits=0.1, non_digits=0.2, seed=0)
    other = recipe.training_pictures(*pictures, pen_digits=0.1, non_digits=0.2, seed=1)
    assert np.array_equal(again[0], images) and not np.array_equal(other[0], images)


@pytest.mark.parametrize("pen_digits, non_digits, count", [(0, 0, 200), (0.1, 0, 220), (0, 0.1, 220)])
def test_either_kind_may_be_left_out(pen_digits, non_digits, count, pictures):
    assert len(recipe.training_pictures(*pictures, pen_digits, non_digits, seed=0)[0]) == count


def batches(images, labels, first, last, seed=0):
    return [(x.numpy(), y.numpy()) for x, y in recipe.training_batches(images, labels, 64, seed, first, last)]


def test_batches_taken_up_later_are_the_same(pictures):
    whole, rest = batches(*pictures, 0, 3), batches(*pictures, 2, 3)
    assert len(whole) == 9 and len(rest) == 3
    assert all(np.array_equal(a, b) for one, two in zip(whole[6:], rest) for a, b in zip(one, two))
    assert not np.array_equal(whole[0][0], whole[3][0])
    assert not np.array_equal(whole[0][0], batches(*pictures, 0, 1, seed=1)[0][0])


def test_batches_of_one_epoch_hold_each_image_at_most_once(pictures):
    images = np.zeros((200, 28, 28), np.uint8)
    labels = np.arange(200) % 10
    counts = np.sum([y for _, y in batches(images, labels.astype(np.uint8), 0, 1)], axis=(0, 1))
    assert counts.sum() == pytest.approx(192) and counts.max() < 21


def test_targets(pictures):
    labels = pictures[1].copy()
    labels[:100] = recipe.NOT_A_DIGIT
    (x, y), *_ = batches(pictures[0], labels, 0, 1)
    assert x.shape == (64, 28, 28, 1) and x.dtype == y.dtype == np.float32 and x.min() >= 0 and x.max() <= 255
    assert np.allclose(y.sum(axis=1), 1)
    uniform = np.isclose(y, 0.1).all(axis=1)
    assert 15 < uniform.sum() < 50
    assert np.allclose(y[~uniform].max(axis=1), 0.9 + 0.01) or y[~uniform].max() > 0.5


def test_fewer_images_than_a_batch(pictures):
    assert len(list(recipe.training_batches(pictures[0][:20], pictures[1][:20], 64, 0, 0, 2))) == 2


def test_digit_accuracy_leaves_other_pictures_out():
    targets = tf.constant([[0.91] + [0.01] * 9, [0.01, 0.91] + [0.01] * 8, [0.1] * 10])
    probabilities = tf.constant(np.eye(10, dtype=np.float32)[[0, 0, 0]])
    assert float(recipe.digit_accuracy(targets, probabilities)) == 0.5
    assert float(recipe.digit_accuracy(targets[2:], probabilities[2:])) == 0


def test_learning_rate_rises_and_falls_to_zero():
    import model

    network = model.build_model(blocks=((4,), (4,)))
    recipe.compile_model(network, 0.01, 100)
    rates = [float(network.optimizer._learning_rate(step)) for step in range(101)]
    assert max(rates) == pytest.approx(0.01, rel=1e-3) and rates[0] < 0.002 and rates[100] < 1e-6
    peak = int(np.argmax(rates))
    assert rates[:peak] == sorted(rates[:peak]) and rates[peak:] == sorted(rates[peak:], reverse=True)


def test_score(monkeypatch):
    probabilities = np.full((4, 10), 0.05, np.float32)
    probabilities[:, 2] = 0.55
    monkeypatch.setattr(recipe, "predict", lambda model, images: probabilities)
    accuracy, loss = recipe.score(None, np.zeros((4, 28, 28)), np.array([2, 2, 2, 7]))
    # Three of four right: the fitting temperature makes the winner's probability 3/4, the nine others share the rest.
    assert accuracy == 0.75 and loss == pytest.approx(-(3 * np.log(0.75) + np.log(0.25 / 9)) / 4, rel=1e-3)
