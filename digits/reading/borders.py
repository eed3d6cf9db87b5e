"""What runs along or through the border of an image: shadows, neighbours, lines, folds of the paper; or digits cropped tightly.

    strokes, share = drop_border(strokes)        # strokes.Strokes; the share of the ink that was dropped

Pure functions; NumPy and OpenCV only.
"""

import cv2
import numpy as np

from digits.reading.lines import group_lines
from digits.reading.strokes import Strokes, keep_strokes, stroke_mask, stroke_width

THINNEST_THROUGH = 0.03  # of its length: a line from side to side of the image is printed where it is thinner
FOLD, PAGE = 0.35, 0.5  # of its height is a fold wide, at most, and the image that it goes through, at least
AS_HIGH = 0.7  # of the image is a digit high beside a 1 that fills it
OUTER_SPREAD = 0.25  # by which the first or last 1 of a tight crop is lower or higher than the other digits, at most


def drop_frame(strokes: Strokes) -> Strokes:
    """Drop what lies along the frame of an image with all its length: no pen stroke, but something half outside the image.

    In a tight crop it may be the first or last digit, a 1.
    """
    edges = np.zeros(len(strokes.areas) + 1, int)
    for edge in (strokes.labels[0], strokes.labels[-1], strokes.labels[:, 0], strokes.labels[:, -1]):
        edges = np.maximum(edges, np.bincount(edge, minlength=len(edges)))
    return keep_strokes(strokes, (edges[1:] <= 0.85 * strokes.boxes[:, 2:].max(axis=1, initial=0)) | find_outer_ones(strokes))


def find_outer_ones(strokes: Strokes) -> np.ndarray:
    """Return (n,) bool, the narrow strokes along the left or right side of a tight crop that are as high as all others."""
    left, _, right, _ = touched_sides(strokes.boxes, strokes.labels.shape)
    outer = (left | right) & (strokes.boxes[:, 2] < FOLD * strokes.boxes[:, 3])
    if not outer.any() or outer.all():
        return np.zeros(len(outer), bool)
    others = strokes.boxes[~outer]
    high = others[others[:, 3] > AS_HIGH * strokes.labels.shape[0], 3]
    return outer & (len(high) > 0) & (abs(strokes.boxes[:, 3] / np.median(high if len(high) else 1) - 1) < OUTER_SPREAD)


def drop_lines_through(strokes: Strokes) -> tuple[Strokes, float, float]:
    """Drop thin straight lines from one side of an image to the other: printed ones, where others were.

    Returns:
        (Strokes, and what `standing_on` says of these lines).
    """
    sides = touched_sides(strokes.boxes, strokes.labels.shape)
    through = (sides[0] & sides[2]) | (sides[1] & sides[3])
    length, breadth = strokes.boxes[:, 2:].max(axis=1, initial=0), strokes.boxes[:, 2:].min(axis=1, initial=0)
    lines = through & (strokes.areas < THINNEST_THROUGH * length**2) & (breadth < 0.1 * length)
    return keep_strokes(strokes, ~lines), *standing_on(strokes, lines)


def find_folds(strokes: Strokes) -> np.ndarray:
    """Return (n,) bool, the bars from top to bottom of an image: its fold, the gutter of a book, a streak of the scanner.

    A 1 that fills its crop has other digits beside it that are about as high, or no paper beside it.
    """
    _, top, _, bottom = touched_sides(strokes.boxes, strokes.labels.shape)
    _, _, width, height = strokes.boxes.T
    bars = top & bottom & (width < FOLD * height)
    others = height[~bars]
    page = len(others) > 0 or strokes.labels.shape[1] > PAGE * strokes.labels.shape[0]
    return bars & page & (others.max(initial=0) < AS_HIGH * strokes.labels.shape[0])


def standing_on(strokes: Strokes, lines: np.ndarray) -> tuple[float, float]:
    """Tell what stands on straight lines, (n,) bool of the strokes, and is one stroke with them.

    Returns:
        (its share of the ink besides these lines; the same, or 0.0 where nothing of it is half as high as the other strokes).
    """
    on_lines, farthest = 0.0, 0.0
    for i in np.flatnonzero(lines):
        mask = stroke_mask(strokes, i)
        points = np.argwhere(mask).astype(np.float32)
        down, right, *middle = cv2.fitLine(points, cv2.DIST_L1, 0, 0.01, 0.01).ravel()
        aside = np.abs((points - middle) @ (right, -down))
        on_lines += np.count_nonzero(aside > stroke_width(mask) + 1)
        farthest = max(farthest, float(aside.max()))
    share = on_lines / max(1.0, on_lines + float(strokes.areas[~lines].sum()))
    return share, share if farthest > 0.5 * strokes.boxes[~lines, 3].max(initial=0) else 0.0


def drop_border(strokes: Strokes) -> tuple[Strokes, float]:
    """Drop what runs into the frame of an image beside digits that do not.

    What touches the frame is a shadow, a table or a neighbour; but where an image is cropped tightly its digits
    touch, too: strokes that are as large as the ones that stand free stay, and so does all when none stands free.

    Returns:
        (Strokes, share of the ink that was dropped).
    """
    shape = strokes.labels.shape
    if len(strokes.areas) == 0:
        return strokes, 0.0
    strokes = drop_frame(strokes)
    if len(strokes.areas) == 0:
        return strokes, 1.0
    _, _, width, height = strokes.boxes.T
    sides = touched_sides(strokes.boxes, shape)
    free = ~sides.any(axis=0)
    extent = np.maximum(width, height)
    if not free.any() or (extent[free].max() < 0.25 * extent.max() and not is_writing(strokes.boxes[free], shape)):
        return strokes, 0.0
    main = extent[free].max()
    alike = (height > 0.5 * main) & (height < 1.8 * main) & (width < 6 * main)
    alike &= ~(sides[0] & sides[2]) & ~(sides[1] & sides[3])
    keep = free | alike | find_outer_ones(strokes)
    return keep_strokes(strokes, keep), float(strokes.areas[~keep].sum() / strokes.areas.sum())


def touched_sides(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return (4, n) bool: which strokes touch the left, upper, right and lower side of an image of `shape` (h, w)."""
    x, y, width, height = boxes.T
    return np.stack([x <= 1, y <= 1, x + width >= shape[1] - 1, y + height >= shape[0] - 1])


def is_writing(boxes: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Tell whether strokes are a line of writing, however small beside an object at the frame: three or more of one height."""
    high = boxes[boxes[:, 3] > 0.5 * boxes[:, 3].max()]
    return len(high) >= 3 and high[:, 3].max() > 0.03 * min(shape) and max(map(len, group_lines(high))) >= 3
