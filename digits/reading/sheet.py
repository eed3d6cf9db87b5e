"""A sheet of paper on a desk, a card, a note: what lies around it is not writing, and its outline is no 0.

    image = paint_over_desk(image)          # the desk in the colour of the sheet, or the image as it was

NumPy and OpenCV only.
"""

from collections.abc import Iterator

import cv2
import numpy as np

LONG_SIDE = 240  # px; a sheet is found at this size
SMALLEST = 120  # px; smaller images are drawings and crops, not photographs of a desk
LEAST_CONTRAST = 40  # levels of one colour channel, or of grey, between sheet and desk
LEAST_AREA = 0.12  # of the image, at least
SHARP = 0.7  # of the contrast lies within a few pixels of the edge: a shadow's is softer
STROKE = 13  # px; a pen's stroke is narrower, a step from light to dark is not
WRITING = 0.15  # of the paper's light is missing in some stroke: there is writing
FEW = 30  # px; fewer are specks
ALIKE = 0.75  # of the contrast of the writing: strokes this strong beside the sheet may be writing, too
MOST_CROSSING = 3  # px of writing at the edge; with more it goes on beside the sheet
EDGE = np.ones((7, 7), np.uint8)  # px around a sheet's outline are neither sheet nor desk


def find_sheet(image: np.ndarray) -> np.ndarray | None:
    """Find a sheet with straight edges that lies on something of another brightness or colour.

    It is a bright one that lies whole on something darker; or it is written on, and what lies around it is not. Then it may
    run out of the image, or be darker: a shadow on a larger sheet, with writing in it, is no desk.

    Args:
        image: (h, w, 3) uint8.

    Returns:
        (h, w) bool, True well inside the sheet's edges; None when there is no such sheet.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        return None
    size = tuple(max(1, round(side * LONG_SIDE / max(height, width))) for side in (width, height))
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA) if max(size) < width / 2 else image  # quicker
    small = cv2.resize(half, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    found = [(*bright_sheet(plane), number) for number, plane in enumerate(planes(small, grey))]
    for contrast, sheet, whole, number in sorted(found, key=lambda sheet: -sheet[0]):
        if contrast >= LEAST_CONTRAST and ((number == 0 and whole) or is_written_on(sheet, grey)):
            inside = cv2.erode(sheet.astype(np.uint8), EDGE, borderValue=1)
            return cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return None


def planes(image: np.ndarray, grey: np.ndarray) -> Iterator[np.ndarray]:
    """Yield (h, w) uint8 in which a sheet may be bright: grey, its inverse, and the most coloured channel."""
    yield grey
    yield 255 - grey
    tints = [cv2.absdiff(image[..., channel], grey) for channel in range(3)]
    strongest = max(range(3), key=lambda channel: tints[channel].mean())
    if tints[strongest].max() > LEAST_CONTRAST:
        yield image[..., strongest]
        yield 255 - image[..., strongest]


def bright_sheet(plane: np.ndarray) -> tuple[float, np.ndarray, bool]:
    """Find a bright region with straight edges in `plane` (h, w) uint8.

    Returns:
        (its contrast with the rest, 0.0 where there is no such region; (h, w) bool; whether it lies whole in the image).
    """
    _, bright = cv2.threshold(cv2.medianBlur(plane, 5), 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return 0.0, bright > 0, False
    outline = max(contours, key=cv2.contourArea)
    area, hull = cv2.contourArea(outline), cv2.convexHull(outline)
    if not max(LEAST_AREA * plane.size, 0.9 * cv2.contourArea(hull)) <= area < 0.97 * plane.size:
        return 0.0, bright > 0, False
    sheet = cv2.drawContours(np.zeros_like(plane), [outline], -1, 1, cv2.FILLED) > 0
    sides = [sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]]
    whole = np.concatenate(sides).mean() <= 0.05 and sum(side.any() for side in sides) <= 2  # a tight digit touches more
    if whole:
        corners = cv2.approxPolyDP(hull, 0.04 * cv2.arcLength(outline, True), True)
        straight = 0.9 * cv2.contourArea(corners) <= area <= 1.1 * cv2.contourArea(corners)  # the hole of a 0 is not
        found = len(corners) == 4 and straight
    else:
        sheet = cv2.drawContours(np.zeros_like(plane), [hull], -1, 1, cv2.FILLED) > 0  # strokes may run out of it
        found = bright[~sheet].sum() <= 0.1 * (~sheet).sum()
    edge = sheet & (cv2.erode(sheet.astype(np.uint8), np.ones((3, 3)), borderValue=1) == 0)
    if not found or bright[sheet].mean() < 0.8 or not edge.any():
        return 0.0, sheet, whole
    contrast = float(np.median(plane[sheet]) - np.median(plane[~sheet]))
    steps = (cv2.dilate(plane, EDGE) - cv2.erode(plane, EDGE))[edge]
    return contrast if np.median(steps) >= SHARP * contrast else 0.0, sheet, whole


def is_written_on(sheet: np.ndarray, grey: np.ndarray) -> bool:
    """Tell whether there is writing on a sheet and none beside it.

    Args:
        sheet: (h, w) bool. grey: (h, w) uint8, the image.
    """
    on, beside = (cv2.erode(region.astype(np.uint8), EDGE) > 0 for region in (sheet, ~sheet))
    if not on.any() or not beside.any():
        return False
    tones = np.sort(grey[on])
    low, paper, high = (int(tones[int(share * (len(tones) - 1))]) for share in (0.005, 0.5, 0.995))
    if high - paper > paper - low:  # light ink
        grey = 255 - grey
    missing = missing_light(grey, on)
    contrast = strongest(missing[on])
    rim = on & (cv2.erode(on.astype(np.uint8), np.ones((3, 3)), borderValue=1) == 0)
    crossing = np.count_nonzero(missing[rim] > 0.5 * contrast)  # what crosses the edge would be cut
    if contrast < WRITING or crossing > MOST_CROSSING:
        return False
    return strongest(missing_light(grey, beside)[beside]) <= ALIKE * contrast


def missing_light(grey: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return how much of the light is missing, 0 to 1, in what is as narrow as a stroke, (h, w) float, within a region.

    Args:
        grey: (h, w) uint8. region: (h, w) bool.
    """
    alone = np.where(region, grey, np.median(grey[region])).astype(np.uint8)  # so that its edge is no step
    around = cv2.morphologyEx(alone, cv2.MORPH_CLOSE, np.ones((STROKE, STROKE), np.uint8))
    return 1 - alone / np.maximum(around, 1)


def strongest(values: np.ndarray) -> float:
    """Return the highest of `values`, but for a few."""
    return float(np.sort(values)[-min(FEW, len(values))])


def paint_over_desk(image: np.ndarray) -> np.ndarray:
    """Give the surroundings of a sheet the colour of the paper nearby; an image without a sheet is returned as it is.

    Args:
        image: (h, w, 3) uint8.

    Returns:
        (h, w, 3) uint8.
    """
    inside = find_sheet(image)
    if inside is None:
        return image
    factor = 64 / max(image.shape)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(np.float32)  # without the writing
    known = cv2.resize(inside.astype(np.float32), small.shape[1::-1], interpolation=cv2.INTER_AREA) > 0.99
    if not known.any():
        return image
    paper = np.broadcast_to(np.median(small[known], axis=0), small.shape)
    for sigma in (24, 6):  # far from the sheet as on average, near it as there
        weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma)[..., None]
        near = cv2.GaussianBlur(small * known[..., None], (0, 0), sigma) / np.maximum(weight, 1e-6)
        paper = np.where(weight > 0.02, near, paper)
    paper = cv2.resize(paper.astype(np.float32), image.shape[1::-1])
    return np.where(inside[..., None], image, np.clip(paper, 0, 255).astype(np.uint8))
