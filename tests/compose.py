"""Test images: digits drawn with lines, MNIST's test digits, and papers to put them on.

Everything is made from its arguments and a NumPy generator; no files. Papers are (H, W, 3) uint8; what is
written is given as coverage, (H, W) float from 0 (paper) to 1 (ink).
"""
import cv2
import numpy as np

# Pen strokes in a box of 1 x 1, x to the right and y down.
CURVES = {
    0: [[(.5 + .33 * np.sin(t), .5 - .48 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 40)]],
    1: [[(.5, .02), (.5, .98)]],
    2: [[(.2, .25), (.3, .08), (.5, .02), (.7, .1), (.76, .28), (.65, .5), (.2, .95), (.84, .95)]],
    3: [[(.22, .1), (.5, .02), (.74, .15), (.7, .38), (.42, .48), (.72, .6), (.78, .8), (.55, .97), (.2, .88)]],
    4: [[(.6, .02), (.18, .64), (.86, .64)], [(.66, .35), (.64, .98)]],
    5: [[(.78, .04), (.32, .04), (.27, .45), (.55, .4), (.77, .58), (.73, .84), (.5, .97), (.2, .88)]],
    6: [[(.68, .03), (.42, .2), (.26, .55), (.3, .85), (.52, .97), (.74, .83), (.7, .6), (.5, .52), (.29, .66)]],
    7: [[(.2, .05), (.8, .05), (.42, .98)]],
    8: [[(.5 + .22 * np.sin(t), .25 - .23 * np.cos(t)) for t in np.linspace(np.pi, 3 * np.pi, 30)]
        + [(.5 + .27 * np.sin(t), .73 - .25 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 30)]],
    9: [[(.72, .3), (.55, .48), (.33, .42), (.27, .22), (.42, .05), (.62, .05), (.74, .22), (.72, .5), (.62, .98)]],
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


def paste(coverage, picture, x, y, height):
    """Put an MNIST picture (28, 28) uint8 into `coverage`, its ink `height` pixels high, corner at (x, y)."""
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    ink = picture[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    factor = height / ink.shape[0]
    ink = cv2.resize(ink, (max(1, round(ink.shape[1] * factor)), height), interpolation=cv2.INTER_CUBIC) / 255
    part = coverage[y:y + ink.shape[0], x:x + ink.shape[1]]
    np.maximum(part, np.clip(ink, 0, 1)[:part.shape[0], :part.shape[1]], out=part)
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


def rule(sheet, distance=30, colour=(120, 150, 215), squared=False, pen=1):
    """Print ruled lines on a sheet, or squares."""
    sheet = sheet.copy()
    for row in range(distance - 3, sheet.shape[0], distance):
        sheet[row:row + pen] = colour
    if squared:
        for column in range(distance - 5, sheet.shape[1], distance):
            sheet[:, column:column + pen] = colour
    return sheet


def write(coverage, sheet, colour=(40, 40, 45)):
    """Put ink of a colour on a sheet where `coverage` is."""
    shares = coverage[..., None]
    return np.round(sheet * (1 - shares) + np.array(colour) * shares).astype(np.uint8)


def jpeg(image, quality):
    """The image after JPEG at a quality of 1 to 100."""
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
