"""Places for labels beside boxes, where they cover neither ink nor one another.

    for place in place_labels(boxes, texts, taken, fonts): ...

One style serves a whole image: the largest letters and the longest texts for which nearly all boxes have room above or
below. What is left over stands beside its box, or has no label: the box alone tells more than letters over the writing.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import ImageFont

PADDING = 3  # pixels around the letters of a label
DISTANCE = 2  # pixels from its box
ENOUGH = 0.9  # of the labels have room above or below their boxes in the style that is chosen

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class Place(NamedTuple):
    """Where a label stands: its area (x0, y0, x1, y1, all inside), text and font."""

    area: tuple[int, int, int, int]
    text: str
    font: Font


def place_labels(
    boxes: np.ndarray, texts: Sequence[tuple[str, ...]], taken: np.ndarray, fonts: Sequence[Font]
) -> list[Place | None]:
    """Find a place for the label of each box.

    Args:
        boxes: (N, 4) int, x0, y0, x1, y1.
        texts: for each box its label, from the longest form to the shortest; the same number of forms for all.
        taken: (h, w) bool, where no label may lie.
        fonts: of PIL, from the largest to the smallest.

    Returns:
        list of N Place, or None where there is no room.
    """
    for form in range(len(texts[0])):
        for font in fonts:
            free = ~taken
            places = [_place(_above_and_below, box, text[form], font, free) for box, text in zip(boxes, texts)]
            if sum(place is not None for place in places) >= ENOUGH * len(places):
                break
        else:
            continue
        break
    return [place or _place(_beside, box, text[-1], font, free) for place, box, text in zip(places, boxes, texts)]


def _place(corners, box, text, font, free):
    """Return the first Place that is free of those that `corners` proposes, and take it; None where there is none."""
    width, height = round(font.getlength(text)) + 2 * PADDING, round(font.size) + PADDING
    for x, y in corners(*map(int, box), width, height):
        area = free[y : y + height, x : x + width]
        if x >= 0 and y >= 0 and area.shape == (height, width) and area.all():
            area[:] = False
            return Place((x, y, x + width - 1, y + height - 1), text, font)
    return None


def _above_and_below(x0: int, y0: int, x1: int, y1: int, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the upper left corners of labels above a box and below it."""
    for y in (y0 - DISTANCE - height, y1 + DISTANCE):
        for x in ((x0 + x1 - width) // 2, x0, x1 - width):
            yield x, y


def _beside(x0: int, y0: int, x1: int, y1: int, width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the upper left corners of labels on the right and on the left of a box."""
    for x in (x1 + DISTANCE, x0 - DISTANCE - width):
        for y in ((y0 + y1 - height) // 2, y0, y1 - height):
            yield x, y
