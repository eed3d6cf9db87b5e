"""digits/training/negatives.py: images of no digit in MNIST's geometry, by the seed, of every kind."""

import numpy as np
import pytest

from digits.training import negatives, synthetic
from digits.training.synthetic_forms import FONTS

COUNT = 300


def made(count=COUNT, seed=7):
    """Return each function's images by its name; cut digits are made of synthetic ones, which need no file."""
    images, labels = synthetic.draw_digits(COUNT, seed=7)
    return {
        "drawn": negatives.draw_negatives(count, seed),
        "from digits": negatives.negatives_from_digits(images, labels, count, seed),
    }


@pytest.fixture(scope="module")
def images():
    return made()


@pytest.mark.parametrize("name", ["drawn", "from digits"])
def test_images_keep_mnist_geometry(images, name):
    assert images[name].shape == (COUNT, 28, 28) and images[name].dtype == np.uint8
    for image in images[name].astype(np.float64):
        rows, columns = np.nonzero(image)
        assert image.max() == 255
        assert max(np.ptp(rows), np.ptp(columns)) < 20


def test_same_seed_same_images_other_seed_other_images(images):
    again, other = made(), made(seed=8)
    for name in images:
        assert np.array_equal(images[name], again[name])
        assert not any(np.array_equal(image, another) for image, another in zip(images[name], other[name]))


def test_images_differ(images):
    assert len(np.unique(images["drawn"].reshape(COUNT, -1), axis=0)) > 0.98 * COUNT


def test_fonts_have_all_letters():
    """A font draws a letter that it lacks as a box, the same for all: letters drawn must differ from that."""
    for name, letters in FONTS:
        font = negatives.load_font(name)
        missing = bytes(font.getmask("\uffff"))
        assert not [letter for letter in letters if bytes(font.getmask(letter)) == missing], name


def test_pairs_hold_the_ink_of_two_digits():
    one = np.zeros((28, 28), np.uint8)
    one[4:24, 12:16] = 255
    labels = np.full(5, 8)  # of which FRAGMENTS has nothing: all images are pairs
    pairs = negatives.negatives_from_digits(np.stack([one] * 5), labels, 20, seed=0)
    for pair in pairs:  # two bars with a gap, never one broad bar
        middle = pair[14] > 100
        assert np.count_nonzero(np.diff(middle.astype(int)) == 1) == 2


def test_none():
    assert made(count=0)["drawn"].shape == made(count=0)["from digits"].shape == (0, 28, 28)
