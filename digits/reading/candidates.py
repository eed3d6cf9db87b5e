"""Find what may be digits in an image, and draw each as MNIST would have it.

    layout = find_candidates(image)                       # (H, W, 3) uint8; see `Layout`
    layout.images                            # (N, 28, 28) uint8: candidates for the network

Pen strokes become pieces (touching digits are over-segmented into several), pieces stand in lines, and every
run of neighbouring pieces that could be one digit is a candidate. Which candidates make up the number is
left to whoever can tell a digit from a fragment: `digits/reading/decoding.py`, with the network. Pure functions from
array to array; NumPy and OpenCV only, results can be pickled.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from digits.reading import ink as inks
from digits.reading.ink_versions import likely_foreign, propose_versions, share_left_out, whole_cost, widest_gap
from digits.reading.lines import find_dots, find_stacked, group_lines, line_height, split_words
from digits.reading.mnist_format import already_mnist, mnist_normalise
from digits.reading.signs import find_signs
from digits.reading.strokes import (
    MOST_STROKES,
    Strokes,
    cut_stroke,
    find_long_bars,
    greatest_width,
    ink_box,
    label_strokes,
    propose_cuts,
    stroke_mask,
    stroke_width,
)

MOST_WHOLE_COST = 3.0  # nats by which so many strokes are improbable to be one digit: what then looks like a 1 is a list or a grid
DOT_SIZE = 0.7  # a dot is at least this large, in stroke widths
MOST_PIECES = 5  # a digit is at most this many pieces, or whole strokes, however often they were cut
WIDEST = 1.7  # times as wide as high: no digit is wider
MOST_CANDIDATES = 2000  # per version of an image: a page of numbers; see also strokes.MOST_STROKES
MOST_IN_CLUTTER = 200  # ... of one with more clutter than paper with writing has: with --single alone is it read


class Candidate(NamedTuple):
    """One run of pieces that may be one digit.

    Attributes:
        line: number of its line in `Layout.lines`.
        first, last: it is pieces first..last (inclusive) of that line.
        cuts: how much ink its two cut edges go through, in stroke widths (0.0: nothing is cut).
        gap: the widest gap between its pieces, in heights of its line (0.0: one piece).
        height: its height in heights of the line.
        thickness: its greatest stroke width in lengths of its longer side; a blot has 1.0.
        left_out: how much of the ink of its version it leaves out, as a share (see `share_left_out`).
        unclear: whether what looks like a 0, 1 or 7 may be something else: a slash, a bracket, the ring of a degree, a shadow,
            many strokes.
        stacked: whether another large piece of its line stands above or below it.
    """

    line: int
    first: int
    last: int
    cuts: float
    gap: float
    height: float
    thickness: float
    left_out: float = 0.0
    unclear: bool = False
    stacked: bool = False


class Mark(NamedTuple):
    """One sign in a line: which it is ("/", ".", ...), its box like `Layout.boxes`, the piece after it, and if it may be a 1."""

    character: str
    box: list[int]
    before: int
    unclear: bool = False


class Line(NamedTuple):
    """One line of writing.

    Attributes:
        version: number of the version of the image that it is in.
        cost: how improbable that version is before anything is read, in nats.
        pieces: (n,) float, heights of its pieces, in heights of the line.
        boxes: (n, 4) int32, boxes of its pieces, like `Layout.boxes`.
        dots: (n,) bool, which pieces are dots above another one, as on an i.
        words: list of (first, last): each word is pieces first..last (inclusive); no candidate is in two words.
        signs: list of Mark, from left to right.
        lost: share of the ink that its version leaves out because it stands on lines (see `ink_versions.Version`).
    """

    version: int
    cost: float
    pieces: np.ndarray
    boxes: np.ndarray
    dots: np.ndarray
    words: list[tuple[int, int]]
    signs: list[Mark]
    lost: float = 0.0


class Layout(NamedTuple):
    """Everything found in one image.

    An image has several versions when it is not plain which ink was written: as it is, without ruled
    lines, without frames, each colour of ink alone, with lines of writing cut apart, and turned so that a slanted line is level.

    Attributes:
        images: (N, 28, 28) uint8, the candidates as MNIST would draw them.
        boxes: (N, 4) int32, x0, y0, x1, y1 in pixels of the original image, x1 and y1 exclusive.
        candidates: list of N Candidate.
        lines: list of Line; those of one version from top to bottom.
        clutter: how much there is beside the ink (see `ink.Ink`).
        crowded: whether there are more strokes, or more ways to join them, than are looked at; parts may be missing.
    """

    images: np.ndarray
    boxes: np.ndarray
    candidates: list[Candidate]
    lines: list[Line]
    clutter: float
    crowded: bool = False


def lines_of(strokes: Strokes) -> list[np.ndarray]:
    """Return the lines of writing as `lines.group_lines` does; bars many times as long as most strokes have their own."""
    bars = find_long_bars(strokes)
    lines = [part[line] for part in map(np.flatnonzero, (~bars, bars)) for line in group_lines(strokes.boxes[part])]
    return sorted(lines, key=lambda line: float(np.mean(strokes.boxes[line, 1] + strokes.boxes[line, 3] / 2)))


def split_pieces(strokes: Strokes, line: np.ndarray, width: float) -> list[tuple[int, np.ndarray, float, float]]:
    """Cut the wide strokes of one line into pieces.

    Returns:
        list of (stroke number, mask of the piece in the stroke's box, ink cut on its left, on its right).
    """
    pieces = []
    height = line_height(strokes.boxes[line])
    for i in line:
        _, _, w, h = strokes.boxes[i]
        mask = stroke_mask(strokes, i)
        cuts = propose_cuts(mask, width) if w > 0.75 * min(h, height) and h > 0.5 * height else []
        parts = cut_stroke(mask, cuts)
        cost = [0.0] + [cut[2] for cut in cuts] + [0.0]
        for k in range(len(cuts) + 1):
            if (parts == k + 1).any():
                pieces.append((i, parts == k + 1, cost[k], cost[k + 1]))
    return pieces


def piece_span(boxes: np.ndarray, piece: tuple) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of a piece's ink."""
    i, mask = piece[:2]
    x, y, w, h = ink_box(mask)
    return span_of(int(boxes[i][0]) + x, int(boxes[i][1]) + y, w, h)


def join(pieces: list[tuple], boxes: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Paste pieces into one mask. Returns (mask (h, w) bool, x, y of its upper left corner)."""
    x0 = min(boxes[i][0] for i, *_ in pieces)
    y0 = min(boxes[i][1] for i, *_ in pieces)
    x1 = max(boxes[i][0] + m.shape[1] for i, m, *_ in pieces)
    y1 = max(boxes[i][1] + m.shape[0] for i, m, *_ in pieces)
    whole = np.zeros((y1 - y0, x1 - x0), bool)
    for i, mask, *_ in pieces:
        x, y = boxes[i][0] - x0, boxes[i][1] - y0
        whole[y : y + mask.shape[0], x : x + mask.shape[1]] |= mask
    x, y, w, h = ink_box(whole)
    return whole[y : y + h, x : x + w], int(x0) + x, int(y0) + y


def original_boxes(spans: ArrayLike, matrix: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Map boxes (n, 4) to the original image of `shape` (H, W, ...).

    Returns:
        (n, 4) int32, x0, y0, x1, y1 like `spans`, inside the image and not empty.
    """
    corners = np.reshape(spans, (-1, 4))[:, [[0, 1], [2, 1], [0, 3], [2, 3]]] @ matrix[:, :2].T + matrix[:, 2]
    limit = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(corners.min(axis=1) + 0.25), 0, limit - 1)
    return np.hstack([low, np.clip(np.ceil(corners.max(axis=1) - 0.25), low + 1, limit)]).astype(np.int32)


def span_of(x: int, y: int, w: int, h: int) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of a box."""
    return x, y, x + w, y + h


def small_ink(mask: np.ndarray, strokes: Strokes, width: float) -> np.ndarray:
    """Return the boxes of ink (h, w) that is no stroke but as large as a dot of the pen: (n, 4) x, y, width, height."""
    if strokes.labels.shape != mask.shape:  # turned: there is no telling what was where
        return np.zeros((0, 4), int)
    rest = mask & (strokes.labels == 0)
    if not rest.any():
        return np.zeros((0, 4), int)
    boxes = label_strokes(rest).boxes
    return boxes[(boxes[:, 2:].min(axis=1) >= DOT_SIZE * width) & (boxes[:, 2:].max(axis=1) <= 4 * width)]


def take_whole(strokes: Strokes, line: int) -> Candidate:
    """Return all the ink of a version as one candidate, in a line of its own."""
    _, _, width, height = ink_box(strokes.labels)
    gaps = [widest_gap(strokes.boxes[:, axis], strokes.boxes[:, axis + 2]) for axis in (0, 1)]
    thickness = greatest_width(strokes.labels > 0) / max(width, height)
    return Candidate(line, 0, 0, 0.0, max(gaps) / height, 1.0, thickness)


def line_of_one(version: int, cost: float, box: np.ndarray, lost: float = 0.0) -> Line:
    """Return a line that holds one candidate, in its box (1, 4)."""
    return Line(version, cost, np.ones(1), box, np.zeros(1, bool), [(0, 0)], [], lost)


def propose_runs(
    strokes: Strokes, pieces: list[tuple], spans: np.ndarray, words: list[tuple[int, int]], height: float, most: int
) -> Iterator[tuple[np.ndarray, tuple[int, int, int, int], Candidate]]:
    """Yield every run of neighbouring pieces of a word that could be one digit.

    Args:
        pieces: of one line, as `split_pieces` returns them. spans: (n, 4) their x0, y0, x1, y1.
        words: list of (first, last) piece of each word.
        height: of the line, in pixels.
        most: after so many runs only single pieces follow.

    Yields:
        (mask (h, w) bool; its x0, y0, x1, y1; Candidate, without what depends on other lines).
    """
    count = 0
    for start, end in words:
        for first in range(start, end + 1):
            for last in range(first, end + 1):
                run, box = pieces[first : last + 1], spans[first : last + 1]
                cuts = run[0][2] + run[-1][3]
                if last - first >= MOST_PIECES and cuts:
                    continue
                wide = box[:, 2].max() - box[:, 0].min()
                tall = box[:, 3].max() - box[:, 1].min()
                if last > first and (wide > WIDEST * max(height, tall) or count >= most):
                    break
                count += 1
                mask, x, y = join(run, strokes.boxes)
                h, w = mask.shape
                gap = widest_gap(box[:, 0], box[:, 2] - box[:, 0]) / height
                yield mask, span_of(x, y, w, h), Candidate(0, first, last, cuts, gap, h / height, greatest_width(mask) / max(h, w))


def find_candidates(image: np.ndarray, invert: str = "auto", full_size: tuple[int, int] | None = None) -> Layout:
    """Find the candidates for digits in an image.

    Args:
        image: (H, W) or (H, W, 3) uint8, upright.
        invert: "auto", "yes" (dark ink on light paper) or "no" (light ink on dark).
        full_size: (width, height) of the original image where `image` is a smaller copy: boxes are in pixels of the original.

    Returns:
        Layout; without ink it has one empty image, of no line (-1).
    """
    normalised = already_mnist(image, invert)
    if normalised is not None:
        x, y, w, h = ink_box(normalised > 64)
        whole = Candidate(0, 0, 0, 0.0, 0.0, 1.0, greatest_width(normalised > 127) / max(w, h))
        box = np.array([[x, y, x + w, y + h]], np.int32)
        return Layout(normalised[None], box, [whole], [line_of_one(0, 0.0, box)], 0.0)
    images, boxes, crowded = [], [], False
    candidates: list[Candidate] = []
    lines: list[Line] = []
    ink = inks.find_ink(image, invert)
    soft = inks.is_soft(ink)
    most = MOST_CANDIDATES if ink.clutter <= inks.MOST_CLUTTER else MOST_IN_CLUTTER
    shape = image.shape[:2] if full_size is None else full_size[::-1]
    enlarge = np.diag(np.divide(shape, image.shape[:2])[::-1])
    found = propose_versions(ink, invert)
    for version, (strokes, matrix, cost, one_digit, thin, lost) in enumerate(found):
        matrix = enlarge @ matrix
        width = stroke_width(strokes.labels > 0)
        foreign = likely_foreign(strokes)
        start, found_at = len(candidates), []
        specks = small_ink((ink.thin or ink if thin else ink).mask, strokes, width)
        for line in [] if one_digit else lines_of(strokes):
            signs, line, unclear = find_signs(strokes, line, specks)
            if len(line) == 0:
                continue
            height = line_height(strokes.boxes[line])
            pieces = split_pieces(strokes, line, width)
            spans = np.array([piece_span(strokes.boxes, piece) for piece in pieces])
            words = split_words(spans, height)
            marks = [
                Mark(
                    sign.character,
                    original_boxes(span_of(*sign.box), matrix, shape)[0].tolist(),
                    int(np.count_nonzero(spans[:, 0] + spans[:, 2] < 2 * sign.box[0] + sign.box[2])),
                    sign.unclear,
                )
                for sign in signs
            ]
            stacked = find_stacked(spans, height)
            dots = find_dots(spans, height) & [not piece[2] and not piece[3] for piece in pieces]
            heights = (spans[:, 3] - spans[:, 1]) / height
            lines.append(Line(version, cost, heights, original_boxes(spans, matrix, shape), dots, words, marks, lost))
            for mask, span, candidate in propose_runs(strokes, pieces, spans, words, height, start + most - len(candidates)):
                first, last = candidate.first, candidate.last
                own = [i for i, *_ in pieces[first : last + 1]]
                images.append(mnist_normalise(mask))
                found_at.append(span)
                candidates.append(
                    candidate._replace(
                        line=len(lines) - 1,
                        left_out=share_left_out(mask, own, strokes, foreign),
                        unclear=(first == last and own[0] in unclear) or (soft and not thin),
                        stacked=bool(stacked[first : last + 1, :first].any() or stacked[first : last + 1, last + 1 :].any()),
                    )
                )
        if all(c.left_out for c in candidates[start:]):
            whole = take_whole(strokes, len(lines))
            x, y, w, h = ink_box(strokes.labels)
            around = span_of(x, y, w, h)
            many = whole_cost(strokes)
            cost += many
            lines.append(line_of_one(len(found) + version, cost, original_boxes(around, matrix, shape), lost))
            images.append(mnist_normalise(strokes.labels > 0))
            found_at.append(around)
            candidates.append(whole._replace(unclear=many > MOST_WHOLE_COST or (soft and not thin)))
        boxes.append(original_boxes(found_at, matrix, shape))
        crowded = crowded or (len(strokes.areas) >= MOST_STROKES and not one_digit) or len(candidates) - start >= most
    if not candidates:
        images.append(np.zeros((28, 28), np.uint8))
        boxes.append(np.array([[0, 0, shape[1], shape[0]]]))
        candidates.append(Candidate(-1, 0, 0, 0.0, 0.0, 1.0, 0.0))
    return Layout(np.stack(images), np.concatenate(boxes).astype(np.int32), candidates, lines, ink.clutter, crowded)
