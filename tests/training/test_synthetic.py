"""digits/training/synthetic.py: synthetic digits keep MNIST's geometry, the seed, and what makes a 1 a 1."""

import numpy as np
import pytest

from digits.training import pen, synthetic
from digits.training.synthetic_forms import DIGITS

COUNT = 300


@pytest.fixture(scope="module")
def digits():
    return synthetic.draw_digits(2000, seed=3)


def flag_angles(form, count=300):
    """Return how far a form's first stroke falls from its top end to its other end, in degrees below level.

    The first stroke starts at the left end of a 1's flag or of a 7's bar; the other end is the 1's highest or
    the 7's rightmost point.
    """
    rng = np.random.default_rng(0)
    angles = []
    for _ in range(count):
        stroke = pen.trace(form[-1], rng)[0]
        end = stroke[stroke[:, 1].argmin() if form[0] == 1 else stroke[:, 0].argmax()]
        run, fall = end[0] - stroke[0, 0], stroke[0, 1] - end[1]
        angles.append(np.degrees(np.arctan2(fall, run)))
    return np.array(angles)


def test_images_keep_mnist_geometry(digits):
    images, labels = digits
    assert images.shape == (2000, 28, 28) and images.dtype == labels.dtype == np.uint8
    for image in images[:COUNT].astype(np.float64):
        rows, columns = np.nonzero(image)
        assert image.max() == 255
        assert max(np.ptp(rows), np.ptp(columns)) < 20
        for axis in (0, 1):
            centre = (image.sum(axis=1 - axis) @ np.arange(28)) / image.sum()
            edges = (rows, columns)[axis]
            at_edge = edges.min() == 0 or edges.max() == 27  # as far as the frame lets it
            assert abs(14 - centre) <= 0.51 or at_edge


def test_most_images_fill_the_box(digits):
    images, _ = digits
    sides = np.array([max(np.ptp(edges) for edges in np.nonzero(image > 20)) + 1 for image in images])
    assert (sides >= 18).mean() > 0.95


def test_same_seed_same_images_other_seed_other_images():
    first, again, other = (synthetic.draw_digits(50, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not any(np.array_equal(image, another) for image, another in zip(first, other))
    assert len(np.unique(first.reshape(50, -1), axis=0)) == 50


def test_all_digits_are_drawn_and_ones_and_sevens_most(digits):
    images, labels = digits
    assert labels.dtype == np.uint8 and labels.shape == (len(images),)
    shares = np.bincount(labels, minlength=10) / len(labels)
    assert shares.min() > 0.02 and set(np.argsort(shares)[-2:]) == {1, 7}


def test_pens_are_thin_and_bold(digits):
    images, labels = digits
    across = images[labels == 1][:, 17].sum(axis=1) / 255  # a 1 has nothing but its stem there
    assert 0.4 < np.quantile(across, 0.02) < 1.5  # pixels; MNIST's pens are 2 to 4 wide
    assert np.quantile(across, 0.98) > 5


@pytest.mark.parametrize("form", [form for form in DIGITS if "flag" in form[2]], ids=lambda form: form[2])
def test_flag_of_a_one_falls_steeply(form):
    steepness = np.quantile(flag_angles(form), [0.02, 0.5])
    assert (steepness > ([20, 35] if form[2] == "flat flag" else [25, 40])).all()  # a 7's bar falls by less than 20 degrees


@pytest.mark.parametrize("form", [form for form in DIGITS if form[0] == 7], ids=lambda form: form[2])
def test_bar_of_a_seven_is_near_level(form):
    angles = np.abs(flag_angles(form))
    hooked = any(word in form[2] for word in ("hook", "serif", "loop"))  # these begin below their bar
    assert np.quantile(angles, 0.98) < (30 if hooked else 20)


def test_no_images():
    images, labels = synthetic.draw_digits(0, seed=0)
    assert images.shape == (0, 28, 28) and labels.shape == (0,)
