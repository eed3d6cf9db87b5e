"""digits/training/augmentation.py: shapes, ranges, the seed, and that each change does what its name says."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
from digits.training import augmentation  # noqa: E402
from digits.training.augmentation import augment, change_pen_width, lose_detail, warp  # noqa: E402


@pytest.fixture(scope="module")
def digits(mnist):
    return mnist.x_train[:256, ..., None].astype("float32")


def ink(images):
    return np.asarray(images).sum(axis=(1, 2, 3))


def test_shape_range_and_finiteness(digits):
    images = augment(digits, (0, 1)).numpy()
    assert images.shape == digits.shape and images.dtype == np.float32
    assert np.isfinite(images).all() and images.min() >= 0 and images.max() <= 255.001
    assert np.abs(images - digits).mean() > 1


def test_pure_function_of_images_and_seed(digits):
    first = augment(digits, (3, 4)).numpy()
    assert np.array_equal(augment(digits, (3, 4)).numpy(), first)
    for seed in ((3, 5), (4, 4)):
        assert not np.array_equal(augment(digits, seed).numpy(), first)


def test_each_image_gets_its_own_change(digits):
    images = augment(np.repeat(digits[:1], 50, axis=0), (0, 0)).numpy()
    assert len(np.unique(images.reshape(50, -1), axis=0)) == 50


def test_blank_and_full_images_stay_in_range():
    for value in (0.0, 255.0):
        images = augment(np.full((64, 28, 28, 1), value, np.float32), (0, 0)).numpy()
        assert images.min() >= 0 and images.max() <= 255.001
    assert augment(np.zeros((8, 28, 28, 1), np.float32), (0, 0)).numpy().max() == 0


def test_warp_moves_ink_and_keeps_most_of_it(digits):
    warped = warp(tf.constant(digits), tf.constant((0, 0))).numpy()
    ratio = ink(warped) / ink(digits)
    assert 0.9 < np.median(ratio) < 1.1 and ratio.min() > 0.4
    rows = np.arange(28)
    centres = [(images[..., 0].sum(axis=2) * rows).sum(axis=1) / ink(images) for images in (digits, warped)]
    moved = np.abs(centres[0] - centres[1])
    assert moved.mean() > 0.3 and moved.max() < 6


def widths(images):
    """Number of columns with ink of each image."""
    return (np.asarray(images).max(axis=(1, 3)) > 64).sum(axis=1)


def test_some_images_are_squeezed_and_stretched_within_the_box(digits, monkeypatch):
    monkeypatch.setattr(augmentation, "STRETCH_SHARE", 1.0)
    for name in ("ROTATION", "SHEAR"):
        monkeypatch.setattr(augmentation, name, 0.0)
    ratio = widths(warp(tf.constant(digits), tf.constant((0, 0)))) / widths(digits)
    assert ratio.min() < 0.75 and ratio.max() > 1.4
    assert widths(warp(tf.constant(digits), tf.constant((0, 0)))).max() <= 22


def test_pen_width_changes_a_share_both_ways(digits, monkeypatch):
    changed = change_pen_width(tf.constant(digits), tf.constant((0, 0))).numpy()
    ratio = ink(changed) / ink(digits)
    assert abs(np.mean(np.abs(ratio - 1) > 1e-6) - augmentation.PEN_SHARE) < 0.1
    assert ratio.max() > 1.1 and ratio.min() < 0.9


def test_lost_detail_is_coarse_or_binary(digits, monkeypatch):
    changed = lose_detail(tf.constant(digits), tf.constant((0, 0))).numpy()
    touched = (changed != digits).any(axis=(1, 2, 3))
    assert abs(touched.mean() - augmentation.COARSE_SHARE) < 0.06
    monkeypatch.setattr(augmentation, "COARSE_SHARE", 1.0)
    changed = lose_detail(tf.constant(digits), tf.constant((0, 0))).numpy()
    binary = np.isin(changed, (0, 255)).all(axis=(1, 2, 3))
    assert 0.3 < binary.mean() < 0.7
    assert np.abs(np.diff(changed[~binary], axis=2)).mean() < 0.8 * np.abs(np.diff(digits[~binary], axis=2)).mean()
