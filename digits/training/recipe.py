"""The recipe of a training: which pictures the network sees, how they vary, and how it learns from them.

`train.py` follows it; the notebooks and benchmarks call the same functions. Each is a pure function of its
arguments and the seed, so that an interrupted training can go on as if nothing had happened.
"""

import warnings
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from digits.training import synthetic
from digits.training.augmentation import augment

LABEL_SMOOTHING = 0.05  # Szegedy et al. 2016, arXiv 1512.00567
WEIGHT_AVERAGE = 0.04  # share of the training over which the weights are averaged (exponentially)
WARM_UP = 0.2  # share of the training in which the learning rate rises; then it falls to 0 (cosine)
NOT_A_DIGIT = 255  # label of a picture whose target is the uniform distribution


def training_pictures(
    images: np.ndarray, labels: np.ndarray, pen_digits: float, non_digits: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add drawn pictures to the training images: digit forms that MNIST lacks, and things that are no digit.

    Args:
        images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9.
        pen_digits, non_digits: how many to add, as a share of N.
        seed: integer.

    Returns:
        images (M, 28, 28) uint8 and labels (M,) uint8, where NOT_A_DIGIT marks pictures of no digit.
    """
    digits, nothing = int(pen_digits * len(images)), int(non_digits * len(images))
    if digits:
        drawn, drawn_labels = synthetic.draw_digits(digits, seed)
    if nothing:
        parts = synthetic.non_digits_from_digits(images, labels, nothing // 2, seed)
        signs = synthetic.draw_non_digits(nothing - len(parts), seed)
    added = ([drawn] if digits else []) + ([parts, signs] if nothing else [])
    added_labels = ([drawn_labels] if digits else []) + [np.full(nothing, NOT_A_DIGIT)] * (nothing > 0)
    return np.concatenate([images, *added]), np.concatenate([labels, *added_labels]).astype(np.uint8)


def training_batches(
    images: np.ndarray, labels: np.ndarray, batch_size: int, seed: int, first_epoch: int, epochs: int, augmented: bool = True
) -> tf.data.Dataset:
    """Return a tf.data.Dataset of augmented batches for the epochs from `first_epoch` on.

    Order and augmentation depend only on the seed, the epoch and the batch, so a resumed training sees what an
    uninterrupted one would have seen. `augmented=False` leaves the images as they are.

    Yields:
        pictures (batch_size, 28, 28, 1) float32, 0 to 255, and targets (batch_size, 10) float32 that sum to 1.
    """
    images, labels = tf.constant(images), tf.constant(labels)

    def one_batch(step, indices):
        return prepare(tf.gather(images, indices), tf.gather(labels, indices), tf.stack([seed, tf.cast(step, tf.int32)]), augmented)

    options = tf.data.Options()
    options.autotune.enabled = False  # nothing is left to tune, and its thread would hold up the end by up to a minute
    return (
        batch_indices(len(images), batch_size, seed, first_epoch, epochs)
        .map(one_batch, num_parallel_calls=2, deterministic=True)
        .prefetch(4)
        .with_options(options)
    )


def steps_per_epoch(count: int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch of `count` images; fewer images than a batch are one batch."""
    return max(1, count // batch_size)


def batch_indices(count: int, batch_size: int, seed: int, first_epoch: int, epochs: int) -> tf.data.Dataset:
    """Return a tf.data.Dataset of (step int64, indices of the batch's images int32), in a new order each epoch.

    What is left of an epoch after the last whole batch is left out; fewer images than a batch are one batch.
    """
    steps = steps_per_epoch(count, batch_size)

    def one_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(tf.range(count), tf.stack([tf.cast(seed, tf.int64), epoch]))
        batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size).take(steps)
        return batches.enumerate(epoch * steps)

    return tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)


def prepare(
    images: tf.Tensor, labels: tf.Tensor, seed: tuple[int, int] | tf.Tensor, augmented: bool = True
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what the network is shown of a batch, and what it shall answer.

    Args:
        images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT.
        seed: two integers, or an int32 tensor of shape (2,), of the augmentation.

    Returns:
        pictures (N, 28, 28, 1) float32, 0 to 255, and targets (N, 10) float32 that sum to 1.
    """
    targets = tf.one_hot(labels, 10)  # all zeros for NOT_A_DIGIT
    is_digit = tf.reduce_sum(targets, axis=1, keepdims=True)
    targets = targets * (1 - LABEL_SMOOTHING) + 0.1 * (LABEL_SMOOTHING * is_digit + 1 - is_digit)
    pictures = tf.cast(images, tf.float32)[..., None]
    return augment(pictures, seed) if augmented else pictures, targets


def digit_accuracy(targets: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Share of right answers among the pictures of digits in a batch (the others have uniform targets)."""
    is_digit = tf.reduce_max(targets, axis=1) > 0.5
    right = tf.argmax(targets, axis=1) == tf.argmax(probabilities, axis=1)
    return tf.math.divide_no_nan(tf.reduce_sum(tf.cast(right & is_digit, tf.float32)), tf.reduce_sum(tf.cast(is_digit, tf.float32)))


def compile_model(model: keras.Model, learning_rate: float, steps: int) -> None:
    """Compile with Adam, a learning rate that rises and falls over `steps`, and averaged weights."""
    warm_up = int(steps * WARM_UP)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, max(1, steps - warm_up), warmup_target=learning_rate, warmup_steps=warm_up
    )
    momentum = 1 - 1 / max(2.0, steps * WEIGHT_AVERAGE)
    model.compile(
        keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=momentum), "categorical_crossentropy", metrics=[digit_accuracy]
    )
    model.optimizer.build(model.trainable_variables)


def fit(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    on_epoch_end: Callable[[int, dict], None],
    progress_bar: bool = False,
    augmented: bool = True,
) -> None:
    """Train a compiled model on one device, with Keras's own loop; `strategy.fit` is the one for several.

    Args:
        images, labels: of `training_pictures`. batch_size, seed, first_epoch, epochs: see `training_batches`.
        on_epoch_end: called with the epoch (from 0) and a dict of "loss" and "digit_accuracy".
    """
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)]
    if progress_bar:
        callbacks.insert(0, keras.callbacks.ProgbarLogger())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*shuffle=True.*")  # the batches are shuffled already
        model.fit(
            training_batches(images, labels, batch_size, seed, first_epoch, epochs, augmented),
            steps_per_epoch=steps_per_epoch(len(images), batch_size),
            initial_epoch=first_epoch,
            epochs=epochs,
            callbacks=callbacks,
            verbose=1 if progress_bar else 0,
        )
