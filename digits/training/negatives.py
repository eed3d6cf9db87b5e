"""Draw training images that show no digit: letters, signs, scribbles, filled shapes, textures.

    images = draw_negatives(4000, seed=1)

They are trained towards equal probabilities ("outlier exposure", Hendrycks, Mazeika & Dietterich 2019,
arXiv 1812.04606). What a person could take for a digit (O, l, Z, S, B, G, g, q, b, y, C, J, brackets, an arrow up,
theta, phi, ...) is left out of the tables on purpose.
"""

import functools
import pathlib

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from digits.reading.mnist_format import fit
from digits.training import pen
from digits.training.synthetic_forms import FONTS, SIGNS, SILHOUETTES, WORD_LETTERS


def draw_negatives(count: int, seed: int) -> np.ndarray:
    """Draw images that a person reads as no digit: 50 % `SIGNS`, 20 % letters and parts of words
    in fonts, 10 % scribbles and lines, 20 % filled shapes.

    Args:
        count: number of images.
        seed: integer; the same seed gives the same images.

    Returns:
        (count, 28, 28) uint8, ink 255 on 0, in MNIST's geometry.
    """
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    for image in images:
        kind = rng.random()
        if kind < 0.5:
            _, _, boldest, shape = _choose(SIGNS, rng)
            ink = pen.draw(pen.trace(shape, rng), boldest, rng)
        elif kind < 0.7:
            ink = _lettering(rng)
        elif kind < 0.8:
            ink = pen.draw(_scribble(rng), 0.06, rng)
        else:
            ink = _filled(rng)
        image[:] = fit(pen.wear(ink, rng))
    return images


def _choose(forms, rng):
    """Return one line of a table whose first column is a weight."""
    weights = np.cumsum([form[0] for form in forms])
    return forms[np.searchsorted(weights, rng.uniform(0, weights[-1]), side="right")]


@functools.cache
def load_font(name: str) -> ImageFont.FreeTypeFont:
    """Return one of the fonts that come with Matplotlib, about 80 pixels high."""
    return ImageFont.truetype(pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", 80)


def _lettering(rng):
    """Return the ink of one letter or a part of a word in a font, as if written: (H, W) uint8."""
    name, letters = FONTS[rng.integers(len(FONTS))]
    text = rng.choice(list(letters))
    if rng.random() < 0.4:
        text = "".join(rng.choice(list(WORD_LETTERS), rng.integers(2, 5)))
    page = Image.new("L", (480, 160))
    ImageDraw.Draw(page).text((30, 30), text, 255, load_font(name))
    ink = pen.crop(np.asarray(page))
    if len(text) > 2 and rng.random() < 0.5:  # a cut through a word
        ink = pen.crop(np.ascontiguousarray(ink[:, : round(ink.shape[1] * rng.uniform(0.4, 0.9))]))
    grow = int(rng.integers(-1, 6))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(grow) + 1,) * 2)
    ink = np.pad(ink, 24)
    ink = cv2.dilate(ink, kernel) if grow > 0 else cv2.erode(ink, kernel)
    height, width = ink.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    bend_x, bend_y = (cv2.resize(rng.normal(0, 4, (4, 4)).astype(np.float32), (width, height)) for _ in range(2))
    slant = rng.uniform(-0.1, 0.3)
    ink = cv2.remap(ink, columns + bend_x + slant * (rows - height / 2), rows + bend_y, cv2.INTER_LINEAR)
    return cv2.resize(ink, None, fx=rng.uniform(0.6, 1.3), fy=1, interpolation=cv2.INTER_AREA)


def _scribble(rng):
    """Return strokes of a sign without meaning: scribble, spiral, zigzag, hatching, ruled or squared paper, or dots."""
    kind, count = rng.integers(7), rng.integers(7, 16)
    along = np.linspace(0, 1, 120)[:, None]
    if kind == 0:
        return [pen.stroke_matrix([False] * count) @ rng.random((count, 2))]
    if kind == 1:
        angle = 2 * np.pi * rng.uniform(2.2, 4.5) * along + rng.uniform(0, 6.3)
        return [0.5 + 0.5 * along * np.hstack([np.cos(angle), rng.uniform(0.6, 1) * np.sin(angle)])]
    if kind == 2:
        points = np.stack([np.linspace(0, 1, count), np.arange(count) % 2 * rng.uniform(0.3, 0.9)], axis=1)
        return [pen.stroke_matrix([rng.random() < 0.5] * count) @ (points + rng.normal(0, 0.03, points.shape))]
    if kind == 3:
        lines, lean, flip = np.linspace(0.1, 0.9, rng.integers(3, 7)), rng.uniform(-0.2, 0.2), rng.choice([-1, 1])
        return [np.clip(np.array([[x + lean, 0], [x - lean, 1]]) + rng.normal(0, 0.03, (2, 2)), 0, 1)[:, ::flip] for x in lines]
    if kind == 4:
        return [
            np.hstack([along, 0.2 + 0.22 * line + rng.normal(0, 0.003, along.shape).cumsum(axis=0)])
            for line in range(rng.integers(1, 4))
        ]
    if kind == 5:  # boxes and squares: two lines each way at least, for with fewer there is a 1 or a 7 among them
        ends = rng.choice([0, 0.1]), rng.choice([0.9, 1])
        return [
            np.array([[place, end] if upright else [end, place] for end in ends]) + rng.normal(0, 0.01, (2, 2))
            for upright in (False, True)
            for place in np.linspace(0, 1, rng.integers(2, 5))
        ]
    return [dot + rng.normal(0, 0.02, (2, 2)) for dot in rng.random((count // 2, 1, 2))]


def _filled(rng):
    """Return (pen.CANVAS, pen.CANVAS) uint8 of a thing as found in a photograph: its silhouette, solid, ragged or grey."""
    size = int(rng.choice([2, 4, 8, 16, 56]))
    texture = cv2.resize(rng.uniform(30, 255, (size, size)), (pen.CANVAS, pen.CANVAS), interpolation=cv2.INTER_LINEAR)
    for _ in range(rng.integers(0, 4)):  # edges: stripes and shadows
        (x, y), (u, v) = rng.integers(0, pen.CANVAS, (2, 2)).tolist()
        cv2.line(texture, (x, y), (u, v), rng.uniform(20, 255), int(rng.integers(2, 30)))
    look = rng.random()
    if look < 0.7:  # as after a threshold
        texture = np.where(texture > rng.uniform(0, 150) * (look < 0.45), 255.0, 0.0)
    outline = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    shape = rng.random()
    if shape < 0.45:
        outline = np.concatenate(pen.trace(_choose(SILHOUETTES, rng)[-1], rng))
    elif shape < 0.9:
        angle = np.linspace(0, 2 * np.pi, rng.integers(5, 12), endpoint=False)[:, None]
        blob = rng.uniform(0.2, 0.5, angle.shape) * np.hstack([np.cos(angle), rng.uniform(0.4, 1) * np.sin(angle)])
        blob = pen.stroke_matrix(np.full(len(angle), rng.random() < 0.5)) @ blob
        tilt = rng.uniform(-0.7, 0.7)  # upright it could be a broad 1
        outline = 0.5 + blob @ [[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]]
    mask = np.zeros((pen.CANVAS, pen.CANVAS), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * (pen.CANVAS - 1)).astype(np.int32)], 1)
    ink = texture.astype(np.uint8) * mask
    return ink if ink.max() > 60 else 255 * mask
