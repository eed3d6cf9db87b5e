"""A sheet of paper on a darker desk: what lies around it is not writing, and its outline is no 0.

    image = paint_over_desk(image)          # the desk in the colour of the sheet, or the image as it was

NumPy and OpenCV only.
"""

import cv2
import numpy as np

LONG_SIDE = 240  # px; a sheet is found at this size
SMALLEST = 120  # px; smaller images are drawings and crops, not photographs of a desk
LEAST_CONTRAST = 40  # grey levels between sheet and desk


def find_sheet(image: np.ndarray) -> np.ndarray | None:
    """Find a bright sheet with four corners that lies, whole, on something darker.

    A sheet that runs out of the image, or half of one in the shade, is not looked for: it cannot be told from
    light that falls on a larger one.

    Args:
        image: (h, w, 3) uint8.

    Returns:
        (h, w) bool, True well inside the sheet's edges; None when there is no such sheet.
    """
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST:
        return None
    factor = LONG_SIDE / max(height, width)
    grey = cv2.cvtColor(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    _, bright = cv2.threshold(cv2.medianBlur(grey, 5), 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    outline = max(contours, key=cv2.contourArea)
    corners = cv2.approxPolyDP(cv2.convexHull(outline), 0.04 * cv2.arcLength(outline, True), True)
    area, inside_corners = cv2.contourArea(outline), cv2.contourArea(corners)
    straight = 0.9 * inside_corners <= area <= 1.1 * inside_corners  # the hole of a 0 is not
    if len(corners) != 4 or area < 0.12 * grey.size or not straight:
        return None
    sheet = cv2.drawContours(np.zeros_like(grey), [outline], -1, 1, cv2.FILLED) > 0
    sides = [sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]]
    whole = np.concatenate(sides).mean() <= 0.05 and sum(side.any() for side in sides) <= 2  # a tight digit touches more
    contrast = np.median(grey[sheet]) - np.median(grey[~sheet]) if (~sheet).any() else 0
    if not whole or bright[sheet].mean() < 0.8 or contrast < LEAST_CONTRAST:
        return None
    inside = cv2.erode(sheet.astype(np.uint8), np.ones((7, 7), np.uint8))
    return cv2.resize(inside, (width, height), interpolation=cv2.INTER_NEAREST) > 0


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
    weight = cv2.resize(inside.astype(np.float32), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    paper = cv2.resize(image.astype(np.float32) * inside[..., None], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    paper, weight = cv2.GaussianBlur(paper, (0, 0), 6), cv2.GaussianBlur(weight, (0, 0), 6)
    paper = cv2.resize(paper / np.maximum(weight, 1e-6)[..., None], image.shape[1::-1])
    return np.where(inside[..., None], image, np.clip(paper, 0, 255).astype(np.uint8))
