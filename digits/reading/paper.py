"""The paper under the ink: its colour and light at every pixel.

    paper, covered = background(image, scale)       # (h, w, 3) uint8; scale in working pixels per pixel of the original

NumPy and OpenCV only.
"""

import cv2
import numpy as np

from digits.reading.image_statistics import odd, otsu

BITMAP_SIDE = 64  # px; an image up to this size is one digit or a few, and has no room for shadows
BACKGROUND_SIDE = 200  # px; paper and light vary slowly, their estimate needs no more than this
MIN_CONTRAST = 4.0  # grey levels (of 255), the lowest threshold: less is never ink, however clean the paper
COARSE, WINDOW = 10, 2.0  # px is the highest small writing high where its paper is looked for, in windows so many times as high


def reduce(image: np.ndarray, factor: int) -> np.ndarray:
    """Return an image (h, w, 3) uint8 with its sides divided by a whole number."""
    size = max(1, image.shape[1] // factor), max(1, image.shape[0] // factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def median(image: np.ndarray, side: int) -> np.ndarray:
    """Return the median of an image (h, w, 3) uint8 in a window of `side` pixels; of a grey one in a third of the time."""
    if (image == image[..., :1]).all():
        return cv2.merge([cv2.medianBlur(image[..., 0], side)] * 3)
    return cv2.medianBlur(image, side)


def border_plane(image: np.ndarray) -> np.ndarray:
    """Fit a plane of colour to the image's border, so robustly that strokes touching it do not matter.

    Args:
        image: (h, w, 3) uint8.

    Returns:
        (h, w, 3) float32.
    """
    height, width = image.shape[:2]
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    design = np.stack([np.ones_like(rows), rows, columns], axis=-1)
    ring = np.ones((height, width), bool)
    edge = max(1, min(height, width) // 14)
    ring[edge:-edge, edge:-edge] = False
    points, colours = design[ring], image[ring].astype(np.float32)
    fit = np.zeros((3, 3), np.float32)
    fit[0] = np.median(colours, axis=0)
    for _ in range(5):
        distance = np.abs(colours - points @ fit).max(axis=1)
        weight = 1 / (1 + (distance / 12) ** 4)
        if weight.sum() < 0.3 * len(weight):
            break  # no plane: the border is not paper alone
        weighted = points * weight[:, None]
        fit = np.linalg.solve(weighted.T @ points + 1e-3 * np.eye(3, dtype=np.float32), weighted.T @ colours)
    return design @ fit


def background(image: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the paper under the ink: its colour and light at every pixel.

    A median over a wide window forgets thin strokes and follows shadows' edges. Where strokes are bold it
    does not forget them all, so what differs most from it is painted over with its surroundings first, and
    a second median over a narrower window then follows the light more closely. A small bitmap has no room
    for shadows, but its strokes may cover most of it: there the border tells the paper.

    Args:
        image: (h, w, 3) uint8.
        scale: working pixels per pixel of the original image.

    Returns:
        (paper (h, w, 3) float32, covered (h, w) bool: where something lies on it).
    """
    height, width = image.shape[:2]
    factor = min(1.0, 1 / scale, BACKGROUND_SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor < 1 else image
    side = min(small.shape[:2])
    if max(height, width) <= BITMAP_SIDE * scale:
        wide = border_plane(small)
    else:
        coarse = reduce(small, 2)
        margin = min(coarse.shape[:2]) // 2
        padded = cv2.copyMakeBorder(coarse, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        wide = median(padded, odd(0.7 * side / 2))[margin : -margin or None, margin : -margin or None]
        wide = cv2.resize(wide, small.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    difference = np.maximum.reduce(cv2.split(cv2.absdiff(small.astype(np.float32), wide.astype(np.float32))))
    covered = (difference > max(otsu(difference) * 0.5, MIN_CONTRAST)).astype(np.uint8)
    covered = cv2.dilate(covered, np.ones((odd(side / 40),) * 2))
    paper = (1 - covered).astype(np.float32)
    window = (odd(side / 3), odd(side / 3))
    weight = cv2.blur(paper, window)
    filled = cv2.blur(small * paper[..., None], window) / np.maximum(weight, 1e-6)[..., None]
    filled = np.where((weight > 0.05)[..., None], filled, wide)
    repaired = np.where(covered[..., None] > 0, filled, small)
    narrow = median(np.clip(repaired, 0, 255).astype(np.uint8), odd(side / 5))
    narrow = cv2.GaussianBlur(narrow.astype(np.float32), (0, 0), 1.5)
    if factor < 1:
        narrow = cv2.resize(narrow, (width, height), interpolation=cv2.INTER_LINEAR)
        covered = cv2.resize(covered, (width, height), interpolation=cv2.INTER_NEAREST)
    return narrow, covered > 0


def background_of_small(image: np.ndarray, highest: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the paper under writing that is lower than `highest` pixels, as `background`.

    A median over a narrow window follows the edges of shadows, which one over a wide window does not.
    """
    coarse = reduce(image, max(1, round(highest / COARSE)))
    paper = median(coarse, odd(WINDOW * COARSE))
    difference = cv2.absdiff(coarse, paper).max(axis=2)
    covered = difference > max(otsu(difference) * 0.5, MIN_CONTRAST)
    size = image.shape[1::-1]
    paper = cv2.resize(cv2.GaussianBlur(paper.astype(np.float32), (0, 0), 1.5), size, interpolation=cv2.INTER_LINEAR)
    return paper, cv2.resize(covered.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
