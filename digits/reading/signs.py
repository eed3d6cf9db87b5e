"""Signs between digits: which strokes of a line are a slash, dot, comma, colon, dash, plus, x, =, %, # or $, or brackets.

    found, rest, unclear = find_signs(strokes, line, specks)      # the signs of a line, and the strokes that are none

A sign is told by its shape and by its place in the line, not by the network, which knows only digits: a slash is read as a
1, a plus as a 4. Pure functions from array to array; NumPy and OpenCV only.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from digits.reading.lines import line_height
from digits.reading.sign_parts import (
    ALIKE,
    bulge,
    find_brackets,
    find_holes,
    find_percents,
    find_prefixes,
    is_ring,
    is_straight,
    lean,
    surround,
)
from digits.reading.strokes import Strokes, ink_box, stroke_mask, turn

SIDEWAYS = 0.3  # of a sign's width may lie above or below a digit; bars of a 5 or a 7 do with all of it
LEAN_SPREAD = 7.0, 12.0  # degrees by which digits of one hand lean apart, at least and at most
HEIGHT_SPREAD = 0.15  # share by which digits of one hand differ in height
SLASH = 2.4  # a slash leans further to the right than the digits or is longer, by as many spreads together
LONGER = 0.8  # spreads of height: what is not higher than the digits by as many is a 1, though it may be a slash
SURELY_LONGER = 1.3  # ... and what is not higher by as many is a slash, though it may be a 1
DAY, MONTH, YEAR = (1, 2), (1, 2), (2, 4)  # how many digits a date has before, between and after its slashes
LEAST_LEAN = 5.0  # degrees by which both slashes of a date lean to the right
BRACKET = 1.2  # heights of the digits; a narrow stroke that is higher may be a bracket
ARC = 0.08  # heights by which a bracket's middle lies beside its ends
NEAR = 0.6  # a slash has digits on both sides within this distance, in heights of the line
THICK_BAR = 0.3  # a plus's bars are thinner, in lengths of the bars
PLUS = 0.8  # heights of the line; what is higher is a 4: in few pixels its loop is full
LEAST_CORNER, MOST_CORNER = 0.01, 0.06  # of a plus's ink lies between its bars: with more it may be a 4, with most it is
POINT, COMMA = 0.35, 0.55  # heights of the line: a point is smaller, a comma lower
RAISED = 0.6  # heights of the digits: the ring of a degree or a % is smaller; a degree's ends above
BELOW = 0.5  # heights of the line below its digits ends a comma, at most
FOOT = 0.4  # of a digit's height: beside this part of it stands a point
ONE_HEIGHT = 0.7  # what is lower than this, in heights of the line, is no digit between two others


class Sign(NamedTuple):
    """One sign.

    Attributes:
        character: one of / . , : - + x = % # $ ( )
        box: x, y, width, height, in pixels of the strokes.
        unclear: whether it may be a digit: a slash a 1, a plus a 4.
    """

    character: str
    box: tuple[int, int, int, int]
    unclear: bool = False


def find_signs(strokes: Strokes, line: np.ndarray, specks: np.ndarray) -> tuple[list[Sign], np.ndarray, set[int]]:
    """Find the signs in one line of writing.

    Args:
        strokes: Strokes.
        line: indices of the line's strokes, from left to right.
        specks: (n, 4) boxes x, y, width, height of ink too small to be a stroke; those in the line may be dots.

    Returns:
        (list of Sign from left to right, indices of the other strokes, those of them that may be a digit or else a sign).
    """
    signs = []
    holes = find_holes(line, strokes)
    for character, parts in [
        *find_brackets(line, strokes),
        *find_percents(line, strokes, holes),
        *find_prefixes(line, strokes, holes),
    ]:
        signs.append(Sign(character, surround(strokes.boxes[parts])))
        line = line[~np.isin(line, parts)]
    if len(line) == 0:
        return signs, line, set()
    height = line_height(strokes.boxes[line])
    tall = [i for i in line if strokes.boxes[i][3] > 0.55 * height]
    rest, unclear, straight = [], set(), {}  # type: list[int], set[int], dict[int, float]
    usual = float(np.median([lean(stroke_mask(strokes, i)) for i in tall]))
    upright, feet = upright_boxes(strokes, line, usual), upright_boxes(strokes, line, usual, part=FOOT)
    for i in line:
        box, mask = strokes.boxes[i], stroke_mask(strokes, i)
        beside = [j for j in tall if j != i]
        character = name_sign(mask, upright[i], upright[beside], feet[beside], height)
        if character == "1":
            leans, longer = compare_with_digits(i, tall, strokes, height)
            straight[int(i)] = longer
            if leans and longer > LONGER:
                character = "/"
            elif leans:
                unclear.add(int(i))
        others = [strokes.boxes[j][3] for j in tall if j != i]
        long = bool(others) and box[2] < 0.5 * box[3] and box[3] > BRACKET * np.median(others)
        if not character and others and (long or abs(bulge(mask)) > ARC):
            unclear.add(int(i))
        if not character and beside and (is_raised(upright[i], upright[beside]) or (box[3] < RAISED * height and is_ring(mask))):
            unclear.add(int(i))  # the ring of a degree, or the lower one of a % whose upper one touches its bar
        if character and character != "1":
            doubtful = (character == "/" and longer < SURELY_LONGER) or (character == "+" and not is_cross(mask, LEAST_CORNER))
            signs.append(Sign(character, tuple(box.tolist()), doubtful))
        else:
            rest.append(i)
    x0, x1 = upright[tall, 0].min(), (upright[tall, 0] + upright[tall, 2]).max()
    top, bottom = upright[tall, 1].min(), (upright[tall, 1] + upright[tall, 3]).max() + BELOW * height
    moved = specks + np.outer(shift(usual, specks[:, 1] + specks[:, 3] / 2), (1, 0, 0, 0))
    inside = (x0 < moved[:, 0]) & (moved[:, 0] + moved[:, 2] < x1) & (top < moved[:, 1]) & (moved[:, 1] + moved[:, 3] < bottom)
    for i in np.flatnonzero(inside):
        if character := name_dot(moved[i], upright[tall], feet[tall], height):
            signs.append(Sign(character, tuple(specks[i].tolist())))
    if all(sign.character == "/" for sign in signs):
        slashes = find_date(tall, set(straight), strokes)
        doubtful = any(straight[i] < SURELY_LONGER for i in slashes)
        date = [Sign("/", tuple(strokes.boxes[i].tolist()), doubtful) for i in slashes]
        signs = [sign for sign in signs if sign.box not in [other.box for other in date]] + date
        rest = [i for i in rest if i not in slashes]
    return join_parts(sorted(signs, key=lambda sign: sign.box[0])), np.array(rest, int), unclear


def find_date(tall: list[int], straight: set[int], strokes: Strokes) -> set[int]:
    """Return the two slashes of a line that may be a date: straight strokes after one or two digits, and before the year.

    Slashes that are no higher than the digits look like ones; of all numbers of eight digits one in a hundred has ones there.

    Args:
        tall: the line's strokes that are as high as digits, from left to right. straight: those that are straight lines.
    """
    for first in DAY:
        for second in (first + 1 + digits for digits in MONTH):
            if len(tall) - second - 1 in YEAR and {tall[first], tall[second]} <= straight:
                leans = [lean(stroke_mask(strokes, tall[place])) for place in (first, second)]
                heights = [strokes.boxes[tall[place]][3] for place in (first, second)]
                if min(leans) > LEAST_LEAN and np.ptp(leans) < LEAN_SPREAD[1] and max(heights) < ALIKE * min(heights):
                    return {int(tall[first]), int(tall[second])}
    return set()


def shift(angle: float, y: float | np.ndarray) -> float | np.ndarray:
    """Return how far a row of the image is moved to the right so that what leans by `angle` degrees stands upright."""
    return math.tan(math.radians(angle)) * y


def upright_boxes(strokes: Strokes, line: np.ndarray, angle: float, part: float = 1.0) -> np.ndarray:
    """Return the boxes (n, 4) float of all strokes; those of the line as if it did not lean, so that a dot is beside digits.

    With a `part` below 1, their x and width are of the lower part of the stroke: a point may stand below the bar of a 5 or a 7.
    """
    boxes = strokes.boxes.astype(float)
    for i in line:
        mask = stroke_mask(strokes, i)
        y, x = np.nonzero(mask)
        low = y >= int((1 - part) * len(mask))
        y, x = y[low], x[low]
        places = x + strokes.boxes[i][0] + shift(angle, y + strokes.boxes[i][1])
        boxes[i, 0], boxes[i, 2] = places.min(), np.ptp(places) + 1
    return boxes


def name_sign(mask: np.ndarray, box: np.ndarray, digits: np.ndarray, feet: np.ndarray, height: float) -> str:
    """Name one stroke by its shape.

    Args:
        mask: (h, w) bool, the stroke.
        box: x, y, width, height of it; digits, feet: (n, 4) boxes of the tall strokes beside it and of their lower parts; see
            `upright_boxes`.
        height: of the line, in pixels.

    Returns:
        one of . : , - + x, or "1" for a straight slanted stroke, or "" for none of these.
    """
    y, (h, w) = box[1], mask.shape
    if 0.25 * height < w < 0.95 * height and 0.25 * height < h < PLUS * height and 0.6 < w / h < 1.6:
        if is_cross(mask):
            return "+"
        if is_cross(turn_diagonals(mask)):
            return "x"
    if is_straight(mask) and h > 1.2 * box[2] and h > ONE_HEIGHT * height:
        return "1"
    if len(digits) == 0:
        return ""
    if max(w, h) < COMMA * height and (character := name_dot(box, digits, feet, height)):
        return character
    top, bottom = level(box, digits)
    middle = (y + h / 2 - top) / (bottom - top)
    if w > 1.7 * h and h < 0.32 * height and 0.12 * height < w < 1.2 * height and 0.25 < middle < 0.78 and aside(box, digits):
        return "-"
    return ""


def name_dot(box: np.ndarray, digits: np.ndarray, feet: np.ndarray, height: float) -> str:
    """Return "." or "," for a small stroke at the foot of a line, ":" for one above it, "" for any other."""
    _, y, w, h = box
    if w > POINT * height or h > COMMA * height or not aside(box, feet):
        return ""
    top, bottom = level(box, digits)
    upper, lower = ((edge - top) / (bottom - top) for edge in (y, y + h))
    if upper > 0.6:
        return "," if h > 1.1 * w and lower > 1.08 else "." if w <= 1.7 * h and h < POINT * height else ""
    return ":" if upper > 0.15 and lower < 0.65 and max(w, h) < 0.25 * height and aside(box, digits) else ""


def join_parts(signs: list[Sign]) -> list[Sign]:
    """Make one colon of two dots above each other, and one = of two dashes; a dot that stands high alone is no sign."""
    joined: list[Sign] = []
    upper = [sign for sign in signs if sign.character == ":"]
    dashes = [sign for sign in signs if sign.character == "-"]
    for sign in signs:
        if sign.character in ".,":
            x, _, w, _ = sign.box
            for other in upper:
                if abs(other.box[0] + other.box[2] / 2 - x - w / 2) < max(w, other.box[2]):
                    sign = Sign(":", surround(np.array([sign.box, other.box])))
        if sign in dashes:
            pair = [other for other in dashes if horizontal_overlap(sign.box, other.box) > 0.5 * min(sign.box[2], other.box[2])]
            sign = Sign("=", surround(np.array([other.box for other in pair]))) if len(pair) == 2 else sign
        if sign not in upper and sign not in joined:
            joined.append(sign)
    return joined


def horizontal_overlap(box: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> int:
    """Return how many columns of pixels two boxes x, y, width, height have in common; less than 1 where there is none."""
    return min(box[0] + box[2], other[0] + other[2]) - max(box[0], other[0])


def level(box: np.ndarray, digits: np.ndarray) -> tuple[float, float]:
    """Return top and bottom of the line at a box: those of the two digits nearest to it."""
    apart = np.abs(digits[:, 0] + digits[:, 2] / 2 - box[0] - box[2] / 2)
    near = digits[np.argsort(apart)[:2]].astype(float)
    return float(near[:, 1].mean()), float((near[:, 1] + near[:, 3]).mean())


def is_raised(box: np.ndarray, digits: np.ndarray) -> bool:
    """Tell whether a small stroke stands in the upper half of its line, as the ring of a degree does."""
    top, bottom = level(box, digits)
    return bool(box[3] < RAISED * (bottom - top) and box[1] + box[3] < top + RAISED * (bottom - top))


def aside(box: np.ndarray, digits: np.ndarray) -> bool:
    """Tell whether a box lies beside the digits and not above or below one."""
    overlap = np.minimum(box[0] + box[2], digits[:, 0] + digits[:, 2]) - np.maximum(box[0], digits[:, 0])
    return bool((overlap <= SIDEWAYS * box[2]).all())


def is_cross(mask: np.ndarray, corners: float = MOST_CORNER) -> bool:
    """Tell whether a stroke is an upright cross: two bars through the middle, and at most a share of ink in the four corners."""
    h, w = mask.shape
    rows, columns = mask.mean(axis=1), mask.mean(axis=0)
    y, x = int(rows.argmax()), int(columns.argmax())
    if not (0.3 * h < y < 0.7 * h and 0.3 * w < x < 0.7 * w and rows[y] > 0.8 and columns[x] > 0.8):
        return False
    across, down = np.flatnonzero(rows > 0.6), np.flatnonzero(columns > 0.6)
    if np.ptp(across) > THICK_BAR * h or np.ptp(down) > THICK_BAR * w:  # the loops of a bold 8 or 9
        return False
    rest = mask.copy()
    rest[max(0, across[0] - 1 - h // 12) : across[-1] + 2 + h // 12] = False
    rest[:, max(0, down[0] - 1 - w // 12) : down[-1] + 2 + w // 12] = False
    return bool(rest.sum() < corners * mask.sum())


def turn_diagonals(mask: np.ndarray) -> np.ndarray:
    """Return a stroke (h, w) bool stretched to a square and turned by 45 degrees: an x becomes a +."""
    side = 32  # pixels, more than the strokes' edges need
    square = cv2.resize(mask.astype(np.uint8) * 255, (side, side), interpolation=cv2.INTER_LINEAR)
    turned, _ = turn(square > 127, 45)
    x, y, w, h = ink_box(turned)
    return turned[y : y + h, x : x + w]


def compare_with_digits(i: int, tall: list[int], strokes: Strokes, height: float) -> tuple[bool, float]:
    """Compare a straight stroke with the digits on both sides of it.

    A slash leans further to the right and is longer; a 1 may lean as far. (False, 0.0) where there are no digits beside it.

    Returns:
        (whether it leans so far, or is so long and leans, that it may be a slash; by how many spreads it is longer than a digit).
    """
    x0, x1 = strokes.boxes[i][0], strokes.boxes[i][0] + strokes.boxes[i][2]
    own = (x0 + x1) / 2
    before = [x0 - other[0] - other[2] for other in strokes.boxes[tall] if other[0] + other[2] / 2 < own]
    after = [other[0] - x1 for other in strokes.boxes[tall] if other[0] + other[2] / 2 > own]
    if min(before, default=math.inf) > NEAR * height or min(after, default=math.inf) > NEAR * height:
        return False, 0.0

    others = sorted((j for j in tall if j != i), key=lambda j: abs(strokes.boxes[j][0] + strokes.boxes[j][2] / 2 - own))[:6]
    leans = np.array([lean(stroke_mask(strokes, j)) for j in others])
    usual = float(np.median(leans))
    spread = min(max(1.5 * float(np.median(np.abs(leans - usual))), LEAN_SPREAD[0]), LEAN_SPREAD[1])
    further = (lean(stroke_mask(strokes, i)) - usual) / spread
    digit = float(np.quantile(strokes.boxes[others, 3], 0.7))  # among small letters, a 1 is longer than most
    longer = (strokes.boxes[i][3] / digit - 1) / HEIGHT_SPREAD
    return bool(min(further, 3) + min(longer, 3) > SLASH and further > 0.2), float(longer)
