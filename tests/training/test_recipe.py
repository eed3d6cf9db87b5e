"""digits/training/recipe.py: what joins the training images, batches that can be taken up at any epoch, targets, learning rate."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from digits.training import recipe  # noqa: E402


@pytest.fixture(scope="module")
def small(mnist):
    return mnist.x_train[:200], mnist.y_train[:200]


def test_images_are_added_by_share(small):
    images, labels = recipe.training_set(*small, synthetic_share=0.1, negatives_share=0.2, seed=0)
    assert images.shape == (260, 28, 28) and images.dtype == labels.dtype == np.uint8
    assert np.array_equal(images[:200], small[0]) and np.array_equal(labels[:200], small[1])
    assert labels[200:220].max() <= 9 and np.all(labels[220:] == recipe.NOT_A_DIGIT)
    assert images[200:].max(axis=(1, 2)).min() > 100  # every one shows ink
    again = recipe.training_set(*small, synthetic_share=0.1, negatives_share=0.2, seed=0)
    other = recipe.training_set(*small, synthetic_share=0.1, negatives_share=0.2, seed=1)
    assert np.array_equal(again[0], images) and not np.array_equal(other[0], images)


@pytest.mark.parametrize("synthetic, negatives, count", [(0, 0, 200), (0.1, 0, 220), (0, 0.1, 220)])
def test_either_kind_may_be_left_out(synthetic, negatives, count, small):
    assert len(recipe.training_set(*small, synthetic, negatives, seed=0)[0]) == count


def batches(images, labels, first, last, seed=0):
    dataset = recipe.Batches(images, labels, batch_size=64, seed=seed).dataset(last, first)
    return [(x.numpy(), y.numpy()) for x, y in dataset]


def test_batches_taken_up_later_are_the_same(small):
    whole, rest = batches(*small, 0, 3), batches(*small, 2, 3)
    assert len(whole) == 9 and len(rest) == 3
    assert all(np.array_equal(a, b) for one, two in zip(whole[6:], rest) for a, b in zip(one, two))
    assert not np.array_equal(whole[0][0], whole[3][0])
    assert not np.array_equal(whole[0][0], batches(*small, 0, 1, seed=1)[0][0])


def test_batches_of_one_epoch_hold_each_image_at_most_once():
    images = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None, None], (200, 28, 28))
    unchanged = recipe.Batches(images, np.zeros(200, np.uint8), batch_size=64, seed=0, augmented=False)
    seen = np.concatenate([x.numpy()[:, 0, 0, 0] for x, _ in unchanged.dataset(epochs=1)])
    assert len(seen) == 192 == len(set(seen.tolist())) and unchanged.steps == 3


def test_every_batch_is_varied_anew(small):
    """The same image again and again: it differs within a batch, from batch to batch, and from epoch to epoch."""
    images = np.repeat(small[0][:1], 128, axis=0)
    seen = [x for x, _ in batches(images, np.zeros(128, np.uint8), 0, 2)]
    assert len(seen) == 4
    for other in seen[1:]:
        assert np.mean(np.any(seen[0] != other, axis=(1, 2, 3))) > 0.95  # at the same place in the batch
    assert np.mean(np.any(seen[0][1:] != seen[0][:-1], axis=(1, 2, 3))) > 0.95


def test_targets():
    targets = recipe.targets(tf.constant([3, recipe.NOT_A_DIGIT], tf.uint8)).numpy()
    assert targets.dtype == np.float32 and np.allclose(targets.sum(axis=1), 1)
    assert targets[0, 3] == pytest.approx(0.955) and np.allclose(np.delete(targets[0], 3), 0.005)  # smoothed by 0.05
    assert np.allclose(targets[1], 0.1)


def test_batches_are_what_the_network_takes(small):
    labels = small[1].copy()
    labels[:100] = recipe.NOT_A_DIGIT
    (x, y), *_ = batches(small[0], labels, 0, 1)
    assert x.shape == (64, 28, 28, 1) and x.dtype == np.float32 and x.min() >= 0 and 200 < x.max() <= 255
    assert y.shape == (64, 10) and 15 < np.isclose(y, 0.1).all(axis=1).sum() < 50


def test_fewer_images_than_a_batch(small):
    assert [len(x) for x, _ in batches(small[0][:20], small[1][:20], 0, 2)] == [20, 20]


def test_accuracy_leaves_negatives_out():
    targets = recipe.targets(tf.constant([0, 1, recipe.NOT_A_DIGIT], tf.uint8))
    probabilities = tf.constant(np.eye(10, dtype=np.float32)[[0, 0, 0]])
    assert float(recipe.accuracy(targets, probabilities)) == 0.5
    assert float(recipe.accuracy(targets[2:], probabilities[2:])) == 0


def test_learning_rate_rises_and_falls_to_zero():
    optimizer = recipe.optimizer(0.01, steps=100)
    optimizer.build([])
    rates = []
    for step in range(101):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    assert max(rates) == pytest.approx(0.01, rel=1e-3) and rates[0] < 0.002 and rates[100] < 1e-6
    peak = int(np.argmax(rates))
    assert rates[:peak] == sorted(rates[:peak]) and rates[peak:] == sorted(rates[peak:], reverse=True)
