"""Take away what is printed and not written: ruled lines, squared paper, bars, forms in colour. `frames.py` looks for frames.

Each function proposes another version of the strokes; whether it reads better is for the network to say,
because the bar of a 7 that spans its image looks like a ruled line. NumPy and OpenCV only.
"""

import math

import cv2
import numpy as np

from digits.reading.hairlines import find_broken_lines
from digits.reading.image_statistics import border_share, odd, otsu, quantile
from digits.reading.ink import STRONGER, Ink, cut_out
from digits.reading.strokes import (
    UNDERLINE,
    Strokes,
    drop_specks,
    greatest_width,
    ink_box,
    is_underline,
    keep_strokes,
    label_strokes,
    stroke_mask,
    stroke_width,
)

INK_ANGLE = 16.0  # degrees between two colours of ink that can be told apart
PURE = 0.3  # of the ink's strength, at most, is the brightest channel darker under a highlighter
MARKED = 0.1, 0.97  # of the ink is such colour, where an area is highlighted
BROAD = 1.0  # times as broad as the strokes anywhere is this area somewhere, at least
RULE_LENGTH = 0.4  # of the image's width or height: shorter lines may be part of a digit
THICKEST_RULE = 0.05  # of the image's longer side: a thicker line is a stroke
CRUMB = 6.0  # thicknesses of a ruled line: what is left beside it and no larger was a part of it
LARGEST_CRUMB = 0.05  # ... and no larger than this, of the image's longer side: else it may be a digit on a thick line
DIGIT_PART = 0.3  # ... nor than this, of the highest stroke: else it may be a digit's loop that lies on the line
PRINTED = 0.7  # of the pen's width: a bar that is thinner is not of this pen
STICKS_OUT = 0.05  # of its length: so far a bar reaches beyond the writing on each side; a foot of a 2 does not
ACROSS = 0.9  # of the ink's width has ink in the lower half where there is such a bar
LEAST_BAR = 0.1  # of the image's width is a bar beside other writing
THICKEST_BAR = 1.5  # pen's widths; a thicker bar under the writing is a stroke
LINE_LENGTH = 4.0  # times as long as the highest stroke is high: surely no part of a digit
FAINT_LINES = 0.5  # of the faint ink lies on lines, where it is printed
HOUGH_SIDE = 400  # px; lines are looked for at this size


def separate_inks(difference: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
    """Split the ink by colour where an image has two inks, such as black digits in a form printed in red.

    Args:
        difference: (h, w, 3) float32, image minus paper.
        mask: (h, w) bool, all ink.

    Returns:
        list of two (h, w) float32 strengths in grey levels, or an empty list when all ink has one colour.
    """
    pixels = difference[mask]
    if len(pixels) < 50:
        return []
    pixels = pixels[:: max(1, len(pixels) // 2500)]
    length = np.linalg.norm(pixels, axis=1)
    pixels = pixels[length >= np.median(length) * 0.7]
    length = np.linalg.norm(pixels, axis=1)
    colours = pixels / length[:, None]
    first = colours[np.argmin(colours @ colours.mean(axis=0))]
    centres = np.stack([first, colours[np.argmin(colours @ first)]])
    if first @ centres[1] > math.cos(math.radians(INK_ANGLE / 2)):  # no two colours are farther apart than twice this angle
        return []
    for _ in range(8):
        nearest = np.argmax(colours @ centres.T, axis=1)
        if not 0.06 < nearest.mean() < 0.94:
            return []
        centres = np.stack([colours[nearest == k].mean(axis=0) for k in (0, 1)])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip(centres[0] @ centres[1], -1, 1)))
    spread = np.degrees(np.arccos(np.clip((colours * centres[nearest]).sum(axis=1), -1, 1)))
    if angle < INK_ANGLE or np.mean(spread) > 0.25 * angle:
        return []
    # Strokes have one colour each; shades of one ink, or the coloured fringes of a lens, mingle in every stroke.
    second = (difference @ (centres[1] - centres[0]).astype(np.float32)) > 0
    beside = mask[:, 1:] & mask[:, :-1]
    if (beside & (second[:, 1:] != second[:, :-1])).sum() > 0.02 * beside.sum():
        return []
    # Every pixel is a mixture of paper and both inks: solve for the shares, none of them negative.
    shares = difference @ np.linalg.pinv(centres).astype(np.float32)
    alone = difference @ centres.T.astype(np.float32)
    for k in (0, 1):
        shares[..., k] = np.where(shares[..., 1 - k] < 0, alone[..., k], shares[..., k])
    return [np.maximum(shares[..., k], 0) / np.float32(np.sqrt(3)) for k in (0, 1)]


def remove_marker(ink: Ink) -> np.ndarray | None:
    """Leave out what a highlighter covers: one of the channels stays bright there, and none where dark ink is.

    Returns:
        (h, w) bool, or None when there is no such area: one that is coloured and somewhere much broader than the strokes.
    """
    if ink.brightest is None:
        return None
    bright = ink.brightest[ink.mask] < PURE * ink.strength[ink.mask]
    if not len(bright) or not MARKED[0] < bright.mean() < MARKED[1]:
        return None
    dark = cut_out(np.maximum(ink.brightest, 0), ink.covered)
    return dark if dark.any() and greatest_width(ink.mask & ~dark) > BROAD * greatest_width(dark) else None


def vertical_runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number the vertical runs of `mask` (h, w) bool.

    Returns:
        (number of the run each pixel is in (h, w) int32, 0 outside; length of each run; its middle row; its column).
    """
    numbers = np.zeros(mask.shape, np.int32)
    columns, rows = np.nonzero(mask.T)
    if len(rows) == 0:
        return numbers, np.zeros(1, int), np.zeros(1), np.zeros(1, int)
    begins = np.r_[True, (np.diff(rows) != 1) | (np.diff(columns) != 0)]
    numbers[rows, columns] = np.cumsum(begins)
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.r_[starts, len(rows)])
    return numbers, np.r_[0, lengths], np.r_[0, rows[starts] + (lengths - 1) / 2], np.r_[0, columns[starts]]


def find_rules(mask: np.ndarray) -> np.ndarray:
    """Find straight lines that run from the frame through much of the image, level within 12 degrees.

    Args:
        mask: (h, w) bool.

    Returns:
        (n, 4) float array of x0, y0, x1, y1, from left to right.
    """
    height, width = mask.shape
    end = max(1, round(0.06 * width))
    if not (mask[:, :end].any() and mask[:, -end:].any()):
        return np.zeros((0, 4))
    factor = min(1.0, HOUGH_SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    small = (small > 60).astype(np.uint8)
    # Ink that is thick both ways is no line; its outline would only distract.
    long = cv2.morphologyEx(cv2.dilate(small, np.ones((3, 1))), cv2.MORPH_OPEN, np.ones((1, max(5, int(0.06 * small.shape[1])))))
    length = RULE_LENGTH * small.shape[1]
    cv2.setRNGSeed(0)
    lines = cv2.HoughLinesP(
        cv2.bitwise_and(long, small),
        1,
        np.pi / 360,
        max(10, int(0.5 * length)),
        minLineLength=length,
        maxLineGap=0.05 * small.shape[1],
    )
    if lines is None:
        return np.zeros((0, 4))
    lines = lines.reshape(-1, 4).astype(float) / factor
    lines[lines[:, 0] > lines[:, 2]] = lines[lines[:, 0] > lines[:, 2]][:, [2, 3, 0, 1]]
    slope = (lines[:, 3] - lines[:, 1]) / np.maximum(lines[:, 2] - lines[:, 0], 1)
    lines = lines[np.abs(slope) < np.tan(np.radians(12))]
    through = (lines[:, 0] < 0.06 * width) & (lines[:, 2] > 0.94 * width)
    heights = np.sort(lines[:, 1:4:2].mean(axis=1))
    parallel = 1 + (np.diff(heights) > 0.05 * height).sum() if len(heights) else 0
    return lines if parallel >= 4 else lines[through]


def erase_level_rules(mask: np.ndarray, least: float = 0.05, thickest: float = 0.0) -> np.ndarray | None:
    """Erase level ruled lines; where a stroke crosses a line, the stroke stays whole.

    Along a line the ink is as high as the line is thick; where it is clearly higher, a stroke crosses.

    Args:
        mask: (h, w) bool.
        least: share of the ink that has to be left: where hardly any is, the line may be a 1.
        thickest: pixels; a thicker line is a stroke. At least THICKEST_RULE.

    Returns:
        (h, w) bool, or None when there is no ruled line.
    """
    rules = find_rules(mask)
    if len(rules) == 0:
        return None
    height, width = mask.shape
    numbers, lengths, middles, column_of = vertical_runs(mask)
    erase, found = np.zeros(len(lengths), bool), 0.0
    thickest = max(thickest, THICKEST_RULE * max(height, width))
    columns = np.arange(width)
    for x0, y0, x1, y1 in rules:
        slope, start = (y1 - y0) / max(x1 - x0, 1), y0
        reach = max(4, 0.02 * height)
        for _ in range(3):  # Hough's line is rough: fit it to the thin runs near it
            rows = np.arange(-int(reach), int(reach) + 1)[:, None] + start + slope * (columns - x0)
            rows = np.clip(np.round(rows).astype(int), 0, height - 1)
            near = np.unique(numbers[rows, columns])[1:]
            if len(near) == 0:
                break
            thickness = quantile(lengths[near], 0.3)
            near = near[lengths[near] <= 1.3 * thickness + 1]
            if np.ptp(column_of[near]) < 0.3 * width:
                break
            slope, start = np.polyfit(column_of[near] - x0, middles[near], 1)
            reach = max(2.0, thickness)
        else:
            if thickness <= thickest:
                off = np.abs(middles[near] - (start + slope * (column_of[near] - x0)))
                erase[near[off <= 0.5 * thickness + 1.5]] = True
                found = max(found, thickness)
    rest = mask & ~erase[numbers]
    tallest = label_strokes(rest).boxes[:, 3].max(initial=0)
    cleaned = drop_crumbs(rest, erase[numbers], min(CRUMB * found, LARGEST_CRUMB * max(mask.shape), DIGIT_PART * tallest))
    return cleaned if erase.any() and cleaned.sum() >= least * mask.sum() else None


def drop_crumbs(mask: np.ndarray, erased: np.ndarray, size: float) -> np.ndarray:
    """Return `mask` without the ink beside what was `erased`, both (h, w) bool, that is at most `size` pixels high and wide."""
    strokes = label_strokes(mask)
    beside = np.zeros(len(strokes.areas) + 1, bool)
    beside[strokes.labels[cv2.dilate(erased.astype(np.uint8), np.ones((3, 3))) > 0]] = True
    return keep_strokes(strokes, ~beside[1:] | (strokes.boxes[:, 2:].max(axis=1, initial=0) > size)).labels > 0


def remove_rules(mask: np.ndarray) -> np.ndarray | None:
    """Erase ruled lines and squared paper.

    Args:
        mask: (h, w) bool.

    Returns:
        (h, w) bool, or None when there are no ruled lines.
    """
    level = erase_level_rules(mask)
    upright = erase_level_rules(mask.T) if level is None else erase_level_rules(level.T, least=0.0)  # blank squared paper is blank
    return level if upright is None else upright.T.copy()


def remove_faint(strength: np.ndarray, mask: np.ndarray, scale: float) -> np.ndarray | None:
    """Leave out printed lines that are fainter and thinner than the pen's strokes and run out of the image.

    Args:
        strength: (h, w) float32, how far each pixel differs from its paper towards the ink, in grey levels.
        mask: (h, w) bool, all ink.
        scale: working pixels per pixel of the original image: one of these around a stroke is its soft rim.

    Returns:
        (h, w) bool, or None when there are no such lines.
    """
    if not border_share(mask):
        return None
    values = strength[mask]
    usual = quantile(values, 0.5)
    for level in (otsu(values), *(factor * usual for factor in STRONGER)):  # nearly all of the ink may be lines
        strong = mask & (strength > level)
        kept = mask & (cv2.dilate(strong.astype(np.uint8), np.ones((odd(3 * scale),) * 2)) > 0)
        faint = mask & ~kept
        height = label_strokes(kept).boxes[:, 3].max(initial=0)
        length = min(RULE_LENGTH * min(mask.shape), LINE_LENGTH * height)  # a slanted line is not level for long
        lines = faint & find_broken_lines(faint, max(5, int(length)))
        if border_share(lines) and lines.sum() >= FAINT_LINES * faint.sum() and stroke_width(faint) < PRINTED * stroke_width(kept):
            return kept
    return None


def remove_bar(mask: np.ndarray) -> tuple[np.ndarray, bool] | None:
    """Erase a level bar under the writing that touches it: the line of a form, which sticks out on both sides, or an underline.

    Args:
        mask: (h, w) bool.

    Returns:
        ((h, w) bool, whether the bar is surely not the foot of a 2: printed, thinner than the pen, or longer than a digit is wide),
        or None when there is none.
    """
    x, y, width, height = ink_box(mask)
    box = np.s_[y : y + height, x : x + width]
    across = np.count_nonzero(mask[box][height // 2 :].any(axis=0))
    if not height or across < ACROSS * width:
        return None
    if (written := erase_level_rules(mask[box], thickest=THICKEST_BAR * stroke_width(mask))) is None:
        return None
    bar = mask[box] & ~written
    rows = np.flatnonzero(bar.any(axis=1))
    thickness = np.count_nonzero(bar) / max(1, int(np.count_nonzero(bar.any(axis=0))))
    above = drop_specks(label_strokes(written))
    left, top, rest_width, rest_height = ink_box(above.labels)
    end = max(1, round(STICKS_OUT * width))
    free = not mask[box][: height // 2, np.r_[:end, width - end : width]].any()
    sticks_out = free and min(left, width - left - rest_width) > end and thickness <= THICKEST_RULE * max(width, height)
    long = is_underline(width, above.boxes)
    if not (sticks_out or long) or rows.mean() < top + 0.8 * rest_height:
        return None
    rest = np.zeros_like(mask)
    rest[box] = written
    return rest, bool(long or thickness < PRINTED * stroke_width(rest))


def remove_bars(mask: np.ndarray, strokes: Strokes) -> tuple[np.ndarray, bool] | None:
    """Erase the bar under all the writing or, where there is none, those that several strokes stand on: a form's, beside its label.

    Args:
        mask: (h, w) bool. strokes: those of the mask.

    Returns:
        as `remove_bar`.
    """
    if (found := remove_bar(mask)) is not None:
        return found
    rest = mask.copy()
    for i in np.flatnonzero(strokes.boxes[:, 2] > np.maximum(UNDERLINE * strokes.boxes[:, 3], LEAST_BAR * mask.shape[1])):
        x, y, w, h = strokes.boxes[i]
        box = np.s_[y : y + h, x : x + w]
        own = stroke_mask(strokes, i)
        if (found := remove_bar(own)) is not None and found[1]:
            rest[box] &= ~(own & ~found[0])
    return None if (rest == mask).all() else (rest, True)
