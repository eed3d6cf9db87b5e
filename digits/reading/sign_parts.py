"""Signs of several strokes, brackets, %, # and $, and what tells the shape of one: straight, leaning, bulging, a ring.

    holes = find_holes(line, strokes)
    for character, parts in find_percents(line, strokes, holes):       # parts: indices of the sign's strokes

Pure functions from array to array; NumPy and OpenCV only.
"""

import itertools
from typing import NamedTuple

import cv2
import numpy as np

from digits.reading.lines import line_height
from digits.reading.strokes import Strokes, stroke_mask

ALIKE = 1.3  # times as high as the other one, at most, is a sign of a pair
PAIR_ARC = 0.04  # heights by which the middle of a bracket lies beside its ends, where there is another one that it faces
LONE_ARC = 0.06  # ... and where there is none
LONE_HEIGHT = 1.1  # times as high as what is beside it is a bracket without another one
BRACKET_WIDTH = 0.4  # of its height; 2s and 7s are wider
STEEPEST, FLATTEST = 15.0, 60.0  # degrees by which the bar of a % leans to the right
WHOLE_BAR = 0.85  # of the bar is ink, at least
BAR_END = 0.15  # of the height of a %: so near to its top and foot its bar ends
RING = 0.4  # of its height, at most, is the hole of a ring
NARROW = 0.4  # of its length is a ring's hole wide, at least, and as much of the other ring's
NARROWEST, WIDEST = 0.6, 1.5  # of its height is a % wide
UNEVEN = 0.45  # of the other ring's distance from the bar, at least, is that of a ring
JOINED_GAP = 0.09  # of its height, at least, lies between the rings where they are joined with the bar, from side to side
JOINED_DISTANCE = 0.16  # ... and between each ring's centre and the bar
ROUND = 0.72  # of an ellipse, at least, is a ring with what is in it; digits are less round
DOLLAR_SIDE = 0.53  # of its width: the lower hole of a $ lies further to the right, the upper one as far to the left
DOLLAR_STEP = 0.25, 0.45  # of its height lies the lower hole below the upper one
DOLLAR_BAR, DOLLAR_WIDTH = 0.03, 0.66  # of its height is wide: its bar at least, all of it at most
DOLLAR_LEAN = 0.15  # of its height lies the end of its bar to one side, at most
WHOLE_DOLLAR = 0.97  # of its bar is ink, at least
LEAST_HOLE = 0.004  # of the stroke's box: a smaller one is a speck of paper in the ink
ARMS = 0.35  # of what lies on each side of the hole of a # has two arms, at least
FREE = 0.08  # of the width of a # at both ends, beside its hole: no ink
HOLE = 0.1  # of its width and of its height has its hole, at least
CENTRAL = 0.3, 0.7  # of its width and height: there lies the middle of its hole


def surround(boxes: np.ndarray) -> tuple[int, int, int, int]:
    """Return the box x, y, width, height around boxes (n, 4)."""
    x, y = boxes[:, :2].min(axis=0).tolist()
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0).tolist()
    return x, y, right - x, bottom - y


def is_straight(mask: np.ndarray) -> bool:
    """Tell whether a stroke is a straight line: long, thin, with all of its ink near one axis."""
    y, x = np.nonzero(mask)
    if len(y) < 8:
        return False
    spread = np.linalg.eigvalsh(np.cov(np.stack([x, y]).astype(float)))
    # A bar of length l and width w has l²/12 and w²/12 as its variances, and an area of l w.
    length, width = np.sqrt(12 * max(spread[1], 1e-9)), np.sqrt(12 * max(spread[0], 1e-9))
    return bool(length > 4 * width and len(y) > 0.85 * length * width * 0.9)


def lean(mask: np.ndarray) -> float:
    """Return how far a stroke leans to the right, in degrees from upright, by the moments of its ink."""
    y, x = np.nonzero(mask)
    y, x = y - y.mean(), x - x.mean()
    return float(np.degrees(np.arctan2(-(x * y).mean(), max((y * y).mean(), 1e-9))))


def bulge(mask: np.ndarray) -> float:
    """Return how far the middle of a thin arc from top to bottom lies to the right of both ends, in heights; 0.0 of others."""
    h, w = mask.shape
    rows = mask.sum(axis=1)
    if h < 8 or w > 0.6 * h or rows.min() == 0 or np.quantile(rows, 0.8) > 0.35 * h:
        return 0.0
    single = arms(mask) == 1
    y, x = np.nonzero(mask)
    centres = np.bincount(y, x) / rows
    part = max(1, h // 6)
    top, bottom, middle = centres[:part].mean(), centres[-part:].mean(), centres[h // 2 - part // 2 : h // 2 + part // 2 + 1].mean()
    if single.mean() <= 0.95 or (middle - top) * (middle - bottom) <= 0:
        return 0.0
    return float(min((middle - top), (middle - bottom), key=abs)) / h


def find_brackets(line: np.ndarray, strokes: Strokes) -> list[tuple[str, list[int]]]:
    """Return the round brackets of a line, each with its stroke: they curve, and reach above and below what is beside them.

    Of two that curve away from each other, that is all between them; one alone, as in a list, curves more.
    """
    found: dict[int, str] = {}
    y, w, h = strokes.boxes[:, 1], strokes.boxes[:, 2], strokes.boxes[:, 3]
    narrow = [(place, bulge(stroke_mask(strokes, i))) for place, i in enumerate(line) if w[i] < BRACKET_WIDTH * h[i]]
    opening = [place for place, curve in narrow if curve < -PAIR_ARC]
    closing = [place for place, curve in narrow if curve > PAIR_ARC]
    for first, last in itertools.product(opening, closing):
        i, j, between = line[first], line[last], line[first + 1 : last]
        if len(between) == 0 or max(h[i], h[j]) > ALIKE * min(h[i], h[j]):
            continue
        if max(y[i], y[j]) < y[between].min() and min(y[i] + h[i], y[j] + h[j]) > (y + h)[between].max():
            found |= {int(i): "(", int(j): ")"}
    for place, curve in narrow:
        i, before, after = line[place], line[max(0, place - 1) : place], line[place + 1 : place + 2]
        beside = np.concatenate([before, after])
        if abs(curve) < LONE_ARC or len(before if curve > 0 else after) == 0 or h[i] < LONE_HEIGHT * h[beside].max():
            continue
        if y[i] < y[beside].min() and y[i] + h[i] > (y + h)[beside].max():
            found[int(i)] = ")" if curve > 0 else "("
    return [(character, [i]) for i, character in found.items()]


class Hole(NamedTuple):
    """Paper that a stroke encloses: number of the stroke; x, y, width, height and centre (x, y), in pixels of the strokes."""

    stroke: int
    box: tuple[int, int, int, int]
    centre: tuple[float, float]


def find_holes(line: np.ndarray, strokes: Strokes) -> list[Hole]:
    """Return the holes in the strokes of a line."""
    left, top, width, height = surround(strokes.boxes[line])
    labels = np.pad(strokes.labels[top : top + height, left : left + width], 1)
    _, numbers, boxes, centres = cv2.connectedComponentsWithStats((labels == 0).astype(np.uint8), connectivity=4)
    members, holes = set(line.tolist()), []
    for k in np.flatnonzero(boxes[:, 0] > 0):  # the paper around the strokes begins at the rim
        x, y, w, h, area = boxes[k].tolist()
        own = int(labels[y, x + int((numbers[y, x : x + w] == k).argmax()) - 1]) - 1
        if own in members and area >= LEAST_HOLE * strokes.boxes[own][2] * strokes.boxes[own][3]:
            x, y, centre = left + x - 1, top + y - 1, centres[k] + (left - 1, top - 1)
            holes.append(Hole(own, (x, y, w, h), (float(centre[0]), float(centre[1]))))
    return holes


def find_percents(line: np.ndarray, strokes: Strokes, holes: list[Hole]) -> list[tuple[str, list[int]]]:
    """Return the % signs after other ink, each with its strokes: a slanted bar, a ring above and one below it; they may touch."""
    with_hole = {hole.stroke for hole in holes}
    rings = list(holes)
    for i in line:
        if i not in with_hole and is_ring(stroke_mask(strokes, i)):
            x, y, w, h = strokes.boxes[i].tolist()
            rings.append(Hole(int(i), (x, y, w, h), (x + w / 2, y + h / 2)))  # a filled ring
    found: list[tuple[str, list[int]]] = []
    x, y, w, h = np.array([ring.box for ring in rings]).reshape(-1, 4).T
    reach = WIDEST * line_height(strokes.boxes[line])
    beside = (x + w < x[:, None]) & (x[:, None] < x + reach) & (y + h <= y[:, None]) & (y[:, None] < y + reach)
    for k, j in np.argwhere(beside).tolist():
        lower, upper = rings[k], rings[j]
        (x0, _, w0, h0), (x1, _, w1, h1) = upper.box, lower.box
        if NARROW * max(w0, w1) > min(h0, h1) or NARROW * max(h0, h1) > min(w0, w1):
            continue
        middle = np.add(upper.centre, lower.centre) / 2
        corners = strokes.boxes[line]
        between = line[((corners[:, :2] <= middle) & (middle < corners[:, :2] + corners[:, 2:])).all(axis=1)].tolist()
        parts = sorted({upper.stroke, lower.stroke, *between})
        left, top, width, height = surround(strokes.boxes[parts])
        if max(h0, h1) >= RING * height or not NARROWEST * height < width < WIDEST * height:
            continue
        mask = np.isin(strokes.labels[top : top + height, left : left + width], np.add(parts, 1))
        if (bar := slanted_bar(mask)) is not None:
            above, below = (beside_bar(bar, ring.centre[0] - left, ring.centre[1] - top) / height for ring in (upper, lower))
            even = above < 0 < below and UNEVEN * max(-above, below) < min(-above, below)
            joined_apart = x1 - x0 - w0 > JOINED_GAP * height and min(-above, below) > JOINED_DISTANCE  # else it may be an 8
            known = any(found_parts == parts for _, found_parts in found)
            if even and (len(parts) == 3 or joined_apart) and not known and line[0] not in parts:
                found.append(("%", parts))
    return found


def slanted_bar(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ends (x, y) of the straight bar in `mask` (h, w) bool from its lower left to its upper right, or None."""
    end = max(1, round(BAR_END * len(mask)))
    rows, columns = np.nonzero(mask[:end])
    high = np.array([columns.max(), rows[columns.argmax()]])
    rows, columns = np.nonzero(mask[-end:])
    low = np.array([columns.min(), rows[columns.argmin()] + len(mask) - end])
    right, up = (high - low) * (1, -1)
    if not up > 0 or not STEEPEST < np.degrees(np.arctan2(right, up)) < FLATTEST:
        return None
    x, y = np.linspace(low, high, 60).round().astype(int).T
    return (low, high) if cv2.dilate(mask.astype(np.uint8), np.ones((3, 3)))[y, x].mean() > WHOLE_BAR else None


def beside_bar(bar: tuple[np.ndarray, np.ndarray], x: float, y: float) -> float:
    """Return how far a point lies below the line through both ends of a bar, in pixels; above it less than 0."""
    (x0, y0), (x1, y1) = bar
    return float(((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / np.hypot(x1 - x0, y1 - y0))


def find_prefixes(line: np.ndarray, strokes: Strokes, holes: list[Hole]) -> list[tuple[str, list[int]]]:
    """Return the # and $ of one stroke in a line, each with its stroke; other ink follows."""
    found: list[tuple[str, list[int]]] = []
    by_stroke = sorted(holes, key=lambda hole: (hole.stroke, hole.centre[1]))
    for own, group in itertools.groupby(by_stroke, key=lambda hole: hole.stroke):
        inside, corner = list(group), strokes.boxes[own][:2]
        boxes = [np.subtract(hole.box, (*corner, 0, 0)).tolist() for hole in inside]
        centres = [np.subtract(hole.centre, corner) / strokes.boxes[own][2:] for hole in inside]
        if own != line[-1] and len(inside) == 1 and is_hash(stroke_mask(strokes, own), boxes[0], centres[0]):
            found.append(("#", [own]))
        elif own != line[-1] and len(inside) == 2 and is_dollar(stroke_mask(strokes, own), boxes, centres):
            found.append(("$", [own]))
    return found


def is_hash(mask: np.ndarray, hole: list[int], centre: np.ndarray) -> bool:
    """Tell whether a stroke (h, w) bool is a #: two arms above its hole, below it and on both sides.

    Args:
        mask: the stroke. hole: x, y, width, height. centre: x and y of it, in widths and heights of the stroke.
    """
    (x, y, w, h), (height, width) = hole, mask.shape
    if width < NARROWEST * height or min(w / width, h / height) < HOLE or not ((CENTRAL[0] < centre) & (centre < CENTRAL[1])).all():
        return False
    row, end = mask[y + h // 2], max(1, round(FREE * width))
    above, beside = arms(mask), arms(mask.T)
    sides = (above[:y], above[y + h :], beside[:x], beside[x + w :])
    return not row[:end].any() and not row[-end:].any() and all(len(side) and (side > 1).mean() > ARMS for side in sides)


def is_dollar(mask: np.ndarray, holes: list[list[int]], centres: list[np.ndarray]) -> bool:
    """Tell whether a stroke (h, w) bool is a $: a hole on its left, a lower one on its right, between them a bar from top to foot.

    Args:
        mask, holes, centres: as for `is_hash`; the upper hole is the first.
    """
    (height, width), (x, _, w, _) = mask.shape, holes[0]
    between = holes[1][0] - x - w
    left, right = centres[0][0] < 1 - DOLLAR_SIDE, centres[1][0] > DOLLAR_SIDE
    step = centres[1][1] - centres[0][1]
    if not (
        left
        and right
        and DOLLAR_STEP[0] < step < DOLLAR_STEP[1]
        and between > DOLLAR_BAR * height
        and width < DOLLAR_WIDTH * height
    ):
        return False
    rows, middle = np.arange(height), x + w + between / 2
    leans = np.linspace(-1, 1, 7)[:, None] * DOLLAR_LEAN * (height - 2 * rows)
    columns = np.clip(np.round(middle + leans).astype(int), 0, width - 1)
    return bool(mask[rows, columns].mean(axis=1).max() > WHOLE_DOLLAR)


def arms(mask: np.ndarray) -> np.ndarray:
    """Return how many runs of ink each row of `mask` (h, w) bool has, (h,) int."""
    return (np.diff(np.pad(mask, ((0, 0), (1, 0))).astype(np.int8), axis=1) == 1).sum(axis=1)


def is_ring(mask: np.ndarray) -> bool:
    """Tell whether a stroke is a ring or a filled one: about as wide as high, with one hole at most, and round."""
    h, w = mask.shape
    if not 0.5 < w / h < 1.7:
        return False
    outlines, levels = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, int((levels[0, :, 3] < 0).argmax()), 1, cv2.FILLED)
    return bool(len(outlines) <= 2 and filled.sum() > ROUND * np.pi / 4 * w * h)
