"""digits/figures/dataset.py: what stands in the axes of each figure, and that nothing overlaps or is cut off."""

import numpy as np
import pytest

from digits.figures import dataset
from layout import check_layout, images_in, texts


@pytest.fixture
def digits():
    """1,000 images, each of one grey (its index modulo 256), and labels 0 to 9 in turn."""
    images = np.zeros((1000, 28, 28), np.uint8) + (np.arange(1000) % 256).astype(np.uint8)[:, None, None]
    return images, np.arange(1000) % 10


def test_sample_digits(digits):
    images = digits[1][:, None, None] * 20 + np.zeros((1000, 28, 28), np.uint8)
    figure = dataset.sample_digits(images.astype(np.uint8), digits[1], per_class=5)
    (mosaic,) = images_in(figure)
    assert mosaic.shape == (10 * 32 - 4, 5 * 32 - 4)
    for digit in range(10):
        row = mosaic[digit * 32 : digit * 32 + 28]
        assert set(np.unique(row)) == {0, digit * 20}
        assert (row == digit * 20).sum() >= 5 * 28 * 28
    assert any(word.startswith("1,000 handwritten digits, 5 of each") for word in texts(figure))
    check_layout(figure)


def test_sample_digits_with_few_and_no_images(digits):
    images, labels = digits
    keep = (labels != 4) & ((labels != 2) | (np.arange(1000) < 20))
    figure = dataset.sample_digits(images[keep] | 1, labels[keep])
    (mosaic,) = images_in(figure)
    assert mosaic[4 * 32 : 4 * 32 + 28].max() == 0 and "none" in " ".join(texts(figure))
    assert mosaic[2 * 32 : 2 * 32 + 28, 2 * 32 :].max() == 0  # two images of a 2: the rest of the row stays blank


def test_class_averages():
    images = np.zeros((20, 28, 28), np.uint8)
    images[:10] += np.array([10, 20, 30, 40, 50, 50, 60, 70, 80, 190], np.uint8)[:, None, None]
    labels = np.repeat([3, 7], 10)
    figure = dataset.class_averages(images, labels)
    (mosaic,) = images_in(figure)
    tile = [[mosaic[row * 32 + 5, digit * 32 + 5] for digit in (3, 7, 0)] for row in range(4)]
    assert tile[0] == [60, 0, 0]  # the average
    assert tile[1][0] == pytest.approx(2 * images[:10, 0, 0].std()) and tile[1][1:] == [0, 0]
    assert tile[2] == [60, 0, 0] and tile[3] == [190, 0, 0]  # nearest and farthest
    check_layout(figure)


def test_augmentation(digits):
    images = digits[0][100:103]
    variants = np.stack([images + 1, images + 2], axis=1)
    figure = dataset.augmentation(images, variants)
    before, after = images_in(figure)
    assert [before[row * 32, 0] for row in range(3)] == [100, 101, 102]
    assert [after[row * 32, column * 32] for row in range(3) for column in range(2)] == [101, 102, 102, 103, 103, 104]
    assert {"before", "after"} <= set(texts(figure))
    check_layout(figure)


def test_embedding_names_each_digit_and_rings_what_was_misread():
    points = np.random.default_rng(0).normal(size=(60, 2))
    labels = np.arange(60) % 3
    misread = np.arange(60) == 7
    figure = dataset.embedding(points, labels, "title", "note", misread)
    groups = figure.axes[0].collections
    assert len(groups) == 4  # three digits, and the rings
    for digit in range(3):
        assert np.allclose(groups[digit].get_offsets(), points[labels == digit])
    assert np.allclose(groups[3].get_offsets(), points[7])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2"]
