"""Rings and boxes around writing: which strokes are frames, and what of the writing touches them.

    framed, alone = find_frames(strokes)            # strokes.Strokes
    touching_ink(strokes, framed)                   # a digit that touches its frame is not lost with it

Pure functions; NumPy and OpenCV only.
"""

import cv2
import numpy as np

from digits.reading.strokes import Strokes, keep_strokes, label_strokes, stroke_mask, stroke_width

FRAME_WIDTH = 1.4  # pen's widths; what lies deeper in a frame is not of its line
SURROUNDED = 0.9  # of the writing lies inside a ring around it
ACROSS = 0.8  # of a frame: what goes so far through it parts it
NARROW = 0.35  # of its height; what goes through a frame from top to bottom and is wider is a digit as high as its box
FRAME_EDGE = 0.06  # of its length: so far the ink of a frame may lie from its box
RING_INSIDE = 0.5  # of the way from its middle to its box has no ink in a ring
RING_PARTS, MOST_OPEN = 72, 0.2  # directions from its middle; of them a ring may leave open


def covered_sides(mask: np.ndarray) -> tuple[int, int]:
    """Return along how many sides of its own box a stroke (h, w) bool runs, and how many pixels of it lie deeper inside."""
    edge = max(2, round(FRAME_EDGE * max(mask.shape)))
    if min(mask.shape) <= 4 * edge:
        return 0, 0
    sides = (mask[:edge].any(axis=0), mask[-edge:].any(axis=0), mask[:, :edge].any(axis=1), mask[:, -edge:].any(axis=1))
    return sum(bool(side.mean() > 0.9) for side in sides), int(np.count_nonzero(mask[edge:-edge, edge:-edge]))


def lies_on_its_box(mask: np.ndarray) -> bool:
    """Tell whether a stroke (h, w) bool is a corner or a part of a frame: it runs along two or more sides of its own box."""
    sides, inside = covered_sides(mask)
    return sides >= 2 and bool(inside < 0.03 * np.count_nonzero(mask))


def close_ring(mask: np.ndarray) -> np.ndarray | None:
    """Return the outline (n, 2) int32, x and y, of a stroke (h, w) bool that goes nearly all the way around the middle of its box.

    None where it does not. What the ring leaves open is closed by a straight line.
    """
    points = np.argwhere(mask)[:, ::-1]
    places = points / (np.array(mask.shape[::-1]) - 1).clip(1) * 2 - 1
    distance = np.hypot(*places.T)
    if distance.min() < RING_INSIDE:
        return None
    order = np.argsort(distance)[::-1]
    directions = (np.arctan2(places[:, 1], places[:, 0])[order] / (2 * np.pi) % 1 * RING_PARTS).astype(int) % RING_PARTS
    taken, first = np.unique(directions, return_index=True)
    return points[order][first].astype(np.int32) if len(taken) >= (1 - MOST_OPEN) * RING_PARTS else None


def fill(mask: np.ndarray) -> np.ndarray:
    """Return a frame (h, w) bool and what it holds; that is all of its box where it lies on two or more sides of it."""
    if lies_on_its_box(mask):
        return np.ones(mask.shape, bool)
    if (ring := close_ring(mask)) is not None:
        return mask | (cv2.fillPoly(np.zeros(mask.shape, np.uint8), [ring], 1) > 0)
    outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outline, -1, 1, cv2.FILLED) > 0


def surrounds(frame: Strokes, writing: Strokes) -> bool:
    """Tell whether the largest stroke of one ink goes around nearly all ink of another."""
    if len(frame.areas) == 0 or len(writing.areas) == 0:
        return False
    i = int(np.argmax(frame.boxes[:, 2] * frame.boxes[:, 3]))
    x, y, w, h = frame.boxes[i]
    held = (writing.labels[y : y + h, x : x + w] > 0) & fill(stroke_mask(frame, i))
    return bool(np.count_nonzero(held) > SURROUNDED * np.count_nonzero(writing.labels))


def touching_ink(strokes: Strokes, framed: np.ndarray) -> np.ndarray | None:
    """Return the writing that touches frames from inside, without the frames' own lines.

    A line of the frame lies along its outline and is as wide as a pen; what is deeper inside is a part of the writing.

    Args:
        framed: (n,) bool, which strokes are frames, as `find_frames` returns it.

    Returns:
        (h, w) bool; None where nothing touches a frame that is half as high as the writing in it.
    """
    inside = np.zeros(strokes.labels.shape, bool)
    for i in np.flatnonzero(framed):
        x, y, w, h = strokes.boxes[i]
        mask = stroke_mask(strokes, i)
        filled = np.pad(fill(mask).astype(np.uint8), 1)
        depth = cv2.distanceTransform(filled, cv2.DIST_L2, 5)[1:-1, 1:-1]
        deep = label_strokes(mask & (depth > FRAME_WIDTH * stroke_width(mask)))
        narrow = deep.boxes[:, 2] < NARROW * deep.boxes[:, 3]
        across = (deep.boxes[:, 2] > ACROSS * w) | (narrow & (deep.boxes[:, 3] > ACROSS * h))  # the lines between boxes
        inside[y : y + h, x : x + w] |= keep_strokes(deep, ~across).labels > 0
    touching = label_strokes(inside)
    usual = np.median(strokes.boxes[~framed, 3]) if (~framed).any() else 0.6 * strokes.boxes[framed, 3].max()
    touching = keep_strokes(touching, touching.boxes[:, 3] > 0.5 * usual)
    return touching.labels > 0 if len(touching.areas) else None


def find_frames(strokes: Strokes) -> tuple[np.ndarray, bool]:
    """Tell which strokes are frames: their outlines enclose other strokes, or would if they were whole.

    Where all the writing touches a box, the box is a frame, too: it has four sides, and there is more to it.

    Args:
        strokes: strokes.Strokes.

    Returns:
        ((n,) bool, whether all frames together hold only one stroke: then it may be a digit with a dot in it).
    """
    boxes = strokes.boxes
    result, held = np.zeros(len(boxes), bool), set()
    x, y, w, h = boxes.T
    for i in np.argsort(-(w * h))[:12]:
        inside = (x > x[i]) & (y > y[i]) & (x + w < x[i] + w[i]) & (y + h < y[i] + h[i]) & (h > 0.2 * h[i])
        if not inside.any():
            sides, more = covered_sides(strokes.labels[y[i] : y[i] + h[i], x[i] : x[i] + w[i]] == i + 1)
            if sides == 4 and more > 0:
                result[i] = True
                held.add(int(i))
            continue
        part = strokes.labels[y[i] : y[i] + h[i], x[i] : x[i] + w[i]]
        filled = fill(part == i + 1)
        for j in np.flatnonzero(inside):
            if filled[part == j + 1].all():
                result[i] = True
                held.add(int(j))
    return result, len(held) == 1
