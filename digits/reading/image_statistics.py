"""Statistics of images: quantiles, thresholds, how two halves differ, what is beside the ink. NumPy and OpenCV only."""

import cv2
import numpy as np

FEW = 1000  # values: sorted as they are


def odd(size: float, least: int = 3) -> int:
    """Return the odd whole number nearest to `size`, at least `least` (OpenCV's kernels are odd)."""
    return max(least, int(size) // 2 * 2 + 1)


def quantile(values: np.ndarray, share: float) -> float:
    """Return the value of `values` (any shape, not empty) below which a `share` of them lie, without interpolation."""
    place = int(share * (values.size - 1))
    values = values.ravel()
    if values.dtype == np.uint8:
        return float(cv2.calcHist([values], [0], None, [256], [0, 256]).cumsum().searchsorted(place, side="right"))
    if values.size < FEW:
        return float(np.partition(values, place)[place])
    # np.partition takes 30 times as long where most values are equal, as on the plain paper of a drawing: find those first.
    sample = np.sort(values[:: max(1, values.size // 100)])
    pivot = sample[int(share * (len(sample) - 1))]
    smaller = values[values < pivot]
    if place < len(smaller):
        return float(np.partition(smaller, place)[place])
    larger = values[values > pivot]
    place -= values.size - len(larger)
    return float(np.partition(larger, place)[place] if place >= 0 else pivot)


def otsu(values: np.ndarray) -> float:
    """Return Otsu's threshold of non-negative `values` (any shape): midway between the means of the two classes."""
    top = float(values.max(initial=0))
    if top <= 0:
        return 0.0
    steps = np.minimum(values.ravel() * (255 / top), 255).astype(np.uint8)
    high = steps > cv2.threshold(steps, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    return float(steps[high].mean() + steps[~high].mean()) / 2 * top / 255 if 0 < high.sum() < high.size else 0.0


def noise_level(strength: np.ndarray) -> float:
    """Return the standard deviation of the paper's grain in grey levels, robust to the ink (Immerkaer 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    response = cv2.filter2D(strength, -1, kernel).ravel()
    return quantile(np.abs(response[:: max(1, response.size // 10000)]), 0.5) / (6 * 0.6745)


def hysteresis(weak: np.ndarray, strong: np.ndarray) -> np.ndarray:
    """Return the (h, w) bool mask of `weak` where it is connected to `strong`, both (h, w) bool (Canny 1986)."""
    count, labels = cv2.connectedComponents(weak.astype(np.uint8), connectivity=8)
    seen = np.zeros(count, bool)
    seen[labels[strong]] = True
    seen[0] = False
    return seen[labels]


def border_share(mask: np.ndarray) -> float:
    """Return the share of the image's border that is ink in `mask` (h, w) bool."""
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def halve(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Split an image into its dark and its light half by Otsu's threshold, whatever is paper.

    Args:
        image: (h, w, 3) uint8.

    Returns:
        ((h, w) bool, the dark half; how uneven the halves are: the 80th percentile of the distance from a half's
        median against the distance of the medians).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    dark = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1] > 0
    if dark.all() or not dark.any():
        return dark, 1.0
    step = max(1, min(grey.shape) // 150)
    sample, there = grey[::step, ::step], dark[::step, ::step]
    halves = [sample[half] for half in (there, ~there)]
    if min(map(len, halves)) == 0:
        return dark, 1.0
    medians = [quantile(half, 0.5) for half in halves]
    spread = max(quantile(cv2.absdiff(half, median), 0.8) for half, median in zip(halves, medians))
    return dark, spread / max(medians[1] - medians[0], 1.0)


def measure_clutter(difference: np.ndarray, mask: np.ndarray, scale: float, ruled: np.ndarray | None = None) -> float:
    """Return how far the image is from plain paper beside the ink: the 90th percentile against the ink's median.

    Args:
        difference: (h, w, 3) float32, image minus paper.
        mask: (h, w) bool, the ink.
        scale: working pixels per pixel of the original image: one of these around the ink is part ink, part paper.
        ruled: (h, w) bool, what is no clutter.
    """
    side = odd(max(min(mask.shape) / 30, 4 * scale if scale > 1 else 0))
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((side, side))) == 0
    if ruled is not None:
        beside &= ~ruled
    step = max(1, min(mask.shape) // 75)
    sample = difference[::step, ::step]
    size = np.sqrt(np.einsum("yxc,yxc->yx", sample, sample))
    ink, beside = size[mask[::step, ::step]], size[beside[::step, ::step]]
    return quantile(beside, 0.9) / max(quantile(ink, 0.5), 1.0) if len(ink) and len(beside) > 20 else 0.0
