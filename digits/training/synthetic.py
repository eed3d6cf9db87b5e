"""Draw synthetic digits with a parametric pen, in forms that MNIST lacks.

    images, labels = draw_digits(12000, seed=0)          # flagged 1, crossed 7, open 4, curled 9, ...

MNIST's writers are American; this shows a network how the rest of the world writes. What is no digit is drawn by
`negatives.py`.
"""

import numpy as np

from digits.reading.mnist_format import fit
from digits.training import pen
from digits.training.synthetic_forms import DIGITS


def draw_digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw digits in the forms of `DIGITS`.

    Args:
        count: number of images.
        seed: integer; the same seed gives the same images.

    Returns:
        (images, labels): (count, 28, 28) uint8, ink 255 on 0, in MNIST's geometry; (count,) uint8.
    """
    rng = np.random.default_rng(seed)
    weights = np.array([form[1] for form in DIGITS])
    chosen = rng.choice(len(DIGITS), count, p=weights / weights.sum())
    images = np.zeros((count, 28, 28), np.uint8)
    for image, form in zip(images, chosen):
        _, _, _, boldest, shape = DIGITS[form]
        image[:] = fit(pen.wear(pen.draw(pen.trace(shape, rng), boldest, rng), rng))
    return images, np.array([DIGITS[form][0] for form in chosen], np.uint8)
