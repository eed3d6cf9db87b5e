"""digits/training/negatives.py: images of no digit in MNIST's geometry, by the seed, of every kind."""

import numpy as np
import pytest

from digits.training import negatives
from digits.training.synthetic_forms import FONTS

COUNT = 300


@pytest.fixture(scope="module")
def images():
    return negatives.draw_negatives(COUNT, seed=7)


def test_images_keep_mnist_geometry(images):
    assert images.shape == (COUNT, 28, 28) and images.dtype == np.uint8
    for image in images:
        rows, columns = np.nonzero(image)
        assert image.max() == 255
        assert max(np.ptp(rows), np.ptp(columns)) < 20


def test_same_seed_same_images_other_seed_other_images(images):
    assert np.array_equal(images, negatives.draw_negatives(COUNT, seed=7))
    other = negatives.draw_negatives(COUNT, seed=8)
    assert np.mean([np.array_equal(*both) for both in zip(images, other)]) < 0.02
    assert len(np.unique(images.reshape(COUNT, -1), axis=0)) > 0.98 * COUNT  # a filled square may come twice


def test_fonts_have_all_letters():
    """A font draws a letter that it lacks as a box, the same for all: letters drawn must differ from that."""
    for name, letters in FONTS:
        font = negatives.load_font(name)
        missing = bytes(font.getmask("\uffff"))
        assert not [letter for letter in letters if bytes(font.getmask(letter)) == missing], name


def test_none():
    assert negatives.draw_negatives(0, seed=0).shape == (0, 28, 28)
