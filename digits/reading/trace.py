"""An image on its way to digits, with every stage on record: for people who want to see why it is read as it is.

    steps = follow("photo.jpg")                  # a path, a PIL image or an array
    steps.text, steps.mask, steps.images       # "2026", what was taken for ink, what the network saw
    reading_stages(steps)                        # of digits/figures/reading.py

The stages are those of digits/reading/ink.py, candidates.py and decoding.py, called here one by one; digits/reading/reader.py is
the quick way to the same reading.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from digits.inference.runtimes import load_network
from digits.reading import decoding
from digits.reading import ink as inks
from digits.reading.candidates import find_candidates
from digits.reading.image_loader import Source, load_image
from digits.reading.ink_versions import propose_versions
from digits.reading.paper import background, reduce
from digits.reading.records import make_record
from digits.reading.sheet import paint_over_desk


class Steps(NamedTuple):
    """What became of an image; h and w are those of the working size, boxes are x0, y0, x1, y1 in its pixels.

    Attributes:
        photo: (h, w, 3) uint8, the image at its working size.
        paper: (h, w, 3) uint8, the paper under the ink as it was estimated.
        strength: (h, w) float32, how far each pixel differs from its paper, 0 or more, in grey levels.
        mask: (h, w) bool, what is taken for ink.
        strokes: (h, w) int32, the numbered strokes of the version that was read; -1: ink that was taken away (lines,
            frames, specks); 0: paper.
        candidates: (N, 4) float, boxes of everything that was put before the network.
        boxes: (D, 4) float, boxes of the digits that were read.
        images: (D, 28, 28) uint8, what the network saw of them.
        digits: list of D int. confidences: list of D float.
        text: the digits in reading order, "" for none. confidence: of all together, or None.
    """

    photo: np.ndarray
    paper: np.ndarray
    strength: np.ndarray
    mask: np.ndarray
    strokes: np.ndarray
    candidates: np.ndarray
    boxes: np.ndarray
    images: np.ndarray
    digits: list[int]
    confidences: list[float]
    text: str
    confidence: float | None


def follow(
    source: Source,
    network: Callable[[np.ndarray], np.ndarray] | None = None,
    invert: str = "auto",
    min_confidence: float = decoding.MIN_CONFIDENCE,
) -> Steps:
    """Read an image and keep every stage.

    Args:
        source: what `image_loader.load_image` takes.
        network: callable, (N, 28, 28) uint8 -> (N, 10) float32 (default: the default model).
        invert, min_confidence: as for `reader.read_image`.

    Returns:
        Steps.

    Raises:
        UserError: the image or the model cannot be read.
    """
    image = load_image(source, least_side=inks.FINE_SIDE)  # as the reader does
    ink = inks.find_ink(image, invert)
    photo, scale = inks.working_size(image)
    if ink.scale > scale:  # small writing is looked at in a larger copy
        photo, scale = inks.working_size(image, inks.FINE_SIDE)
    factor = round(scale / ink.scale)  # bold strokes in a smaller one
    photo, plain, scale = reduce(photo, factor), reduce(paint_over_desk(photo), factor), ink.scale
    layout = find_candidates(image, invert)
    probabilities = np.asarray((network or load_network())(layout.images), np.float64)
    numbers, words = decoding.choose_numbers(layout, probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1).tolist())
    record = make_record(layout, probabilities, numbers, words, min_confidence, 1)
    version = layout.lines[words[0].line].version if words else 0
    boxes = np.array([digit["box"] for digit in record["digits"]]).reshape(-1, 4)
    candidates = layout.boxes if layout.candidates[0].line >= 0 else layout.boxes[:0]
    return Steps(
        photo,
        np.clip(background(plain, scale)[0], 0, 255).astype(np.uint8),
        np.linalg.norm(ink.difference, axis=2) / np.sqrt(3),
        ink.mask,
        _strokes(propose_versions(ink, invert), ink.mask, version),
        candidates * scale,
        boxes * scale,
        record["images"],
        [digit["digit"] for digit in record["digits"]],
        [digit["confidence"] for digit in record["digits"]],
        record["text"],
        record["confidence"],
    )


def _strokes(found, mask, number):
    """Return the strokes of version `number` of an image as `Steps.strokes`."""
    if not found:
        return np.where(mask, -1, 0).astype(np.int32)
    strokes = found[number % len(found)].strokes.labels  # the second half of the numbers: each as one digit
    if strokes.shape != mask.shape:  # turned level: there is no telling what was where
        return strokes.astype(np.int32)
    return np.where((strokes == 0) & mask, -1, strokes).astype(np.int32)
