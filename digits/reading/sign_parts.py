"""Signs of several strokes, brackets and %, and what tells the shape of one: straight, leaning, bulging, a ring.

    for character, parts in find_percents(line, strokes):       # parts: indices of the sign's strokes

Pure functions from array to array; NumPy and OpenCV only.
"""

import itertools

import cv2
import numpy as np

from digits.reading.strokes import Strokes

ALIKE = 1.3  # times as high as the other one, at most, is a sign of a pair
PAIR_ARC = 0.04  # heights by which the middle of a bracket lies beside its ends, where there is another one that it faces
BRACKET_WIDTH = 0.4  # of its height; 2s and 7s are wider
STEEPEST, FLATTEST = 8.0, 60.0  # degrees by which the bar of a % leans to the right
RING = 0.6  # of the bar's height, at most, is a ring of a %
ROUND = 0.72  # of an ellipse, at least, is a ring with what is in it; digits are less round
BESIDE = 0.5  # of the bar's height, at most, lies between the bar and a ring


def stroke_mask(strokes: Strokes, i: int) -> np.ndarray:
    """Return stroke number `i` in its box, (h, w) bool."""
    x, y, w, h = strokes.boxes[i]
    return strokes.labels[y : y + h, x : x + w] == i + 1


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
    single = (np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1) == 1).sum(axis=1) == 1
    y, x = np.nonzero(mask)
    centres = np.bincount(y, x) / rows
    part = max(1, h // 6)
    top, bottom, middle = centres[:part].mean(), centres[-part:].mean(), centres[h // 2 - part // 2 : h // 2 + part // 2 + 1].mean()
    if single.mean() <= 0.95 or (middle - top) * (middle - bottom) <= 0:
        return 0.0
    return float(min((middle - top), (middle - bottom), key=abs)) / h


def find_brackets(line: np.ndarray, strokes: Strokes) -> list[tuple[str, list[int]]]:
    """Return the round brackets of a line, each with its stroke: two curve away from each other, higher than all between them."""
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
    return [(character, [i]) for i, character in found.items()]


def find_percents(line: np.ndarray, strokes: Strokes) -> list[tuple[str, list[int]]]:
    """Return the % signs of a line, each with its three strokes: a slanted bar, a ring above it and a ring below it."""
    found = []
    rings = [int(i) for i in line if is_ring(stroke_mask(strokes, i))]
    for i in line if len(rings) > 1 else []:
        mask, (x, y, w, h) = stroke_mask(strokes, i), strokes.boxes[i]
        if i in rings or not STEEPEST < lean(mask) < FLATTEST or not is_straight(mask):
            continue
        parts = []
        for upper in (True, False):
            for j in rings:
                left, top, width, height = strokes.boxes[j] - (x, y, 0, 0)
                above = (left + width / 2) / w + (top + height / 2) / h < 1  # the bar runs from its lower left to its upper right
                gap = max(-left - width, left - w)
                if above == upper and max(width, height) < RING * h and gap < BESIDE * h and -RING * h < top < h:
                    parts.append(j)
                    break
        if len(parts) == 2:
            found.append(("%", sorted([int(i), *parts])))
    return found


def is_ring(mask: np.ndarray) -> bool:
    """Tell whether a stroke is a ring or a filled one: about as wide as high, with one hole at most, and round."""
    h, w = mask.shape
    if not 0.5 < w / h < 1.7:
        return False
    outlines, levels = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, int((levels[0, :, 3] < 0).argmax()), 1, cv2.FILLED)
    return bool(len(outlines) <= 2 and filled.sum() > ROUND * np.pi / 4 * w * h)
