"""Draw training pictures with a parametric pen: digit forms that MNIST lacks, and pictures of no digit.

    images, labels = draw_digits(12000, seed=0)          # flagged 1, crossed 7, open 4, curled 9, ...
    outliers = draw_non_digits(4000, seed=1)             # letters, signs, scribbles, filled shapes, textures
    fragments = non_digits_from_digits(x_train, y_train, 4000, seed=2)    # pairs, halves, mirrored digits

MNIST's writers are American; the first function shows a network how the rest of the world writes. The
other two give it examples of "no digit", to be trained towards equal probabilities ("outlier exposure",
Hendrycks, Mazeika & Dietterich 2019, arXiv 1812.04606). What a person could take for a digit (O, l, Z, S,
B, G, g, q, b, y, C, J, brackets, an arrow up, theta, phi, ...) is left out of the tables on purpose.
"""

import functools

import cv2
import numpy as np

from digits.reading.mnist_format import fit
from digits.training.synthetic_forms import DIGITS, FRAGMENTS, SIGNS, SILHOUETTES

CANVAS = 112  # pixels; about five times the 20x20 box that the drawing is reduced to


def _stroke_matrix(corners, steps=7):
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
def _parse(shape):
    """Turn a shape's text into (control points (2, P, 2) of its two ends, curve matrix (S, P), ends of strokes)."""
    ends = []
    matrices: list[np.ndarray] = []
    for variant in shape.split(">"):
        points, matrices = [], []
        for stroke in variant.split("/"):
            straight = stroke.strip().startswith("L")
            words = stroke.replace("L", " ").split()
            points += [[float(value) / 100 for value in word.rstrip("!").split(",")] for word in words]
            matrices.append(_stroke_matrix([straight or word.endswith("!") for word in words]))
        ends.append(points)
    matrix = np.zeros((sum(len(m) for m in matrices), sum(m.shape[1] for m in matrices)))
    row = column = 0
    for part in matrices:
        matrix[row : row + len(part), column : column + part.shape[1]] = part
        row, column = row + len(part), column + part.shape[1]
    return np.array([ends[0], ends[-1]]), matrix, np.cumsum([len(m) for m in matrices])


def _trace(shape, rng):
    """Write a shape by hand once: a list of (n, 2) float64 strokes, the longer side of all of them 1."""
    ends, matrix, stops = _parse(shape)
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


def _ink(strokes, boldest, rng):
    """Draw strokes (coordinates 0 to 1) with a pen of random width: (CANVAS, CANVAS) uint8, ink 255 on 0."""
    width = min(rng.uniform(0.035, 0.19), boldest)
    if boldest > 0.19 and rng.random() < 0.4:
        width = rng.uniform(0.19, boldest)
    margin = CANVAS * (width / 2 + 0.04)
    pressure = rng.uniform(0, 0.35)
    broken = rng.random() < 0.06
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    for stroke in strokes:
        pixels = np.round((margin + stroke * (CANVAS - 1 - 2 * margin)) * 16).astype(np.int32)
        phase, length = rng.uniform(0, 6.3), 5
        gap = rng.integers(len(stroke)) if broken else -1
        for start in range(0, len(pixels) - 1, length):
            thickness = width * CANVAS * (1 - pressure * (0.5 + 0.5 * np.sin(phase + 0.2 * start)))
            stop = start + length + (0 if start <= gap < start + length else 1)
            cv2.polylines(canvas, [pixels[start:stop]], False, 255, max(1, round(thickness)), cv2.LINE_AA, 4)
    return canvas


def _choose(forms, rng):
    """Return one line of a table whose first column is a weight."""
    weights = np.cumsum([form[0] for form in forms])
    return forms[np.searchsorted(weights, rng.uniform(0, weights[-1]), side="right")]


def _crop(ink):
    """Return the part of a picture inside the box of its ink."""
    x, y, width, height = cv2.boundingRect(ink)
    return ink[y : y + height, x : x + width]


def _wear(ink, rng):
    """Spoil some of the pictures as old or tiny bitmaps do: stretched to a box, few pixels, hard threshold."""
    if rng.random() < 0.12:
        ink = _crop(ink)
        height, width = ink.shape
        ink = cv2.resize(ink, (round(min(1.8 * width, max(width, height * rng.uniform(0.6, 1)))), height))
    if rng.random() < 0.15:
        ink = _crop(ink)
        side = rng.choice([8, 12, 16, 24, 32], p=[0.1, 0.2, 0.25, 0.25, 0.2])
        factor = side / max(ink.shape)
        small = cv2.resize(ink, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        if side > 8 and rng.random() < 0.6:
            small = np.where(small > 0.4 * small.max(), 255, 0).astype(np.uint8)
        ink = cv2.resize(small, None, fx=64 / side, fy=64 / side, interpolation=int(rng.choice([0, 1])))
    return ink


def draw_digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw digits in the forms of `DIGITS`.

    Args:
        count: number of pictures.
        seed: whole number; the same seed gives the same pictures.

    Returns:
        (images, labels): (count, 28, 28) uint8, ink 255 on 0, in MNIST's geometry; (count,) uint8.
    """
    rng = np.random.default_rng(seed)
    weights = np.array([form[1] for form in DIGITS])
    chosen = rng.choice(len(DIGITS), count, p=weights / weights.sum())
    images = np.zeros((count, 28, 28), np.uint8)
    for image, form in zip(images, chosen):
        _, _, _, boldest, shape = DIGITS[form]
        image[:] = fit(_wear(_ink(_trace(shape, rng), boldest, rng), rng))
    return images, np.array([DIGITS[form][0] for form in chosen], np.uint8)


def _scribble(rng):
    """Return strokes of a sign without meaning: scribble, spiral, zigzag, hatching, ruled lines or dots."""
    kind, count = rng.integers(6), rng.integers(7, 16)
    along = np.linspace(0, 1, 120)[:, None]
    if kind == 0:
        return [_stroke_matrix([False] * count) @ rng.random((count, 2))]
    if kind == 1:
        angle = 2 * np.pi * rng.uniform(2.2, 4.5) * along + rng.uniform(0, 6.3)
        return [0.5 + 0.5 * along * np.hstack([np.cos(angle), rng.uniform(0.6, 1) * np.sin(angle)])]
    if kind == 2:
        points = np.stack([np.linspace(0, 1, count), np.arange(count) % 2 * rng.uniform(0.3, 0.9)], axis=1)
        return [_stroke_matrix([rng.random() < 0.5] * count) @ (points + rng.normal(0, 0.03, points.shape))]
    if kind == 3:
        lines, lean, flip = np.linspace(0.1, 0.9, rng.integers(3, 7)), rng.uniform(-0.2, 0.2), rng.choice([-1, 1])
        return [np.clip(np.array([[x + lean, 0], [x - lean, 1]]) + rng.normal(0, 0.03, (2, 2)), 0, 1)[:, ::flip] for x in lines]
    if kind == 4:
        return [
            np.hstack([along, 0.2 + 0.22 * line + rng.normal(0, 0.003, along.shape).cumsum(axis=0)])
            for line in range(rng.integers(1, 4))
        ]
    return [dot + rng.normal(0, 0.02, (2, 2)) for dot in rng.random((count // 2, 1, 2))]


def _filled(rng):
    """Return (CANVAS, CANVAS) uint8 of a thing as found in a photograph: its silhouette, solid, ragged or grey."""
    size = int(rng.choice([2, 4, 8, 16, 56]))
    texture = cv2.resize(rng.uniform(30, 255, (size, size)), (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    for _ in range(rng.integers(0, 4)):  # edges: stripes and shadows
        (x, y), (u, v) = rng.integers(0, CANVAS, (2, 2)).tolist()
        cv2.line(texture, (x, y), (u, v), rng.uniform(20, 255), int(rng.integers(2, 30)))
    look = rng.random()
    if look < 0.7:  # as after a threshold
        texture = np.where(texture > rng.uniform(0, 150) * (look < 0.45), 255.0, 0.0)
    outline = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    shape = rng.random()
    if shape < 0.45:
        outline = np.concatenate(_trace(_choose(SILHOUETTES, rng)[-1], rng))
    elif shape < 0.9:
        angle = np.linspace(0, 2 * np.pi, rng.integers(5, 12), endpoint=False)[:, None]
        blob = rng.uniform(0.2, 0.5, angle.shape) * np.hstack([np.cos(angle), rng.uniform(0.4, 1) * np.sin(angle)])
        blob = _stroke_matrix(np.full(len(angle), rng.random() < 0.5)) @ blob
        tilt = rng.uniform(-0.7, 0.7)  # upright it could be a broad 1
        outline = 0.5 + blob @ [[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]]
    mask = np.zeros((CANVAS, CANVAS), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * (CANVAS - 1)).astype(np.int32)], 1)
    ink = texture.astype(np.uint8) * mask
    return ink if ink.max() > 60 else 255 * mask


def draw_non_digits(count: int, seed: int) -> np.ndarray:
    """Draw pictures that a person reads as no digit: 60 % `SIGNS`, 15 % scribbles, 25 % filled shapes.

    Args:
        count: number of pictures.
        seed: whole number; the same seed gives the same pictures.

    Returns:
        (count, 28, 28) uint8, ink 255 on 0, in MNIST's geometry.
    """
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), np.uint8)
    for image in images:
        kind = rng.random()
        if kind < 0.6:
            _, _, boldest, shape = _choose(SIGNS, rng)
            ink = _wear(_ink(_trace(shape, rng), boldest, rng), rng)
        elif kind < 0.75:
            ink = _ink(_scribble(rng), 0.06, rng)
        else:
            ink = _wear(_filled(rng), rng)
        image[:] = fit(ink)
    return images


def _side_by_side(first, second, rng):
    """Put two digits next to each other so that they touch or nearly do: their ink, (H, W) uint8."""
    digits = [_crop(first), _crop(second)]
    halves = digits[0][:, digits[0].shape[1] // 2 :], digits[1][:, : digits[1].shape[1] // 2 + 1]
    which = rng.integers(6)
    if which < 2 and halves[which].mean() > 0.8 * digits[which].mean():  # a cut in the wrong place leaves this
        digits[which] = halves[which]
    first, second = digits
    scale = rng.uniform(0.75, 1.25)
    second = cv2.resize(second, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    height = max(len(first), len(second))
    above = int(rng.choice([0, 0.5, 1]) * (height - len(second)))
    first = np.pad(first, ((height - len(first), 0), (0, 0)))
    second = np.pad(second, ((above, height - len(second) - above), (0, 0)))
    width = first.shape[1]
    right = np.where((first > 99).any(axis=1), width - 1 - np.argmax(first[:, ::-1] > 99, axis=1), -99)
    left = np.where((second > 99).any(axis=1), np.argmax(second > 99, axis=1), 99)
    reach = right - left
    parallel = (reach >= reach.max() - 2).mean() > 0.4  # two 1s that touch would be one bold 1
    start = max(int(reach.max() + rng.integers(1, 4) + 2 * parallel), width // 2)
    pair = np.pad(first, ((0, 0), (0, max(0, start + second.shape[1] - width))))
    place = pair[:, start : start + second.shape[1]]
    np.maximum(place, second, out=place)
    squeeze = min(1, max(rng.uniform(0.5, 1), 0.6 * height / pair.shape[1]))
    return cv2.resize(pair, None, fx=squeeze, fy=1, interpolation=cv2.INTER_AREA)


def _fragment(image, change, rng):
    """Return the ink that is left of a digit's picture after one change of `FRAGMENTS`."""
    ink = _crop(image)
    rows = round(min(rng.uniform(0.36, 0.46) * len(ink), 0.9 * ink.shape[1])) or 1  # a high part could be a 1
    return {"top": ink[:rows], "bottom": ink[-rows:], "mirror": ink[:, ::-1], "flip": ink[::-1]}[change]


def non_digits_from_digits(images: np.ndarray, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Make pictures of no digit from pictures of digits: half of them pairs, half cut or mirrored digits.

    Args:
        images: (N, 28, 28) uint8, ink 255 on 0.
        labels: (N,) whole numbers 0 to 9.
        count: number of pictures.
        seed: whole number; the same seed gives the same pictures.

    Returns:
        (count, 28, 28) uint8, ink 255 on 0, in MNIST's geometry.
    """
    rng = np.random.default_rng(seed)
    of_label = [np.flatnonzero(labels == digit) for digit in range(10)]
    changes = [change for change in FRAGMENTS if len(of_label[change[0]])]
    result = np.zeros((count, 28, 28), np.uint8)
    for index, picture in enumerate(result):
        if index % 2 and changes:
            label, change = changes[rng.integers(len(changes))]
            ink = _fragment(images[rng.choice(of_label[label])], change, rng)
        else:
            first, second = images[rng.integers(0, len(images), 2)]
            ink = _side_by_side(first, second, rng)
        picture[:] = fit(np.ascontiguousarray(ink))
    return result
