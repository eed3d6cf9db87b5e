"""What lies on the paper and is no writing: the corner of a shadow, a finger, a punched hole.

    found = without_objects(ink.strength, ink.mask, light)      # None where nothing is much thicker than the strokes

It is told by its thickness alone. NumPy and OpenCV only.
"""

import cv2
import numpy as np

from digits.reading.image_statistics import odd

THICK = 1.7  # times the greatest width of a usual stroke: writing is nowhere so thick
MOST_OF_IT = 0.4  # of an object is so thick; of a digit with a blot, less
DEEP = 0.7  # of its length is its greatest width; of a digit with a filled loop, less
LARGE, LARGE_DEEP = 16.0, 0.2  # widths; and of what is so large: a bold digit beside fine ones is less deep
LEAST_STROKE = 8  # px; what is smaller says nothing about the width of strokes
SOLID = 2.0  # widths; what is no longer is a blot or a hole, not a stroke
DEEPEST = 0.75  # of the light is missing in the deepest shade in which writing is looked for
SMALL = 6.0  # widths; nothing is written in a smaller object


def measure(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure the connected parts of `mask` (h, w) bool; number 0 is the paper.

    Returns:
        (labels (h, w) int32; (n, 5) int x, y, width, height, area; (n,) float, the greatest width of each).
    """
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    widths = np.zeros(count)
    np.maximum.at(widths, labels[mask], 2 * cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)[mask] - 1)
    return labels, boxes, widths


def count_strokes(mask: np.ndarray) -> int:
    """Return how many strokes `mask` (h, w) bool has, without specks."""
    boxes = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2]
    return int(np.count_nonzero(boxes[1:, 2:4].max(axis=1, initial=0) >= LEAST_STROKE))


def typical_width(boxes: np.ndarray, widths: np.ndarray) -> float:
    """Return the usual width of strokes, in pixels: the median of what `measure` returned of each (0: no strokes)."""
    extent = boxes[1:, 2:4].max(axis=1, initial=0)
    strokes = (extent >= LEAST_STROKE) & (extent > SOLID * widths[1:])
    return float(np.median(widths[1:][strokes])) if strokes.any() else 0.0


def without_objects(strength: np.ndarray, mask: np.ndarray, light: float | None) -> tuple[np.ndarray, np.ndarray] | None:
    """Take for paper what is much thicker than the strokes; what is written on it, as in a shadow, remains.

    Args:
        strength: (h, w) float32, how far each pixel differs from its paper towards the ink, in grey levels.
        mask: (h, w) bool, the ink.
        light: grey level of the paper and ink.SHADE together, for dark ink; None for light ink, where nothing is a shadow.

    Returns:
        ((h, w) float32, the new strength; (h, w) bool, where nothing is written); None where nothing is so thick.
    """
    for step in (2, 1):  # mostly a coarse look is enough
        labels, boxes, widths = measure(mask[::step, ::step])
        width = typical_width(boxes, widths)
        if not width or widths.max() <= THICK * width:
            return None
    kernel = np.ones((odd(THICK * width),) * 2, np.uint8)
    thick = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    x, y, w, h, area = boxes.T
    extent = np.maximum(w, h)
    outside = (x == 0) | (y == 0) | (x + w == mask.shape[1]) | (y + h == mask.shape[0])
    large = (extent > LARGE * width) & (widths > LARGE_DEEP * extent)
    objects = outside | (widths > DEEP * extent) | large
    objects &= np.bincount(labels[thick], minlength=len(boxes)) > MOST_OF_IT * area
    objects[0] = False
    if not objects.any() or objects[1:].all():
        return None
    small = objects & (extent < SMALL * width)
    objects = objects[labels]
    near = cv2.dilate(objects.astype(np.uint8), kernel) > 0
    base = np.where(near, np.maximum(cv2.morphologyEx(strength, cv2.MORPH_OPEN, kernel), 0), 0)
    lifted = strength - base
    if light is not None:  # light multiplies: in the shade, ink differs less from its paper
        lifted /= 1 - np.minimum(base / light, DEEPEST)
    # In a shadow there may be writing; a hole or a blot goes as a whole, for its rim would look like a 0.
    return lifted, cv2.dilate(small[labels].astype(np.uint8), np.ones((5, 5))) > 0
