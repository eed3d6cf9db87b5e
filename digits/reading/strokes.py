"""Pen strokes: connected ink, its width, what of it is dirt or a bar, and where it may be cut.

    strokes = label_strokes(mask)                   # (h, w) bool, the ink of an image
    strokes = drop_specks(strokes)

Pure functions from array to array; NumPy and OpenCV only.
"""

from typing import NamedTuple

import cv2
import numpy as np

from digits.reading.image_statistics import odd, quantile

MOST_STROKES = 400  # per image: a page of numbers; a photograph of foliage must not cost seconds
LONG = 4.0  # times as long as most strokes, and half as many as any other
STICKS_OUT = 0.25  # of the width of the writing above it: an underline, and not the foot of a 2
UNDERLINE = 1.3  # heights of the writing; a bar that is longer is no digit's
LONGEST_FOOT = 4.0  # heights of a 2; no foot of it is longer
BAR = 0.2  # of its length is a bar's width
LEAST_WRITING = 0.12  # of the strokes' lengths are not the bars': with less it is dirt beside a digit
SOLID, DEEP = 0.6, 0.8  # of the square over its extent is a disc's ink; of its extent is its greatest width
FEWEST_DISCS = 4  # so many are no blots
LEAST_DIGIT = 12  # px; what is smaller is dirt, or too small to read
TWO_LINES = 1.5  # heights of the other digits; a higher stroke may reach from one line into the next
MOST_CUTS = 40  # of one stroke: a ruled line that runs through the writing is no number of a hundred digits
CUT_SLANTS = (-0.3, 0.0, 0.3, 0.6)  # handwriting leans to the right, so cuts do too: x shift per y, upwards


class Strokes(NamedTuple):
    """Connected strokes: boxes (n, 4) int x, y, width, height; areas (n,); labels (h, w) int32, 1..n."""

    boxes: np.ndarray
    areas: np.ndarray
    labels: np.ndarray


def ink_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return x, y, width, height of the box of the ink in `mask` (h, w), bool or numbers from 0; all 0 where there is none."""
    x, y, width, height = cv2.boundingRect((mask > 0).view(np.uint8))
    return x, y, width, height


def stroke_width(mask: np.ndarray) -> float:
    """Return the typical width of the strokes in `mask` (h, w) bool, in pixels (0: no ink)."""
    distance = _distance_to_paper(mask)
    ridge = distance[(distance >= cv2.dilate(distance, np.ones((3, 3)))) & (distance > 0)]
    return max(1.0, 2 * quantile(ridge, 0.5) - 1) if len(ridge) else 0.0


def greatest_width(mask: np.ndarray) -> float:
    """Return the greatest width of the strokes in `mask` (h, w) bool, in pixels (0: no ink)."""
    distance = float(_distance_to_paper(mask).max())
    return max(1.0, 2 * distance - 1) if distance else 0.0


def _distance_to_paper(mask):
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 3)


def label_strokes(mask: np.ndarray) -> Strokes:
    """Label the connected strokes of `mask` (h, w) bool. Returns Strokes."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return Strokes(stats[1:, :4], stats[1:, cv2.CC_STAT_AREA], labels)


def stroke_mask(strokes: Strokes, i: int | np.integer) -> np.ndarray:
    """Return stroke number `i` in its box, (h, w) bool."""
    x, y, w, h = strokes.boxes[i]
    return strokes.labels[y : y + h, x : x + w] == i + 1


def keep_strokes(strokes: Strokes, keep: np.ndarray) -> Strokes:
    """Return `strokes` with only those where `keep` (n,) bool."""
    if keep.all():
        return strokes
    number = np.zeros(len(keep) + 1, np.int32)
    number[1:][keep] = np.arange(1, keep.sum() + 1)
    return Strokes(strokes.boxes[keep], strokes.areas[keep], number[strokes.labels])


def drop_specks(strokes: Strokes) -> Strokes:
    """Drop specks of dirt: what is small against the largest stroke in both directions. Returns Strokes."""
    if len(strokes.areas) == 0:
        return strokes
    extent = strokes.boxes[:, 2:].max(axis=1)
    keep = extent >= 0.12 * extent[~find_long_bars(strokes)].max()
    if keep.sum() > MOST_STROKES:
        keep[np.argsort(-extent * keep, kind="stable")[MOST_STROKES:]] = False  # exactly so many: many may be equally large
    return keep_strokes(strokes, keep)


def drop_discs(strokes: Strokes) -> Strokes:
    """Drop filled discs and squares where there are several: the holes of a binding. Returns Strokes.

    Smaller ones are dots, which tell text from numbers.
    """
    extent = strokes.boxes[:, 2:].max(axis=1, initial=0)
    discs = (strokes.areas > SOLID * extent**2) & (extent >= LEAST_DIGIT)
    for i in np.flatnonzero(discs):
        discs[i] = greatest_width(stroke_mask(strokes, i)) > DEEP * extent[i]
    return keep_strokes(strokes, ~discs) if FEWEST_DISCS <= discs.sum() < len(discs) else strokes


def find_long_bars(strokes: Strokes) -> np.ndarray:
    """Return (n,) bool, the bars that are many times as long as all other strokes: a pen on the paper, an edge of the sheet.

    There are none where only dirt is shorter.
    """
    extent = strokes.boxes[:, 2:].max(axis=1, initial=0)
    drawn = (extent >= LEAST_DIGIT) & (strokes.areas < 0.5 * extent**2)  # dirt is solid
    bars = extent > LONG * (np.median(extent[drawn]) if drawn.any() else extent.max(initial=0))
    for i in np.flatnonzero(bars):
        sides = cv2.minAreaRect(np.argwhere(strokes.labels == i + 1).astype(np.float32))[1]
        bars[i] = min(sides) < BAR * max(sides)
    bars &= extent > 0.5 * LONG * extent[~bars].max(initial=0)  # a large 1 has large digits beside it
    return bars & (extent[drawn & ~bars].sum() > LEAST_WRITING * extent.sum())


def with_line_beside(rest: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Return writing with the parts above and below each stroke of a line that was taken away: the foot of a 2 may lie on it.

    Args:
        rest: (h, w) bool, the writing. taken: (h, w) bool, the line.
    """
    reach = round(2 * stroke_width(taken))
    result = rest.copy()
    for x, y, w, h in label_strokes(rest).boxes:
        part = np.s_[max(0, y - reach) : y + h + reach, x : x + w]
        result[part] |= taken[part]
    return result


def find_underlines(strokes: Strokes) -> np.ndarray:
    """Return (n,) bool, bars below all other strokes that stick out far on both sides, or are longer than a digit is wide."""
    x, y, w, h = strokes.boxes.T
    bars = h < BAR * w
    if not bars.any() or bars.all():
        return np.zeros(len(x), bool)
    others = strokes.boxes[~bars]
    left, right, bottom = others[:, 0].min(), (others[:, 0] + others[:, 2]).max(), (others[:, 1] + others[:, 3]).max()
    beyond = np.where([is_underline(length, others) for length in w], 0, STICKS_OUT * (right - left))
    return bars & (y >= bottom) & (x <= left - beyond) & (x + w >= right + beyond)


def is_underline(length: float, others: np.ndarray) -> bool:
    """Tell whether a bar below strokes in boxes (n, 4) is longer than a digit is wide, or than the foot of a 2 below one stroke."""
    height = others[:, 1:4:2].sum(axis=1).max(initial=0) - others[:, 1].min(initial=10**6)
    return bool(length > (UNDERLINE if np.count_nonzero(others[:, 3] > 0.5 * height) > 1 else LONGEST_FOOT) * height)


def part_lines(strokes: Strokes) -> Strokes | None:
    """Cut strokes that reach from one line of writing into the next, where there is little ink near their middle.

    Returns:
        Strokes, or None when no stroke is much higher than the others.
    """
    heights = strokes.boxes[:, 3]
    usual = quantile(heights[heights > 0.3 * heights.max()], 0.3)  # low: most of the high ones may be two
    parted = strokes.labels > 0
    for i in np.flatnonzero(heights > TWO_LINES * usual):
        x, y, w, h = strokes.boxes[i]
        mask = stroke_mask(strokes, i)
        rows = np.arange(h)
        badness = mask.sum(axis=1) + usual * np.abs(rows / h - 0.5)
        middle = np.flatnonzero(np.abs(rows / h - 0.5) < 0.25)
        cut = middle[badness[middle].argmin()]
        parted[y + cut, x : x + w] &= ~mask[cut]
    return label_strokes(parted) if parted.sum() < np.count_nonzero(strokes.labels) else None


def turn(mask: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Turn `mask` (h, w) bool by `angle` degrees anticlockwise about its centre.

    Returns:
        (mask (h2, w2) bool that holds all of it, (2, 3) matrix from its pixels to those of the old mask).
    """
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = int(np.ceil(height * sine + width * cosine)), int(np.ceil(height * cosine + width * sine))
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    turned = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, size, flags=cv2.INTER_LINEAR) > 127
    return turned, cv2.invertAffineTransform(matrix)


def propose_cuts(mask: np.ndarray, width: float) -> list[tuple[float, float, float]]:
    """Propose where a stroke that may be several touching digits can be cut.

    Where two digits touch, a straight cut goes through little ink, and what there is stands close together:
    the outline is drawn in from above or below. (Through the middle of a 0 there is little ink, too, but at top
    and bottom.) Both are measured for every place and several slants; the best places are proposed.

    Args:
        mask: (h, w) bool, one connected stroke.
        width: stroke width in pixels.

    Returns:
        list of (x at the middle row, slant, ink cut in stroke widths), from left to right.
    """
    height, length = mask.shape
    middle, near = height / 2, 0.12 * height
    ink = mask.astype(np.float32)
    window = 2 * max(1, int(near)) + 1
    found = []
    for slant in CUT_SLANTS:
        shear = np.array([[1, slant, -slant * middle], [0, 1, 0]], np.float32)
        sheared = cv2.warpAffine(ink, shear, (length, height), flags=cv2.INTER_LINEAR)
        profile = cv2.blur(sheared.sum(axis=0, keepdims=True), (odd(width / 2, least=1), 1))[0]
        there = sheared > 0.5
        extent = np.where(there.any(axis=0), height - there.argmax(axis=0) - there[::-1].argmax(axis=0), 0)
        badness = (0.5 * profile / width + 6 * extent / height).astype(np.float32)
        lowest = cv2.erode(badness[None, :], np.ones((1, window)))[0]
        good = (badness <= lowest + 1e-3) & (profile < max(5 * width, 0.65 * height))
        found += [
            (float(badness[x]), float(x), slant, float(min(profile[x] / width, 3)))
            for x in np.flatnonzero(good)
            if near < x < length - near
        ]
    places = np.array(sorted(found)).reshape(-1, 4)[:, 1:]
    chosen: list[tuple[float, float, float]] = []
    while len(places) and len(chosen) < min(max(3, round(4 * length / height)), MOST_CUTS):
        place, slant, cut = places[0].tolist()
        chosen.append((place, slant, cut))
        # Cuts should hardly cross inside the stroke.
        places = places[np.abs(places[:, 0] - place) > 0.8 * near + np.abs(places[:, 1] - slant) * middle * 0.25]
    return sorted(chosen)


def cut_stroke(mask: np.ndarray, cuts: list[tuple[float, float, float]]) -> np.ndarray:
    """Return (h, w) int32: 0 outside the stroke, else 1 + the number of cuts to the left of the pixel."""
    rows, columns = np.indices(mask.shape)
    piece = np.ones(mask.shape, np.int32)
    for place, slant, _ in cuts:
        piece += columns + slant * (rows - mask.shape[0] / 2) > place
    return np.where(mask, piece, 0)
