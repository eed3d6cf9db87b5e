"""Lines of writing: which strokes stand in one, how high it is, where its words end, and whether it runs level.

    for line in group_lines(strokes.boxes):                 # from top to bottom, each from left to right
        height = line_height(strokes.boxes[line])

Pure functions from array to array; NumPy only.
"""

import numpy as np

from digits.reading.image_statistics import quantile

ABOVE_SIZE = 0.35  # a dot above a letter is smaller, in heights of the line
ABOVE_GAP = 0.06  # ... and stands clear of it by this much
STACKED_SIZE = 0.4  # a piece above or below a digit may be another digit, where it is higher, in heights of the line
WORD_GAP = 0.3  # a gap between words is wider than the line's usual gap by this much, in heights of the line
MOST_GAP = 0.6  # ... but by no more than this has it to be wider, however uneven the gaps are
LONE_GAP = 1.5  # ... or wider than this, where there is no other gap to compare it with
EVEN_GAP = 1.0  # digits in the boxes of a form stand apart evenly, by this much at most, in heights of the line
UNEVEN_GAP = 0.6  # ... and no gap between them is wider than another one by more than this
DIGIT_WIDTH = 0.6  # of its height is a digit wide; a 1 stands in the middle of its place


def group_lines(boxes: np.ndarray) -> list[np.ndarray]:
    """Group strokes into lines of writing, top to bottom, and each line's strokes from left to right.

    Args:
        boxes: (n, 4) x, y, width, height.

    Returns:
        list of int arrays of indices into `boxes`.
    """
    x, y, width, height = boxes.T.astype(float)
    order = np.argsort(-height)
    lines: list[list[int]] = []  # of indices; large strokes found lines
    for i in order:
        best, best_overlap = None, 0.0
        for line in lines:
            tall = [j for j in line if height[j] > 0.5 * height[line[0]]]  # a dot is beside digits, not beside another dot
            near = min(tall, key=lambda j: abs(x[j] + width[j] / 2 - x[i] - width[i] / 2))
            overlap = min(y[i] + height[i], y[near] + height[near]) - max(y[i], y[near])
            overlap /= min(height[i], height[near])
            if overlap > best_overlap:
                best, best_overlap = line, overlap
        if best is not None and best_overlap > 0.35:
            best.append(i)
        else:
            joined = None
            if height[i] < 0.5 * max(height):  # a bar or dot above or below a line belongs to it
                for line in lines:
                    for j in line:
                        beside = min(x[i] + width[i], x[j] + width[j]) - max(x[i], x[j])
                        apart = max(y[i], y[j]) - min(y[i] + height[i], y[j] + height[j])
                        foot = beside > -0.6 * height[j] and apart < 0.12 * height[j]  # a dot or comma
                        if foot or (beside > 0.3 * min(width[i], width[j]) and apart < 0.35 * height[j]):
                            joined = line
            if joined is not None:
                joined.append(i)
            else:
                lines.append([i])
    lines.sort(key=lambda line: np.mean(y[line] + height[line] / 2))
    return [np.array(sorted(line, key=lambda i: x[i] + width[i] / 2)) for line in lines]


def line_height(boxes: np.ndarray) -> float:
    """Return the height of a line of writing: that of its digits, whatever specks and bars stand among them."""
    heights = boxes[:, 3].astype(float)
    return quantile(heights[heights > 0.4 * heights.max()], 0.5)


def level_slant(boxes: np.ndarray) -> float:
    """Return the angle, in degrees clockwise, of one line of three or more strokes that runs up or down the page.

    0.0 when the strokes make no single line, or when it is level enough as it is.

    Args:
        boxes: (n, 4) x, y, width, height.
    """
    if len(boxes) < 3:
        return 0.0
    size = np.maximum(boxes[:, 2], boxes[:, 3])
    large = boxes[size > 0.5 * size.max()]
    if len(large) < 3:
        return 0.0
    centres = large[:, :2] + large[:, 2:] / 2
    spread, axes = np.linalg.eigh(np.cov((centres - centres.mean(axis=0)).T))
    along = axes[:, 1] * np.sign(axes[0, 1] or 1)
    angle = float(np.degrees(np.arctan2(along[1], along[0])))
    straight = np.sqrt(max(spread[0], 0)) < 0.35 * np.median(large[:, 3]) and spread[1] > 9 * max(spread[0], 1e-9)
    return angle if straight and 8 < abs(angle) < 65 else 0.0


def split_words(spans: np.ndarray, height: float) -> list[tuple[int, int]]:
    """Split a line into words where a gap is wide against the line's other gaps; what stands far apart is split on its own.

    Args:
        spans: (n, 4) x0, y0, x1, y1 of the line's pieces, from left to right.
        height: of the line, in pixels.

    Returns:
        list of (first piece, last piece) of each word.
    """
    left, right = spans[:, 0] / height, np.maximum.accumulate(spans[:, 2]) / height
    gaps = np.maximum(left[1:] - right[:-1], 0)
    apart = gaps[gaps > 0]
    if len(apart) == 0:
        return [(0, len(spans) - 1)]
    usual = min(quantile(apart, 0.5), EVEN_GAP, float(apart.min()) + UNEVEN_GAP)
    if (far := np.flatnonzero(gaps > usual + LONE_GAP) + 1).size:  # columns, each with a spacing of its own
        starts, ends = [0, *far.tolist()], [*far.tolist(), len(spans)]
        parts = ((start, split_words(spans[start:end], height)) for start, end in zip(starts, ends))
        return [(start + first, start + last) for start, words in parts for first, last in words]
    spread = quantile(np.abs(apart - usual), 0.5)
    wide = usual + min(max(WORD_GAP, 4 * spread), MOST_GAP) if len(apart) > 1 else LONE_GAP
    narrow = np.maximum(min(usual, DIGIT_WIDTH) - (spans[:, 2] - spans[:, 0]) / height, 0) / 2
    gaps -= narrow[1:] + narrow[:-1]
    ends = [*np.flatnonzero(gaps > wide).tolist(), len(spans) - 1]
    return list(zip([0] + [end + 1 for end in ends[:-1]], ends))


def find_dots(spans: np.ndarray, height: float) -> np.ndarray:
    """Return (n,) bool: which pieces are dots above another one, as on an i; spans (n, 4) x0, y0, x1, y1."""
    x0, y0, x1, y1 = spans.T
    small = np.maximum(x1 - x0, y1 - y0) < ABOVE_SIZE * height
    above = (
        (y1[:, None] + ABOVE_GAP * height <= y0)
        & (np.minimum(x1[:, None], x1) > np.maximum(x0[:, None], x0))
        & (y1 - y0 > 0.45 * height)
    )
    return small & above.any(axis=1)


def find_stacked(spans: np.ndarray, height: float) -> np.ndarray:
    """Return (n, n) bool: which pieces stand above or below each other and are large; spans (n, 4) x0, y0, x1, y1."""
    x0, y0, x1, y1 = spans.T
    large = y1 - y0 > STACKED_SIZE * height
    beside = np.minimum(x1[:, None], x1) - np.maximum(x0[:, None], x0) > 0.6 * np.minimum((x1 - x0)[:, None], x1 - x0)
    apart = np.maximum(y0[:, None], y0) - np.minimum(y1[:, None], y1) > -0.1 * height
    return large[:, None] & large & beside & apart
