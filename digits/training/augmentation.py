"""How handwriting varies: each training batch is redrawn a little differently, on the batch, in TensorFlow.

    images = augment(images, seed=(0, step))     # (N, 28, 28, 1) float32, 0 to 255, in and out

Everything is a pure function of the images and the seed ("stateless" random numbers): a training that is
interrupted and resumed sees exactly the images it would have seen.
"""

import numpy as np
import tensorflow as tf

ROTATION = 15.0  # degrees, either way
SCALE = 0.12  # each axis by 1 - SCALE to 1 + SCALE: squeezed and stretched digits
SHEAR = 0.2  # slant, in pixels per pixel
SHIFT = 2.0  # pixels
STRETCH_SHARE = 0.1  # of the images are squeezed or stretched further, up to a square
PEN_SHARE = 0.3  # of the images get a thicker or a thinner pen
COARSE_SHARE = 0.1  # of the images lose detail, as in small bitmaps and hard thresholds


def augment(images: tf.Tensor, seed: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    """Redraw a batch of digits: pen width, affine warp, loss of detail.

    Args:
        images: (N, 28, 28, 1) float32, 0 (paper) to 255 (ink).
        seed: two integers, or an int tensor of shape (2,); the same seed gives the same result.

    Returns:
        (N, 28, 28, 1) float32, 0 to 255.
    """
    pen_seed, warp_seed, detail_seed = tf.unstack(tf.random.split(tf.convert_to_tensor(seed, tf.int32), 3))
    return lose_detail(warp(change_pen_width(images, pen_seed), warp_seed), detail_seed)


def warp(images: tf.Tensor, seed: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    """Rotate, slant, scale and shift each image about its centre, in one bilinear resampling; stretch some to a square.

    Args and returns as `augment`.
    """
    count, size = tf.shape(images)[0], images.shape[1]
    turn, slant, scale_x, scale_y, shift_x, shift_y, stretch, chance = tf.unstack(
        tf.random.stateless_uniform((8, count), seed, -1, 1)
    )
    turn, slant = np.pi / 180 * ROTATION * turn, SHEAR * slant
    scale_x, scale_y = 1 + SCALE * scale_x, 1 + SCALE * scale_y
    scale_x = tf.where(chance < 2 * STRETCH_SHARE - 1, _stretch(images, stretch), scale_x)
    # Where each pixel of the new image comes from: x' = xx x + xy y + x0, y' = yx x + yy y + y0.
    xx, xy = tf.cos(turn) * scale_x, (tf.cos(turn) * slant - tf.sin(turn)) * scale_x
    yx, yy = tf.sin(turn) * scale_y, (tf.sin(turn) * slant + tf.cos(turn)) * scale_y
    center = (size - 1) / 2
    x0 = center - (xx + xy) * center + SHIFT * shift_x
    y0 = center - (yx + yy) * center + SHIFT * shift_y
    zero = tf.zeros_like(x0)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([xx, xy, x0, yx, yy, y0, zero, zero], axis=1),
        output_shape=(size, size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _stretch(images, number):
    """Return by how much to squeeze (above 1, at most 1.5) or stretch (below 1) each image, for numbers from -1 to 1.

    None becomes wider than MNIST's box of 20 pixels, or than 1.7 times itself.
    """
    width = tf.reduce_sum(tf.cast(tf.reduce_max(images, axis=[1, 3]) > 64.0, tf.float32), axis=1)
    widest = tf.clip_by_value(20 / tf.maximum(width, 1.0), 1.0, 1.7)
    return tf.where(number < 0, 1 + number * (1 - 1 / widest), 1 + 0.5 * number)


def change_pen_width(images: tf.Tensor, seed: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    """Make the strokes of a share of the images thicker or thinner (grey dilation or erosion, blended in).

    Args and returns as `augment`.
    """
    chance, direction = tf.unstack(tf.random.stateless_uniform((2, tf.shape(images)[0], 1, 1, 1), seed))
    thicker = tf.nn.max_pool2d(images, 3, 1, "SAME")
    thinner = -tf.nn.max_pool2d(-images, 2, 1, "SAME")
    amount = chance / PEN_SHARE  # evenly from 0 to 1 among the chosen
    changed = images + amount * tf.where(direction < 0.5, thicker - images, 0.7 * (thinner - images))
    return tf.where(chance < PEN_SHARE, changed, images)


def lose_detail(images: tf.Tensor, seed: tuple[int, int] | tf.Tensor) -> tf.Tensor:
    """Make a share of the images coarse: half the resolution and back, or a hard threshold.

    Args and returns as `augment`.
    """
    chance, kind = tf.unstack(tf.random.stateless_uniform((2, tf.shape(images)[0], 1, 1, 1), seed))
    blurred = tf.image.resize(tf.nn.avg_pool2d(images, 2, 2, "SAME"), images.shape[1:3])
    binary = tf.where(images > 110.0, 255.0, 0.0)
    return tf.where(chance < COARSE_SHARE, tf.where(kind < 0.5, blurred, binary), images)
