"""Read numbers: a trained network as a function of an image.

    reader = DigitReader(network)                  # network: (N, 28, 28) uint8 -> (N, 10) float32
    records = reader.read([image])                 # images: (H, W, 3) uint8
    records[0]["text"]                             # "2026", or "" when there is no digit

`candidates.find_candidates` proposes candidates; the network tells digits from fragments; dynamic programming over
each line picks the reading with the best evidence; what is left without evidence is no digit.
"""

import math
from collections.abc import Callable

import numpy as np

from digits.reading.candidates import Candidate, Layout, find_candidates

MIN_CONFIDENCE = 0.95  # chosen on handwriting kept for development; see the class
SURE = 0.5  # a number below this confidence is reported as unsure
STRONG_SHARE = 0.4  # of a line's digits have min_confidence: half or more in writing, a third in texture
WEAK_CONFIDENCE = 0.2  # enough for a digit in such a line
MOST_CLUTTER = 0.3  # a picture with more beside its ink than this (see `ink.Ink`) is a photograph
THICKEST = 0.6  # a digit's strokes and filled loops are thinner, in lengths of its longer side
THICKEST_ONE = 0.42  # ... and a 1, which is a stroke alone
JUNK_COST = 4.0  # for leaving out a piece as high as its line, in nats like all costs
DOUBT_COST = 2.0  # for each nat by which the network doubts a digit; what is none at all costs about JUNK_COST
CUT_COST = 0.3  # for each stroke width of ink that is cut through
GAP_COST = 2.0  # for a gap inside a digit, per line height beyond a tenth
SMALL_COST = 3.0  # for a digit lower than 0.55 of its line, per line height
LINE_COST = 0.3  # for each line: one slanted line is likelier than a staircase
CUT_DOUBT = 0.15  # a cut digit's confidence counts less, by this many nats for each stroke width of ink


class DigitReader:
    """Joins the finder and the network.

    Args:
        network: callable, (N, 28, 28) uint8 -> (N, 10) float32 probabilities.
        min_confidence: a number is read where its confidence is at least this; below, the answer is unsure.
        invert: "auto", "yes" (dark ink on light paper) or "no" (light ink on dark).
    """

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], min_confidence: float = SURE, invert: str = "auto") -> None:
        self.network, self.min_confidence, self.invert = network, min_confidence, invert

    def read(self, images: list[np.ndarray], single: bool = False, top_k: int = 3) -> list[dict]:
        """Read a list of (H, W, 3) uint8 images. Returns one record each; see `read_layouts`."""
        return self.read_layouts([find_candidates(image, self.invert) for image in images], single, top_k)

    def read_layouts(self, layouts: list[Layout], single: bool = False, top_k: int = 3) -> list[dict]:
        """Read what `candidates.find_candidates` returned for several images, with one call of the network.

        Args:
            layouts: list of candidates.Layout.
            single: True when each image holds exactly one digit.
            top_k: how many alternatives to report for each digit.

        Returns:
            list of dicts: "text" (digits in reading order; words and lines joined by one space), "confidence" (of
            the whole number; None when nothing is read), "unsure" (whether that is less than `min_confidence`),
            "digits" (list of dicts "digit", "confidence", "box", "top"), "separators" (list of dicts "sign", one of
            / . , : - +, "box", and "after", the index in "digits" of the digit that it follows, -1 before the
            first), "guess" (None, or a dict "text", "confidence" of what was too uncertain to be reported), "notes"
            (list of sentences), and "pictures" ((D, 28, 28) uint8, what the network saw of each digit).
        """
        if not layouts:
            return []
        pictures = np.concatenate([layout.pictures for layout in layouts])
        probabilities = np.asarray(self.network(pictures), np.float64)
        probabilities[~pictures.any(axis=(1, 2))] = 0.1  # nothing seen is no evidence for any digit
        digits, confidences = probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1).tolist()
        records, start = [], 0
        for layout in layouts:
            these = slice(start, start + len(layout.pictures))
            start = these.stop
            lines = (
                [[choose_single(layout, confidences[these])]]
                if single
                else choose_lines(layout, digits[these], confidences[these], MIN_CONFIDENCE)
            )
            record = make_record(layout, probabilities[these], lines, top_k)
            record["unsure"] = bool(record["digits"]) and record["confidence"] < self.min_confidence
            records.append(record)
        return records


def choose_single(layout: Layout, confidences: list[float]) -> int:
    """Return the index of the candidate that reads best as the one digit, by each one's highest probability."""

    def worth(i):
        c = layout.candidates[i]
        cost = layout.lines[c.line].cost if c.line >= 0 else 0.0
        return confidences[i] * min(1, c.height) - 0.2 * c.cuts - 0.3 * cost

    return max(range(len(layout.candidates)), key=worth)


def choose_lines(layout: Layout, digits: list[int], confidences: list[float], min_confidence: float) -> list[list[int]]:
    """Choose the lines of the number.

    Args:
        layout: candidates.Layout with N candidates.
        digits, confidences: for each candidate, its most probable digit and that digit's probability (lists of N).
        min_confidence: see `DigitReader`.

    Returns:
        list of lists of indices of candidates, in reading order.
    """
    if layout.clutter > MOST_CLUTTER:
        return []
    members: dict[int, list[int]] = {}
    for i, c in enumerate(layout.candidates):
        members.setdefault(c.line, []).append(i)
    costs: dict[int, float] = {}  # of each version
    readings: dict[int, list[list[int]]] = {}  # of each version in which anything is read
    for number, line in enumerate(layout.lines):
        cost, chosen = best_path(line.pieces, members[number], layout.candidates, confidences)
        costs.setdefault(line.version, line.cost)
        costs[line.version] += cost + LINE_COST
        chosen = accept(chosen, layout.candidates, digits, confidences, min_confidence)
        if chosen:
            readings.setdefault(line.version, []).append(chosen)
    return readings[min(readings, key=lambda version: costs[version])] if readings else []


def accept(
    chosen: list[int], candidates: list[Candidate], digits: list[int], confidences: list[float], min_confidence: float
) -> list[int]:
    """Keep those of a line's candidates (indices) that may be digits, if enough of them are digits beyond doubt."""
    chosen = [i for i in chosen if candidates[i].thickness <= (THICKEST_ONE if digits[i] == 1 else THICKEST)]
    certain = any(confidences[i] * math.exp(-CUT_DOUBT * candidates[i].cuts) >= min_confidence for i in chosen)
    strong = sum(confidences[i] >= min_confidence for i in chosen)
    if not certain or strong < STRONG_SHARE * len(chosen):
        return []
    # A number that lost a digit is always wrong; with a doubtful one it may be right, and its confidence tells.
    return [i for i in chosen if confidences[i] >= min(WEAK_CONFIDENCE, min_confidence)]


def best_path(
    pieces: np.ndarray, members: list[int], candidates: list[Candidate], confidences: list[float]
) -> tuple[float, list[int]]:
    """Choose the runs of pieces that together explain a line best (dynamic programming from left to right).

    Args:
        pieces: (n,) heights of the pieces, in heights of the line.
        members: indices of the candidates in this line.
        candidates, confidences: of the whole layout, the highest probability of each.

    Returns:
        (cost, list of indices of the chosen candidates from left to right).
    """
    count = len(pieces)
    best = [0.0] + [math.inf] * count
    back: list[tuple[int, int | None]] = [(0, None)] * (count + 1)  # where the best path to here came from, and by which run
    ending: dict[int, list[int]] = {}
    for i in members:
        ending.setdefault(candidates[i].last, []).append(i)
    for end in range(count):
        best[end + 1], back[end + 1] = best[end] + JUNK_COST * pieces[end], (end, None)
        for i in ending.get(end, []):
            c = candidates[i]
            cost = (
                best[c.first]
                - DOUBT_COST * math.log(max(confidences[i], 1e-9))
                + CUT_COST * c.cuts
                + GAP_COST * max(0, c.gap - 0.1)
                + SMALL_COST * max(0, 0.55 - c.height)
            )
            if cost < best[end + 1]:
                best[end + 1], back[end + 1] = cost, (c.first, i)
    path, end = [], count
    while end:
        end, run = back[end]
        if run is not None:
            path.append(run)
    return best[count], path[::-1]


def make_record(layout: Layout, probabilities: np.ndarray, lines: list[list[int]], top_k: int) -> dict:
    """Return the record of one image; see `DigitReader.read_layouts`."""
    digits, whole = [], 1.0
    for i in [i for line in lines for i in line]:
        order = np.argsort(-probabilities[i], kind="stable")
        confidence = float(probabilities[i][order[0]])
        whole *= confidence
        digits.append(
            {
                "digit": int(order[0]),
                "confidence": confidence,
                "box": [int(v) for v in layout.boxes[i]],
                "top": [[int(k), float(probabilities[i][k])] for k in order[:top_k]],
            }
        )
    text = " ".join("".join(str(int(probabilities[i].argmax())) for i in line) for line in lines)
    chosen = [i for line in lines for i in line]
    return {
        "text": text,
        "confidence": whole if digits else None,
        "unsure": False,
        "digits": digits,
        "separators": [],
        "guess": None,
        "notes": [],
        "pictures": layout.pictures[chosen],
    }
