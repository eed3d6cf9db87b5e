"""Faint parts of strokes: the hairlines of a dip pen, the light up-strokes of a pencil.

    mask = add_hairlines(ink.strength, label_strokes(ink.mask))    # None where there are none

A threshold that tells bold strokes from paper loses what is a third as dark. But a hairline stands out from the
paper right beside it, is thin, and begins at a bold stroke; grain does not go on, and ruled lines go on for too
long. NumPy and OpenCV only.
"""

import cv2
import numpy as np

from digits.reading.image_statistics import hysteresis, noise_level, odd, quantile
from digits.reading.strokes import Strokes, ink_box, stroke_width

FAINTEST = 0.16  # of the median strength of the bold strokes
GRAIN_FACTOR = 4.0  # a hairline stands out from the paper's grain by this many standard deviations
REACH = 1.0  # of a hairline from bold strokes, in stroke widths; a shorter one is the soft edge of a stroke
LONGEST = 1.3  # of a hairline, in heights of the writing; what is longer and straight is a ruled line
RULE = 0.7  # of the least strength of a hairline: a ruled line is followed where it is fainter, too
LEAST_DENSE = 0.6  # of a ruled line is seen, at least
FAINT = 0.85  # of the least strength of ink: what is as high as a digit, and not fainter than this, may be ink
ALIKE = 0.6, 1.6  # heights of the other strokes: what is as high as a digit
FAINT_LINE = 2.5  # heights of the writing long is a line that is no digit
MOST_BROKEN = 3  # writing is at most so many times as high as its largest bold stroke


def add_hairlines(strength: np.ndarray, strokes: Strokes) -> np.ndarray | None:
    """Follow faint ridges from bold strokes.

    Args:
        strength: (h, w) float32, how far each pixel differs from its paper towards the ink, in grey levels.
        strokes: the bold strokes.

    Returns:
        (h, w) bool, the strokes with their hairlines; None where nothing is added.
    """
    mask = strokes.labels > 0
    width = stroke_width(mask)
    if not width:
        return None
    x, y, w, h = ink_box(mask)
    largest = strokes.boxes[:, 2:].max()
    length = int(LONGEST * min(max(w, h), MOST_BROKEN * largest))
    near = np.s_[max(0, y - length) : y + h + length, max(0, x - length) : x + w + length]
    result = mask.copy()
    result[near] |= follow_ridges(strength[near], mask[near], width, length)
    return result if np.count_nonzero(result) > np.count_nonzero(mask) else None


def add_faint_strokes(strength: np.ndarray, strokes: Strokes, least: float) -> np.ndarray | None:
    """Add strokes that stand alone, as high as the others, and are a little too faint to be ink by their strength alone.

    Args:
        strength, strokes: as for `add_hairlines`, but with their hairlines.
        least: strength of the faintest ink without hairlines.

    Returns:
        (h, w) bool, or None, as `add_hairlines`.
    """
    mask = strokes.labels > 0
    if not mask.any():
        return None
    beside = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))) == 0
    if not ((strength > FAINT * least) & beside).any():
        return None
    least = max(FAINT * least, GRAIN_FACTOR * noise_level(strength))
    weak = hysteresis(strength > 0.8 * least, strength > least)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(weak.astype(np.uint8), connectivity=8)
    height = quantile(np.repeat(strokes.boxes[:, 3], strokes.boxes[:, 3]), 0.5)  # most of the writing is as high as this
    keep = (boxes[:, 3] > ALIKE[0] * height) & (boxes[:, 2:4].max(axis=1) < ALIKE[1] * height)
    lines = find_broken_lines(strength > RULE * least, int(FAINT_LINE * height))
    for joined in (labels[~beside], labels[lines], labels[[0, -1]], labels[:, [0, -1]]):  # what runs out of the image is no digit
        keep[joined] = False
    keep[0] = False
    return mask | keep[labels] if 0 < keep.sum() <= 2 + len(strokes.areas) else None


def follow_ridges(strength: np.ndarray, mask: np.ndarray, width: float, length: int) -> np.ndarray:
    """Return `mask` (h, w) bool, whose strokes are `width` wide, and the hairlines of at most `length` that begin at it."""
    levels = np.clip(strength, 0, 255).astype(np.uint8)  # five times as quick as floats
    ridge = cv2.morphologyEx(levels, cv2.MORPH_TOPHAT, np.ones((odd(2 * width),) * 2))
    least = max(FAINTEST * quantile(strength[mask], 0.5), GRAIN_FACTOR * noise_level(strength))
    faint = (ridge > least) & ~find_broken_lines((ridge > RULE * least) | mask, length)
    joined = cv2.morphologyEx((faint & ~mask).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((odd(width / 2),) * 2))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    touching = np.zeros(count, bool)
    touching[labels[cv2.dilate(mask.astype(np.uint8), np.ones((3, 3))) > 0]] = True
    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3) > REACH * width
    reaching = np.bincount(labels[far & faint], minlength=count) > width  # pixels; fewer are the ragged edge of a stroke
    keep = touching & reaching & (boxes[:, 2:4].max(axis=1) <= length)
    keep[0] = False
    if not keep.any():
        return mask
    whole = cv2.morphologyEx((mask | (keep[labels] & faint)).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3)))
    return hysteresis(whole > 0, mask)


def find_broken_lines(mask: np.ndarray, length: int) -> np.ndarray:
    """Return the (h, w) bool mask of what lies on level or upright lines, with gaps, of `length` pixels or more."""
    lines = np.zeros(mask.shape, bool)
    for thick, along in (((1, 5), (length, 1)), ((5, 1), (1, length))):
        thickened = cv2.dilate(mask.astype(np.uint8), np.ones(thick[::-1]))
        dense = cv2.boxFilter(thickened, cv2.CV_32F, along) > LEAST_DENSE
        if dense.any():
            lines |= (cv2.dilate(dense.astype(np.uint8), np.ones(along[::-1])) > 0) & (thickened > 0)
    return lines
