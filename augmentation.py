"""How handwriting varies: each training batch is redrawn a little differently, on the batch, in TensorFlow.

    images = augment(images, seed=(0, step))     # (N, 28, 28, 1) float32, 0 to 255, in and out

Everything is a pure function of the images and the seed ("stateless" random numbers): a training that is
interrupted and resumed sees exactly the pictures it would have seen.
"""
import numpy as np
import tensorflow as tf

ROTATION = 15.0  # degrees, either way
SCALE = 0.12  # each axis by 1 - SCALE to 1 + SCALE: squeezed and stretched digits
SHEAR = 0.2  # slant, in pixels per pixel
SHIFT = 2.0  # pixels
BEND = 0.5  # pixels: standard deviation of the elastic displacement
BEND_GRID = 5  # the displacement is drawn on a grid of 5x5 and interpolated
STROKE_SHARE = 0.3  # of the images get a thicker or a thinner pen
COARSE_SHARE = 0.1  # of the images lose detail, as in small bitmaps and hard thresholds


def augment(images, seed, strength=1.0):
    """Redraw a batch of digits: affine and elastic warp, pen width, loss of detail.

    Args:
        images: (N, 28, 28, 1) float32, 0 (paper) to 255 (ink).
        seed: two integers (or an int tensor of shape (2,)); the same seed gives the same result.
        strength: factor on the size of the warps and on the shares; 0 leaves the images unchanged.

    Returns:
        (N, 28, 28, 1) float32, 0 to 255.
    """
    seeds = tf.unstack(tf.random.split(tf.convert_to_tensor(seed, tf.int32), 3))
    images = change_pen_width(images, seeds[1], STROKE_SHARE * strength)
    images = warp(images, seeds[0], strength)
    return lose_detail(images, seeds[2], COARSE_SHARE * strength)


def warp(images, seed, strength=1.0):
    """Rotate, scale, slant, shift and bend each image in one bilinear resampling.

    The elastic part follows Simard, Steinkraus & Platt (2003), "Best Practices for Convolutional Neural
    Networks": a smooth random displacement field, here drawn on a coarse grid and interpolated.
    """
    count, size = tf.shape(images)[0], images.shape[1]
    affine_seed, bend_seed = tf.unstack(tf.random.split(seed, 2))
    uniform = strength * tf.random.stateless_uniform((7, count, 1, 1), affine_seed, -1.0, 1.0)
    angle, slant = ROTATION * np.pi / 180 * uniform[0], SHEAR * uniform[1]
    scale_x, scale_y = 1 + SCALE * uniform[2], 1 + SCALE * uniform[3]
    center = (size - 1) / 2
    y, x = tf.meshgrid(tf.range(size, dtype=tf.float32) - center, tf.range(size, dtype=tf.float32) - center, indexing="ij")
    sheared = x + slant * y
    bend = BEND * strength * tf.random.stateless_normal((count, BEND_GRID, BEND_GRID, 2), bend_seed)
    bend = tf.image.resize(bend, (size, size), "bicubic")
    source_x = (tf.cos(angle) * sheared - tf.sin(angle) * y) * scale_x + center + SHIFT * uniform[4] + bend[..., 0]
    source_y = (tf.sin(angle) * sheared + tf.cos(angle) * y) * scale_y + center + SHIFT * uniform[5] + bend[..., 1]
    return _sample(images, source_x, source_y)


def _sample(images, x, y):
    """Bilinear values of `images` (N, S, S, 1) at the positions x, y (N, S, S), in pixels; 0 outside."""
    count, size = tf.shape(images)[0], images.shape[1]
    padded = tf.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)))
    x, y = tf.clip_by_value(x + 1, 0.0, size + 0.999), tf.clip_by_value(y + 1, 0.0, size + 0.999)
    left, top = tf.floor(x), tf.floor(y)
    fraction_x, fraction_y = x - left, y - top
    row = size + 2
    corner = (tf.range(count) * row * row)[:, None, None] + tf.cast(top, tf.int32) * row + tf.cast(left, tf.int32)
    flat = tf.reshape(padded, [-1])
    upper = tf.gather(flat, corner) * (1 - fraction_x) + tf.gather(flat, corner + 1) * fraction_x
    lower = tf.gather(flat, corner + row) * (1 - fraction_x) + tf.gather(flat, corner + row + 1) * fraction_x
    return (upper * (1 - fraction_y) + lower * fraction_y)[..., None]


def change_pen_width(images, seed, share):
    """Make the strokes of a share of the images thicker or thinner (grey dilation or erosion, blended)."""
    count = tf.shape(images)[0]
    uniform = tf.random.stateless_uniform((2, count, 1, 1, 1), seed)
    thicker = tf.nn.max_pool2d(images, 3, 1, "SAME")
    thinner = -tf.nn.max_pool2d(-images, 2, 1, "SAME")
    amount = uniform[0] / tf.maximum(share, 1e-6)  # in [0, 1) for the chosen share
    changed = tf.where(uniform[1] < 0.5, images + amount * (thicker - images), images + 0.7 * amount * (thinner - images))
    return tf.where(uniform[0] < share, changed, images)


def lose_detail(images, seed, share):
    """Make a share of the images coarse: half the resolution and back, or a hard threshold."""
    count, size = tf.shape(images)[0], images.shape[1]
    uniform = tf.random.stateless_uniform((2, count, 1, 1, 1), seed)
    coarse = tf.image.resize(tf.nn.avg_pool2d(images, 2, 2, "SAME"), (size, size))
    binary = tf.where(images > 110.0, 255.0, 0.0)
    changed = tf.where(uniform[1] < 0.5, coarse, binary)
    return tf.where(uniform[0] < share, changed, images)
