"""What the drawn training pictures must keep to: MNIST's geometry, the seed, and what makes a 1 a 1."""

import numpy as np
import pytest

from digits.training import synthetic

COUNT = 300


@pytest.fixture(scope="module")
def digits():
    return synthetic.draw_digits(2000, seed=3)


def drawings():
    """Return each function's name and pictures; fragments are made of drawn digits, as they need no file."""
    images, labels = synthetic.draw_digits(COUNT, seed=7)
    return {
        "digits": images,
        "non_digits": synthetic.draw_non_digits(COUNT, seed=7),
        "from_digits": synthetic.non_digits_from_digits(images, labels, COUNT, seed=7),
    }


@pytest.fixture(scope="module")
def pictures():
    return drawings()


def flag_angles(form, count=300):
    """Return how far a form's first stroke falls from its top end to its other end, in degrees below level.

    The first stroke starts at the left end of a 1's flag or of a 7's bar; the other end is the 1's highest or
    the 7's rightmost point.
    """
    rng = np.random.default_rng(0)
    angles = []
    for _ in range(count):
        stroke = synthetic._trace(form[-1], rng)[0]
        end = stroke[stroke[:, 1].argmin() if form[0] == 1 else stroke[:, 0].argmax()]
        run, fall = end[0] - stroke[0, 0], stroke[0, 1] - end[1]
        angles.append(np.degrees(np.arctan2(fall, run)))
    return np.array(angles)


@pytest.mark.parametrize("name", ["digits", "non_digits", "from_digits"])
def test_pictures_keep_mnist_geometry(pictures, name):
    images = pictures[name]
    assert images.shape == (COUNT, 28, 28) and images.dtype == np.uint8
    for image in images.astype(np.float64):
        rows, columns = np.nonzero(image)
        assert image.max() == 255
        assert max(np.ptp(rows), np.ptp(columns)) < 20
        for axis in (0, 1):
            centre = (image.sum(axis=1 - axis) @ np.arange(28)) / image.sum()
            edges = (rows, columns)[axis]
            at_edge = edges.min() == 0 or edges.max() == 27  # as far as the frame lets it
            assert abs(14 - centre) <= 0.51 or at_edge


def test_most_pictures_fill_the_box(digits):
    images, _ = digits
    sides = np.array([max(np.ptp(edges) for edges in np.nonzero(image > 20)) + 1 for image in images])
    assert (sides >= 18).mean() > 0.95


def test_same_seed_same_pictures_other_seed_other_pictures(pictures):
    again = drawings()
    for name, images in pictures.items():
        assert np.array_equal(images, again[name]), name
    for draw in (lambda seed: synthetic.draw_digits(50, seed)[0], lambda seed: synthetic.draw_non_digits(50, seed)):
        first, second = draw(1), draw(2)
        assert not any(np.array_equal(image, other) for image, other in zip(first, second))
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


@pytest.mark.parametrize("form", [form for form in synthetic.DIGITS if "flag" in form[2]], ids=lambda form: form[2])
def test_flag_of_a_one_falls_steeply(form):
    angles = flag_angles(form)
    assert np.quantile(angles, 0.02) > 25 and np.median(angles) > 40


@pytest.mark.parametrize("form", [form for form in synthetic.DIGITS if form[0] == 7], ids=lambda form: form[2])
def test_bar_of_a_seven_is_near_level(form):
    angles = np.abs(flag_angles(form))
    hooked = "hook" in form[2] or "serif" in form[2]  # these begin below their bar
    assert np.quantile(angles, 0.98) < (30 if hooked else 20)


def test_forms_are_whole():
    for table in (synthetic.DIGITS, synthetic.SIGNS, synthetic.SILHOUETTES):
        for form in table:
            ends, curve, stops = synthetic._parse(form[-1])
            assert ends.shape == (2, curve.shape[1], 2) and stops[-1] == len(curve)
            assert np.allclose(curve.sum(axis=1), 1)  # a curve follows its points when they move
            assert ends.min() >= -0.31 and ends.max() <= 1.31, form
            assert np.ptp(ends[..., 1]) > 0.03 or "minus" in form
    names = [(form[0], form[2]) for form in synthetic.DIGITS] + [form[1] for form in synthetic.SIGNS]
    assert len(set(names)) == len(names)


def test_curve_meets_its_points_and_keeps_corners():
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    straight = synthetic._stroke_matrix([True] * 4) @ points
    smooth = synthetic._stroke_matrix([False] * 4) @ points
    for point in points:
        assert np.abs(smooth - point).sum(axis=1).min() < 1e-9
    assert np.allclose(np.diff(straight[:8], axis=0), [1 / 7, 0])  # even steps along a straight line
    assert smooth[:, 0].max() > 1.05  # a smooth curve swings round the corner


def test_pairs_hold_the_ink_of_two_digits():
    one = np.zeros((28, 28), np.uint8)
    one[4:24, 12:16] = 255
    labels = np.full(5, 8)  # of which FRAGMENTS has nothing: all pictures are pairs
    pairs = synthetic.non_digits_from_digits(np.stack([one] * 5), labels, 20, seed=0)
    for pair in pairs:  # two bars with a gap, never one broad bar
        middle = pair[14] > 100
        assert np.count_nonzero(np.diff(middle.astype(int)) == 1) == 2


def test_no_pictures():
    images, labels = synthetic.draw_digits(0, seed=0)
    assert images.shape == (0, 28, 28) and labels.shape == (0,)
    assert synthetic.draw_non_digits(0, seed=0).shape == (0, 28, 28)
