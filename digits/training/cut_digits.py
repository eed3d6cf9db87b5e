"""Make training images of what is left when touching digits are cut apart.

images, labels = digits_with_rests(x_train, y_train, 2000, seed=1)     # whole digits beside a rest of another
images = negatives_from_digits(x_train, y_train, 4000, seed=2)         # pairs, halves, mirrored digits: no digit
"""

import cv2
import numpy as np

from digits.reading.mnist_format import fit
from digits.training import pen
from digits.training.synthetic_forms import FRAGMENTS


def digits_with_rests(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Put a strip of another digit, at most a quarter of a width, beside digits, as a cut a little off leaves it.

    Args:
        images: (N, 28, 28) uint8, ink 255 on 0.
        labels: (N,) integers 0 to 9.
        count: number of images.
        seed: integer; the same seed gives the same images.

    Returns:
        (images, labels): (count, 28, 28) uint8, ink 255 on 0, in MNIST's geometry; (count,) as `labels`.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, len(images), (count, 2))
    results = np.zeros((count, 28, 28), np.uint8)
    for result, pair in zip(results, chosen):
        digit, other = (pen.crop(image) for image in images[pair])
        width = max(1, round(rng.uniform(0, 0.25) * min(digit.shape[1], other.shape[1])))
        on_the_right = rng.random() < 0.5
        strip = other[:, :width] if on_the_right else other[:, -width:]
        if (strip > 99).any(axis=1).mean() > 0.5:  # as high as the digit it could be a 1
            strip = strip[: len(strip) // 2]
        result[:] = fit(_join(digit, strip, rng) if on_the_right else _join(strip, digit, rng))
    return results, labels[chosen[:, 0]]


def negatives_from_digits(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Make images of no digit from images of digits: two thirds pairs, one third cut or mirrored digits.

    Args:
        images: (N, 28, 28) uint8, ink 255 on 0.
        labels: (N,) integers 0 to 9.
        count: number of images.
        seed: integer; the same seed gives the same images.

    Returns:
        (count, 28, 28) uint8, ink 255 on 0, in MNIST's geometry.
    """
    rng = np.random.default_rng(seed)
    of_label = [np.flatnonzero(labels == digit) for digit in range(10)]
    changes = [change for change in FRAGMENTS if len(of_label[change[0]])]
    results = np.zeros((count, 28, 28), np.uint8)
    for index, result in enumerate(results):
        if index % 3 == 0 and changes:
            label, change = changes[rng.integers(len(changes))]
            ink = _fragment(images[rng.choice(of_label[label])], change, rng)
        else:
            first, second = images[rng.integers(0, len(images), 2)]
            ink = _side_by_side(first, second, rng)
        result[:] = fit(np.ascontiguousarray(ink))
    return results


def _side_by_side(first, second, rng):
    """Return the ink (H, W) uint8 of two digits, or of their halves that face each other, squeezed at random."""
    digits = [pen.crop(first), pen.crop(second)]
    halves = digits[0][:, digits[0].shape[1] // 2 :], digits[1][:, : digits[1].shape[1] // 2 + 1]
    which = rng.integers(6)
    for side in (0, 1):  # cuts in wrong places leave half of one or of both
        if which in (side, 2) and halves[side].mean() > 0.8 * digits[side].mean():
            digits[side] = halves[side]
    pair = _join(digits[0], digits[1], rng)
    squeeze = min(1, max(rng.uniform(0.5, 1), 0.6 * len(pair) / pair.shape[1]))
    return cv2.resize(pair, None, fx=squeeze, fy=1, interpolation=cv2.INTER_AREA)


def _join(first, second, rng):
    """Put ink on the right of other ink so that they touch or nearly do: (H, W) uint8."""
    scale = rng.uniform(0.75, 1.25)
    second = cv2.resize(second, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    height = max(len(first), len(second))
    above = int(rng.choice([0, 0.5, 1]) * (height - len(second)))
    first = np.pad(first, ((height - len(first), 0), (0, 0)))
    second = np.pad(second, ((above, height - len(second) - above), (0, 0)))
    width = first.shape[1]
    right = np.where((first > 99).any(axis=1), width - 1 - np.argmax(first[:, ::-1] > 99, axis=1), -99)
    left = np.where((second > 99).any(axis=1), np.argmax(second > 99, axis=1), 99)
    reach = right - left
    parallel = (reach >= reach.max() - 2).mean() > 0.4  # two 1s that touch would be one bold 1
    start = max(int(reach.max() + rng.integers(-1, 4) + 4 * parallel), width // 2)  # below 1 they touch
    pair = np.pad(first, ((0, 0), (0, max(0, start + second.shape[1] - width))))
    place = pair[:, start : start + second.shape[1]]
    np.maximum(place, second, out=place)
    return pair


def _fragment(image, change, rng):
    """Return the ink that is left of a digit's image after one change of `FRAGMENTS`."""
    ink = pen.crop(image)
    rows = round(min(rng.uniform(0.36, 0.46) * len(ink), 0.9 * ink.shape[1])) or 1  # a high part could be a 1
    return {"top": ink[:rows], "bottom": ink[-rows:], "mirror": ink[:, ::-1], "flip": ink[::-1]}[change]
