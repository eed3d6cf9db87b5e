"""The recipe of a training: which images the network sees, how they vary, and how it learns from them.

    images, labels = training_set(x, y, synthetic_share=0.12, negatives_share=0.12, seed=0)
    batches = Batches(images, labels, batch_size=128, seed=0)
    model.compile(optimizer=optimizer(3e-3, 4 * batches.steps), loss="categorical_crossentropy", metrics=[accuracy])
    model.fit(batches.dataset(epochs=4), epochs=4, steps_per_epoch=batches.steps, shuffle=False)

`train.py` follows it; the notebooks and benchmarks call the same functions. Everything random follows from the seed, so
that an interrupted training can go on as if nothing had happened.
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from digits.support.constants import NOT_A_DIGIT, NUM_CLASSES
from digits.training import cut_digits, negatives, synthetic
from digits.training.augmentation import augment

LABEL_SMOOTHING = 0.05  # Szegedy et al. 2016, arXiv 1512.00567
WARM_UP = 0.2  # share of the training in which the learning rate rises; then it falls to 0 (cosine)
REST_SHARE = 0.25  # of the synthetic digits are MNIST's, beside a rest of another digit; the others are drawn
CUT_SHARE = 0.33  # of the negatives are pairs and pieces of MNIST's digits; the others are drawn


def training_set(
    images: np.ndarray, labels: np.ndarray, synthetic_share: float, negatives_share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Add to the training images: synthetic digits of forms that MNIST lacks, and negatives (images of no digit).

    Args:
        images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT.
        synthetic_share, negatives_share: how many to add, as a share of N.

    Returns:
        images (M, 28, 28) uint8 and labels (M,) uint8, where NOT_A_DIGIT marks the negatives.
    """
    parts = [(images, labels)]
    if count := int(synthetic_share * len(images)):
        beside_rests = int(REST_SHARE * count)
        parts.append(cut_digits.digits_with_rests(images, labels, beside_rests, seed))
        parts.append(synthetic.draw_digits(count - beside_rests, seed))
    if count := int(negatives_share * len(images)):
        cut = cut_digits.negatives_from_digits(images, labels, int(CUT_SHARE * count), seed)
        drawn = negatives.draw_negatives(count - len(cut), seed)
        parts.append((np.concatenate([cut, drawn]), np.full(count, NOT_A_DIGIT)))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]).astype(np.uint8)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Batches:
    """The training images in batches, in a new order and varied anew in each epoch.

    Order and variation depend only on the seed, the epoch and the step, so a resumed training sees what an
    uninterrupted one would have seen.

    Attributes:
        images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT.
        augmented: whether the images are varied (`augmentation.augment`).
    """

    images: np.ndarray
    labels: np.ndarray
    batch_size: int
    seed: int
    augmented: bool = True

    @property
    def steps(self) -> int:
        """The number of whole batches in an epoch; fewer images than a batch are one batch."""
        return max(1, len(self.images) // self.batch_size)

    def dataset(self, epochs: int, first_epoch: int = 0) -> tf.data.Dataset:
        """Return the batches of the epochs from `first_epoch` (from 0) up to, not including, `epochs`, one after another.

        Yields:
            images (batch_size, 28, 28, 1) float32, 0 to 255, and targets (batch_size, 10) float32 that sum to 1.
        """
        images, labels = tf.constant(self.images), tf.constant(self.labels)

        @tf.autograph.experimental.do_not_convert  # nothing to convert, and it would need room in the temporary folder
        def one_batch(step, indices):
            return self.prepare(tf.gather(images, indices), tf.gather(labels, indices), step)

        options = tf.data.Options()
        options.autotune.enabled = False  # nothing is left to tune, and its thread would hold up the end by up to a minute
        return (
            self.indices(epochs, first_epoch)
            .map(one_batch, num_parallel_calls=2, deterministic=True)
            .prefetch(4)
            .with_options(options)
        )

    def indices(self, epochs: int, first_epoch: int = 0) -> tf.data.Dataset:
        """Return which images are in each batch: (step int64, which goes on from epoch to epoch; indices int32).

        What is left of an epoch after the last whole batch is left out.
        """

        @tf.autograph.experimental.do_not_convert
        def one_epoch(epoch):
            seed = tf.stack([tf.cast(self.seed, tf.int64), epoch])
            order = tf.random.experimental.stateless_shuffle(tf.range(len(self.images)), seed)
            batches = tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size).take(self.steps)
            return batches.enumerate(epoch * self.steps)

        return tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)

    def prepare(self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return what the network is shown of a batch, and what it is to answer.

        Args:
            images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT.
            step: scalar integer; with the batches' seed it decides the variation.

        Returns:
            images (N, 28, 28, 1) float32, 0 to 255, and targets (N, 10) float32 that sum to 1.
        """
        images = tf.cast(images, tf.float32)[..., None]
        if self.augmented:
            images = augment(images, tf.stack([self.seed, tf.cast(step, tf.int32)]))
        return images, targets(labels)


def targets(labels: tf.Tensor) -> tf.Tensor:
    """Return the probabilities that the network is to answer with: smoothed for digits, uniform for negatives.

    Args:
        labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT.

    Returns:
        (N, 10) float32.
    """
    one_hot = tf.one_hot(labels, NUM_CLASSES)  # all zeros for NOT_A_DIGIT, whose target is the uniform distribution
    smoothing = tf.where(labels[:, None] == NOT_A_DIGIT, 1.0, LABEL_SMOOTHING)
    return (1 - smoothing) * one_hot + smoothing / NUM_CLASSES


def accuracy(targets: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """Share of right answers among the images of digits in a batch; negatives have no right answer."""
    is_digit = tf.reduce_max(targets, axis=1) > 0.5
    right = tf.argmax(targets, axis=1) == tf.argmax(probabilities, axis=1)
    return tf.math.divide_no_nan(tf.reduce_sum(tf.cast(right & is_digit, tf.float32)), tf.reduce_sum(tf.cast(is_digit, tf.float32)))


def optimizer(learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Return Adam with a learning rate that rises to `learning_rate` and falls to 0 over a training of `steps` steps."""
    warm_up = int(steps * WARM_UP)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, max(1, steps - warm_up), warmup_target=learning_rate, warmup_steps=warm_up
    )
    return keras.optimizers.Adam(schedule)
