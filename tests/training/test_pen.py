"""digits/training/pen.py: curves that meet their points, pens of every width, and hairlines."""

import numpy as np
import pytest

from digits.training import pen
from digits.training.synthetic_forms import DIGITS, SIGNS, SILHOUETTES


def test_forms_are_whole():
    for table in (DIGITS, SIGNS, SILHOUETTES):
        for form in table:
            ends, curve, stops = pen.parse(form[-1])
            assert ends.shape == (2, curve.shape[1], 2) and stops[-1] == len(curve)
            assert np.allclose(curve.sum(axis=1), 1)  # a curve follows its points when they move
            assert ends.min() >= -0.31 and ends.max() <= 1.31, form
            assert np.ptp(ends[..., 1]) > 0.03 or "minus" in form
    names = [(form[0], form[2]) for form in DIGITS] + [form[1] for form in SIGNS]
    assert len(set(names)) == len(names)


def test_curve_meets_its_points_and_keeps_corners():
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]])
    straight = pen.stroke_matrix([True] * 4) @ points
    smooth = pen.stroke_matrix([False] * 4) @ points
    for point in points:
        assert np.abs(smooth - point).sum(axis=1).min() < 1e-9
    assert np.allclose(np.diff(straight[:8], axis=0), [1 / 7, 0])  # even steps along a straight line
    assert smooth[:, 0].max() > 1.05  # a smooth curve swings round the corner


def test_some_pens_draw_bold_down_strokes_and_hairlines():
    """A square written down on the left, along the bottom and up on the right: some pens differ by half and more."""
    strokes = pen.trace("L0,0 0,100 100,100 100,0", np.random.default_rng(0))
    ratios = []
    for seed in range(200):
        ink = pen.draw(strokes, 0.1, np.random.default_rng(seed))
        across = ink[pen.CANVAS // 2] / 255
        ratios.append(across[pen.CANVAS // 2 :].sum() / across[: pen.CANVAS // 2].sum())
    hairlines = np.mean(np.array(ratios) < 0.5)
    assert 0.05 < hairlines < 0.5 and np.median(ratios) > 0.7


@pytest.mark.parametrize("width", [20, 60])
def test_worn_drawings_are_squeezed_and_stretched(width):
    ink = np.full((60, width), 255, np.uint8)
    shapes = [pen.wear(ink, np.random.default_rng(seed)).shape for seed in range(300)]
    proportions = np.array([shape[1] / shape[0] for shape in shapes]) * 60 / width
    assert 0.54 < proportions.min() < 0.75
    assert proportions.max() < 1.9 and (width == 60 or proportions.max() > 1.4)
