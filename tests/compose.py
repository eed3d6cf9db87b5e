"""Test images: digits drawn with lines, MNIST's test digits, and papers to put them on.

Everything is made from its arguments and a NumPy generator; no files. Papers are (H, W, 3) uint8; what is
written is given as coverage, (H, W) float from 0 (paper) to 1 (ink).
"""

import cv2
import numpy as np

# Pen strokes in a box of 1 x 1, x to the right and y down.
CURVES = {
    0: [[(0.5 + 0.33 * np.sin(t), 0.5 - 0.48 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 40)]],
    1: [[(0.5, 0.02), (0.5, 0.98)]],
    2: [[(0.2, 0.25), (0.3, 0.08), (0.5, 0.02), (0.7, 0.1), (0.76, 0.28), (0.65, 0.5), (0.2, 0.95), (0.84, 0.95)]],
    3: [[(0.22, 0.1), (0.5, 0.02), (0.74, 0.15), (0.7, 0.38), (0.42, 0.48), (0.72, 0.6), (0.78, 0.8), (0.55, 0.97), (0.2, 0.88)]],
    4: [[(0.6, 0.02), (0.18, 0.64), (0.86, 0.64)], [(0.66, 0.35), (0.64, 0.98)]],
    5: [[(0.78, 0.04), (0.32, 0.04), (0.27, 0.45), (0.55, 0.4), (0.77, 0.58), (0.73, 0.84), (0.5, 0.97), (0.2, 0.88)]],
    6: [[(0.68, 0.03), (0.42, 0.2), (0.26, 0.55), (0.3, 0.85), (0.52, 0.97), (0.74, 0.83), (0.7, 0.6), (0.5, 0.52), (0.29, 0.66)]],
    7: [[(0.2, 0.05), (0.8, 0.05), (0.42, 0.98)]],
    8: [
        [(0.5 + 0.22 * np.sin(t), 0.25 - 0.23 * np.cos(t)) for t in np.linspace(np.pi, 3 * np.pi, 30)]
        + [(0.5 + 0.27 * np.sin(t), 0.73 - 0.25 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 30)]
    ],
    9: [
        [(0.72, 0.3), (0.55, 0.48), (0.33, 0.42), (0.27, 0.22), (0.42, 0.05), (0.62, 0.05), (0.74, 0.22), (0.72, 0.5), (0.62, 0.98)]
    ],
}


def draw(coverage, digit, x, y, height, width=None, pen=None, slant=0.0):
    """Draw one digit into `coverage` (H, W) float with its box's corner at (x, y); `pen` in pixels."""
    width, pen = width or 0.75 * height, pen or max(1, round(height / 10))
    page = (coverage * 255).astype(np.uint8)
    for curve in CURVES[digit]:
        points = np.array(curve)
        points = np.stack([x + points[:, 0] * width + slant * height * (1 - points[:, 1]), y + points[:, 1] * height], 1)
        cv2.polylines(page, [np.round(points * 16).astype(np.int32)], False, 255, pen, cv2.LINE_AA, 4)
    np.maximum(coverage, page / 255, out=coverage)


def number(text, size=(120, 400), height=70, pen=None, gap=0.85, x=25, y=25, rise=0.0):
    """Coverage (H, W) of a number; `gap` is the distance between digits' corners in heights, `rise` in pixels each."""
    coverage = np.zeros(size)
    for k, character in enumerate(text):
        draw(coverage, int(character), x + k * gap * height, y + k * rise, height, pen=pen)
    return coverage


def paste(coverage, image, x, y, height):
    """Put an MNIST image (28, 28) uint8 into `coverage`, its ink `height` pixels high, corner at (x, y)."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    factor = height / ink.shape[0]
    ink = cv2.resize(ink, (max(1, round(ink.shape[1] * factor)), height), interpolation=cv2.INTER_CUBIC) / 255
    part = coverage[y : y + ink.shape[0], x : x + ink.shape[1]]
    np.maximum(part, np.clip(ink, 0, 1)[: part.shape[0], : part.shape[1]], out=part)
    return ink.shape[1]


def paper(size, colour=(235, 232, 225), gradient=0.0, shadow=0.0, grain=0.0, generator=None):
    """A sheet: light falls off by `gradient` from left to right, a shadow's edge takes `shadow`, `grain` in grey levels."""
    height, width = size
    light = np.ones(size) - gradient * np.linspace(0, 1, width)[None, :]
    if shadow:
        edge = np.add.outer(np.arange(height), np.arange(width)) > 0.55 * (height + width)
        light -= shadow * cv2.GaussianBlur(edge.astype(np.float32), (0, 0), 2)
    sheet = light[..., None] * np.array(colour)
    if grain:
        sheet = sheet + generator.normal(0, grain, size)[..., None]
    return np.clip(sheet, 0, 255).astype(np.uint8)


def rule(sheet, distance=30, colour=(120, 150, 215), squared=False, pen=1, angle=0.0):
    """Print ruled lines on a sheet, or squares, turned by `angle` degrees."""
    height, width = sheet.shape[:2]
    lines = np.zeros((height, width), np.uint8)
    for row in range(distance - 3, height, distance):
        lines[row : row + pen] = 255
    if squared:
        for column in range(distance - 5, width, distance):
            lines[:, column : column + pen] = 255
    if angle:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.05)
        lines = cv2.warpAffine(lines, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return write(lines / 255, sheet, colour)


def write(coverage, sheet, colour=(40, 40, 45)):
    """Put ink of a colour on a sheet where `coverage` is."""
    shares = coverage[..., None]
    return np.round(sheet * (1 - shares) + np.array(colour) * shares).astype(np.uint8)


def jpeg(image, quality):
    """The image after JPEG at a quality of 1 to 100."""
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
