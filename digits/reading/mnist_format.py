"""MNIST's own format: how its digits lie in 28x28 pixels, and how to draw others in the same way.

    image = mnist_normalise(ink)             # (h, w) ink of one digit, any size -> (28, 28) uint8

NumPy and OpenCV only.
"""

import cv2
import numpy as np

from digits.reading.image_statistics import border_share
from digits.reading.strokes import ink_box, stroke_width

BORDER = 0.85  # of an image's border is paper at least: a digit with its weight at one end may touch it


def fit(ink: np.ndarray) -> np.ndarray:
    """Draw ink as MNIST draws digits: 20x20 box, aspect ratio kept, centre of mass at the centre of 28x28.

    LeCun's recipe (rebuilt in facebookresearch/qmnist): a digit is fitted into 20x20 with anti-aliasing and then
    moved so that its centre of mass falls on pixel (14, 14), counted from 0.

    Args:
        ink: (h, w) bool, uint8 or float, ink on 0.

    Returns:
        (28, 28) uint8, ink 255 at its darkest; all 0 when there is no ink.
    """
    image = np.zeros((28, 28), np.uint8)
    x, y, width, height = ink_box(ink)
    if width == 0:
        return image
    ink = ink[y : y + height, x : x + width].astype(np.float32)
    width, height = (max(1, round(side * 20 / max(ink.shape))) for side in ink.shape[::-1])
    small = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
    center = small.sum(axis=0) @ np.arange(width), small.sum(axis=1) @ np.arange(height)
    left, top = (round(float(14 - moment / small.sum())) for moment in center)
    left, top = min(max(left, 0), 28 - width), min(max(top, 0), 28 - height)
    image[top : top + height, left : left + width] = np.round(small * (255 / small.max()))
    return image


def mnist_normalise(ink: np.ndarray) -> np.ndarray:
    """Draw ink as MNIST would (see `fit`), with a pen of MNIST's width or wider.

    Strokes thinner than MNIST's thinnest are made as wide, because a hair line of one pixel on 500 would fade to
    nothing.

    Args and returns as `fit`.
    """
    ink = np.asarray(ink, np.float32)
    x, y, width, height = ink_box(ink)
    if width == 0:
        return np.zeros((28, 28), np.uint8)
    ink = ink[y : y + height, x : x + width] / ink.max()
    if max(ink.shape) < 80:  # enlarge first, so that widths can be set finely
        factor = 80 / max(ink.shape)
        ink = cv2.resize(ink, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    elif max(ink.shape) > 160:  # and no finer than that, which takes time
        height, width = (max(1, round(side * 160 / max(ink.shape))) for side in ink.shape)
        ink = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)
    grow = round((0.085 * max(ink.shape) - stroke_width(ink > 0.5)) / 2)
    if grow > 0:
        ink = cv2.copyMakeBorder(ink, grow, grow, grow, grow, cv2.BORDER_CONSTANT, value=0)
        ink = cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1,) * 2))
    return fit(np.clip(ink, 0, 1))


def already_mnist(image: np.ndarray, invert: str = "auto") -> np.ndarray | None:
    """Return an image that is in MNIST's own format as it is, ink on 0; None when it is not.

    That is: 28x28, grey, a border of plain paper, ink that spans 20 pixels (18 to 22) and whose centre of mass lies within a
    pixel of (14, 14). Going through a mask of strokes would only blur it.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        invert: "auto", "yes" (dark ink on light paper) or "no" (light ink on dark).

    Returns:
        (28, 28) uint8, or None.
    """
    if image.shape[:2] != (28, 28):
        return None
    grey = image if image.ndim == 2 else image[..., 1]
    if image.ndim == 3 and (cv2.absdiff(image[..., 0], grey).max() > 16 or cv2.absdiff(image[..., 2], grey).max() > 16):
        return None
    light_on_dark = border_share(grey <= 24) >= BORDER
    if (not light_on_dark and border_share(grey >= 231) < BORDER) or invert == ("yes" if light_on_dark else "no"):
        return None
    ink = grey if light_on_dark else 255 - grey
    _, _, width, height = ink_box(ink > 64)
    if not 18 <= max(width, height) <= 22 or ink.max() < 160:
        return None
    moments = cv2.moments(np.maximum(ink, 24) - 24)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    return np.ascontiguousarray(ink) if max(abs(x - 14), abs(y - 14)) <= 1.2 else None
