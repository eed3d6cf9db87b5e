"""A pen that writes shapes: control points in, ink out.

    strokes = trace("L0,0 100,0 / L50,0 50,100", rng)      # a T, written by hand once
    ink = draw(strokes, boldest=0.18, rng=rng)             # (112, 112) uint8, ink 255 on 0

How shapes are written down is told in `synthetic_forms.py`. One stroke is not of one width: a dip pen is bold where it
goes down and hair-thin where it goes up, a broad nib is bold across its edge, and a hairline may be lost.
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

CANVAS = 112  # pixels; about five times the 20x20 box that the drawing is reduced to
CONTRAST_SHARE = 0.3  # of the drawings are by a pen with bold and hair-thin strokes


def stroke_matrix(corners: Sequence[bool] | np.ndarray, steps: int = 7) -> np.ndarray:
    """Return (samples, points) weights of a Catmull-Rom curve, broken at the points marked in `corners`."""
    last = len(corners) - 1
    t = np.arange(steps)[:, None] / steps
    basis = np.hstack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]) / 2
    matrix = np.zeros((last * steps + 1, last + 1))
    for k in range(last):
        rows = matrix[k * steps : (k + 1) * steps]
        rows[:, k : k + 2] += basis[:, 1:3]
        if k == 0 or corners[k]:  # no neighbour: the curve goes on in a straight line
            rows[:, k : k + 2] += basis[:, :1] * [2, -1]
        else:
            rows[:, k - 1] += basis[:, 0]
        if k + 1 == last or corners[k + 1]:
            rows[:, k : k + 2] += basis[:, 3:] * [-1, 2]
        else:
            rows[:, k + 2] += basis[:, 3]
    matrix[-1, -1] = 1
    return matrix


@functools.cache
def parse(shape: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn a shape's text into (control points (2, P, 2) of its two ends, curve matrix (S, P), ends of strokes)."""
    ends = []
    matrices: list[np.ndarray] = []
    for variant in shape.split(">"):
        points, matrices = [], []
        for stroke in variant.split("/"):
            straight = stroke.strip().startswith("L")
            words = stroke.replace("L", " ").split()
            points += [[float(value) / 100 for value in word.rstrip("!").split(",")] for word in words]
            matrices.append(stroke_matrix([straight or word.endswith("!") for word in words]))
        ends.append(points)
    matrix = np.zeros((sum(len(m) for m in matrices), sum(m.shape[1] for m in matrices)))
    row = column = 0
    for part in matrices:
        matrix[row : row + len(part), column : column + part.shape[1]] = part
        row, column = row + len(part), column + part.shape[1]
    return np.array([ends[0], ends[-1]]), matrix, np.cumsum([len(m) for m in matrices])


def trace(shape: str, rng: np.random.Generator) -> list[np.ndarray]:
    """Write a shape by hand once: a list of (n, 2) float64 strokes, the longer side of all of them 1."""
    ends, matrix, stops = parse(shape)
    between = rng.random()
    points = ends[0] * (1 - between) + ends[1] * between
    points = points + rng.normal(0, rng.uniform(0.005, 0.032), points.shape)
    path = matrix @ points
    aspect, slant = rng.triangular(0.45, 0.7, 1.2), np.clip(rng.normal(0.1, 0.15), -0.12, 0.5)
    turn = np.radians(np.clip(rng.normal(0, 4), -10, 10))
    path = path * [aspect, 1] + np.outer(-slant * path[:, 1], [1, 0])
    path = path @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    wave = np.arange(len(path))[:, None] * rng.uniform(0.2, 0.9, (1, 2)) + rng.uniform(0, 6.3, (1, 2))
    path += rng.uniform(0, 0.014) * np.sin(wave)
    low = path.min(axis=0)
    return np.split((path - low) / (path.max(axis=0) - low).max(), stops[:-1])


def draw(strokes: list[np.ndarray], boldest: float, rng: np.random.Generator) -> np.ndarray:
    """Draw strokes with a pen of random kind and width.

    Args:
        strokes: list of (n, 2) float, x and y from 0 to 1.
        boldest: width of the boldest pen, as a share of the longer side.

    Returns:
        (CANVAS, CANVAS) uint8, ink 255 on 0.
    """
    width = min(rng.uniform(0.035, 0.19), boldest)
    if boldest > 0.19 and rng.random() < 0.4:
        width = rng.uniform(0.19, boldest)
    margin = CANVAS * (width / 2 + 0.04)
    contrast = rng.uniform(0.4, 0.85) if rng.random() < CONTRAST_SHARE else 0.0  # of a dip pen or a broad nib
    nib = rng.uniform(0.1, 1.2) if rng.random() < 0.4 else None  # radians to the horizontal; None: pressure downwards
    wave, fade = rng.uniform(0, 0.35), rng.uniform(0, 0.6) * contrast
    lost = rng.random() < (0.25 if contrast else 0.06)
    segments = []
    for stroke in strokes:
        pixels = np.round((margin + stroke * (CANVAS - 1 - 2 * margin)) * 16).astype(np.int32)
        bold = _boldness(stroke, nib)
        phase, length = rng.uniform(0, 6.3), 3 if contrast else 5
        starts = range(0, len(pixels) - 1, length)
        gap = -1
        if lost:  # a hairline where there is one
            gap = length * int(np.argmin(bold[::length][: len(starts)])) if contrast else rng.choice(starts)
        for start in starts:
            light = 1 - bold[start : start + length].mean()
            thickness = width * CANVAS * (1 - wave * (0.5 + 0.5 * np.sin(phase + 0.2 * start))) * (1 - contrast * light)
            stop = start + length + (start != gap)
            segments.append((thickness, 255 * (1 - fade * light), pixels[start:stop]))
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    for thickness, ink, pixels in sorted(segments, key=lambda segment: segment[:2]):  # the boldest last: over the others
        cv2.polylines(canvas, [pixels], False, ink, max(2, round(thickness)), cv2.LINE_AA, 4)
    return canvas


def _boldness(stroke, nib):
    """Return how bold a pen with contrast is at each point of a stroke: (n,) from 0 (hairline) to 1."""
    step = np.gradient(stroke, axis=0)
    step /= np.maximum(np.hypot(*step.T), 1e-9)[:, None]
    bold = np.clip(step[:, 1], 0, 1) if nib is None else np.abs(step @ [np.sin(nib), np.cos(nib)])
    return np.convolve(np.pad(bold, 2, mode="edge"), np.full(5, 0.2), "valid")


def wear(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spoil some drawings as narrow writing and small bitmaps do: squeezed, stretched, few pixels, hard threshold.

    Args and returns: (H, W) uint8, ink 255 on 0.
    """
    if rng.random() < 0.2:  # squeezed to six tenths at least, stretched to a square at most
        ink = crop(ink)
        height, width = ink.shape
        ink = cv2.resize(ink, (max(1, round(width * rng.uniform(0.6, max(1, min(1.8, height / width))))), height))
    if rng.random() < 0.15:
        ink = crop(ink)
        side = rng.choice([8, 12, 16, 24, 32], p=[0.1, 0.2, 0.25, 0.25, 0.2])
        factor = side / max(ink.shape)
        small = cv2.resize(ink, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        if side > 8 and rng.random() < 0.6:
            small = np.where(small > 0.4 * small.max(), 255, 0).astype(np.uint8)
        ink = cv2.resize(small, None, fx=64 / side, fy=64 / side, interpolation=int(rng.choice([0, 1])))
    return ink


def crop(ink: np.ndarray) -> np.ndarray:
    """Return the part of an image (H, W) uint8 inside the box of its ink."""
    x, y, width, height = cv2.boundingRect(ink)
    return ink[y : y + height, x : x + width]
