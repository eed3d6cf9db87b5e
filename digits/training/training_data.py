"""What a training learns from and what it is scored on, as arrays: a data set alone, or a few of one's own images and MNIST.

    own = OwnImages.of(x, y, seed=0)                                         # a handful is enough
    data = TrainingData.of("my_digits", checksum, mnist_training, mnist_validation, own)

One's own images, repeated, are a quarter of what is learned from; the rest keeps the network from forgetting
("rehearsal": Robins 1995, Connection Science 7). All are varied (`augmentation.augment`).
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from digits.support.constants import NOT_A_DIGIT
from digits.support.messages import printable

OWN_SHARE = 0.3  # of the digits: about a quarter of all, once synthetic digits and negatives have joined them
HELD_OUT = 5  # one in so many of each digit is held out ...
ENOUGH = 10  # ... where this makes so many images at least


@dataclasses.dataclass(frozen=True)
class OwnImages:
    """One's own images: which are learned from, and which show how well.

    Attributes:
        images: (N, 28, 28) uint8, to learn from. labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT.
        validation: images (M, 28, 28) uint8 and labels (M,) uint8, 0 to 9.
        held_out: whether the validation images are others than those to learn from. A few images are used for both.
    """

    images: np.ndarray
    labels: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    held_out: bool

    @classmethod
    def of(cls, images: np.ndarray, labels: np.ndarray, seed: int) -> OwnImages:
        """Hold a part of the images out: a fifth of each digit, at random, where that makes ten in all.

        Args:
            images: (N, 28, 28) uint8. labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT, with one digit at least.
            seed: integer; the same seed holds out the same images.
        """
        order = np.random.default_rng(seed).permutation(len(labels))
        digits = [order[labels[order] == digit] for digit in np.unique(labels[labels != NOT_A_DIGIT])]
        validation = np.concatenate([members[: len(members) // HELD_OUT] for members in digits])
        held_out = len(validation) >= ENOUGH
        training = np.setdiff1d(np.arange(len(labels)), validation if held_out else [])
        validation = np.sort(validation if held_out else np.concatenate(digits))
        return cls(images[training], labels[training], (images[validation], labels[validation]), held_out)


class TrainingData(NamedTuple):
    """What is learned from and what is held out.

    Attributes:
        name, checksum: of the data set that was given.
        images: (N, 28, 28) uint8, to learn from. labels: (N,) uint8, 0 to 9 or NOT_A_DIGIT.
        validation: images (M, 28, 28) uint8 and labels (M,) uint8, to tell how well the network reads, and to calibrate it.
        own: one's own images; those to learn from are among `images`. None where these are all there are.
    """

    name: str
    checksum: str
    images: np.ndarray
    labels: np.ndarray
    validation: tuple[np.ndarray, np.ndarray]
    own: OwnImages | None

    @classmethod
    def of(
        cls,
        name: str,
        checksum: str,
        training: tuple[np.ndarray, np.ndarray],
        validation: tuple[np.ndarray, np.ndarray],
        own: OwnImages | None = None,
    ) -> TrainingData:
        """Mix images and labels with one's own, if there are any; these are repeated until they are OWN_SHARE."""
        if own is None:
            return cls(name, checksum, *training, validation, own)
        images, labels = training
        count = max(len(own.images), round(len(images) * OWN_SHARE / (1 - OWN_SHARE)))
        repeated = np.arange(count) % len(own.images)
        images, labels = np.concatenate([images, own.images[repeated]]), np.concatenate([labels, own.labels[repeated]])
        return cls(name, checksum, images, labels, validation, own)

    def summary(self, added: int) -> str:
        """Return how many images there are, in one line; `added` synthetic digits and negatives join them."""
        return (
            f"{printable(self.name)}: {len(self.images)} training images, {added} synthetic digits and negatives, "
            f"{len(self.validation[0])} validation images"
        )
