"""digits/training/cut_digits.py: digits beside a rest of another stay what they are; pairs, halves and mirrored digits are none."""

import numpy as np
import pytest

from digits.training import cut_digits, synthetic

COUNT = 300


@pytest.fixture(scope="module")
def digits():
    """Synthetic digits, which need no file."""
    return synthetic.draw_digits(COUNT, seed=7)


def made(digits, seed=7):
    """Return each function's images by its name."""
    return {
        "rests": cut_digits.digits_with_rests(*digits, COUNT, seed)[0],
        "negatives": cut_digits.negatives_from_digits(*digits, COUNT, seed),
    }


@pytest.mark.parametrize("name", ["rests", "negatives"])
def test_images_keep_mnist_geometry(digits, name):
    images = made(digits)[name]
    assert images.shape == (COUNT, 28, 28) and images.dtype == np.uint8
    for image in images:
        rows, columns = np.nonzero(image)
        assert image.max() == 255
        assert max(np.ptp(rows), np.ptp(columns)) < 20


def test_same_seed_same_images_other_seed_other_images(digits):
    first, again, other = made(digits), made(digits), made(digits, seed=8)
    for name in first:
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])


def test_most_of_the_ink_beside_a_rest_is_the_digit(digits):
    """A bar of 4 by 20 pixels as every digit: what is beside it is small, on either side."""
    bar = np.zeros((5, 28, 28), np.uint8)
    bar[:, 4:24, 10:18] = 255
    images, labels = cut_digits.digits_with_rests(bar, np.arange(5), 100, seed=0)
    ink = (images > 100).sum(axis=(1, 2))
    assert labels.shape == (100,) and set(labels) == set(range(5))
    assert ink.max() < 1.5 * 8 * 20 and len(np.unique(images.reshape(100, -1), axis=0)) > 10


def test_pairs_hold_the_ink_of_two_digits():
    one = np.zeros((28, 28), np.uint8)
    one[4:24, 12:16] = 255
    labels = np.full(5, 8)  # of which FRAGMENTS has nothing: all images are pairs
    pairs = cut_digits.negatives_from_digits(np.stack([one] * 5), labels, 20, seed=0)
    for pair in pairs:  # two bars with a gap, never one broad bar
        middle = pair[14] > 100
        assert np.count_nonzero(np.diff(middle.astype(int)) == 1) == 2


def test_none(digits):
    assert cut_digits.negatives_from_digits(*digits, 0, seed=0).shape == (0, 28, 28)
    assert [part.shape for part in cut_digits.digits_with_rests(*digits, 0, seed=0)] == [(0, 28, 28), (0,)]
