"""Read numbers: a trained network as a function of an image.

    reader = DigitReader(network)                  # network: (N, 28, 28) uint8 -> (N, 10) float32
    records = reader.read([image])                 # images: (H, W, 3) uint8
    records[0]["text"]                             # "2026", or "" when there is no digit

`candidates.find_candidates` proposes candidates; the network tells digits from fragments; dynamic programming over
each line picks the reading with the best evidence; what is left without evidence is no digit.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from digits.reading.candidates import Candidate, Layout, find_candidates
from digits.reading.ink import quantile

MIN_CONFIDENCE = 0.5  # a number below this confidence is unsure; chosen on handwriting kept for development
UNSURE = 0.1  # ... and below this there is no digit
GUESS = 0.001  # what is less likely than this is not even a guess
WORD_ODDS = 3.0  # log-odds that a word is a number before it is read
CONTEXT = 1.5  # ... less this for each factor e by which other words are more
LEAST_EVIDENCE, MOST_EVIDENCE = -4.0, 1.5  # for a number, of one digit, as a log-odds
ONE_EVIDENCE = 1.5  # less for a 1, which is what most letters and halves of letters are taken for
CUT_EVIDENCE = 1.0  # less for each stroke width of ink that is cut through
LOW_EVIDENCE = 8.0  # less for a word lower than 0.9 of what is tall in its line, per such height
JUNK_EVIDENCE = 3.0  # against a number, in nats, for a piece as high as the line that is no digit
MOST_TEXTS = 6  # ways to read a word that are followed up at a time
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

    def __init__(
        self, network: Callable[[np.ndarray], np.ndarray], min_confidence: float = MIN_CONFIDENCE, invert: str = "auto"
    ) -> None:
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
            if single:
                i = choose_single(layout, confidences[these])
                numbers = [Number(Word(layout.candidates[i].line, 0, 0, [i], 1.0, 0.0), confidences[these][i])]
            else:
                numbers, _ = choose_numbers(layout, digits[these], confidences[these])
            records.append(make_record(layout, probabilities[these], numbers, 0.0 if single else self.min_confidence, top_k))
        return records


def choose_single(layout: Layout, confidences: list[float]) -> int:
    """Return the index of the candidate that reads best as the one digit, by each one's highest probability."""

    def worth(i):
        c = layout.candidates[i]
        cost = layout.lines[c.line].cost if c.line >= 0 else 0.0
        return confidences[i] * min(1, c.height) - 0.2 * c.cuts - 0.3 * cost

    return max(range(len(layout.candidates)), key=worth)


class Word(NamedTuple):
    """A word of a line, as it reads best.

    Attributes:
        line: number of its line.
        first, last: its pieces.
        chosen: list of indices of candidates, from left to right; [] when it holds nothing like a digit.
        share: how likely this is among all ways to cut the word into digits, 0 to 1.
        evidence: how much the word looks like a number and not like letters or texture, as a log-odds.
    """

    line: int
    first: int
    last: int
    chosen: list[int]
    share: float
    evidence: float


class Number(NamedTuple):
    """A word taken for a number: `Word`, and the confidence in all of it."""

    word: Word
    confidence: float


def choose_numbers(layout: Layout, digits: list[int], confidences: list[float]) -> tuple[list[Number], int]:
    """Choose the version of an image that reads best, and the words in it that are numbers.

    Args:
        layout: candidates.Layout with N candidates.
        digits, confidences: for each candidate, its most probable digit and that digit's probability (lists of N).

    Returns:
        (list of Number in reading order, number of the version, -1 for none).
    """
    if layout.clutter > MOST_CLUTTER:
        return [], -1
    likely = [
        confidence if c.thickness <= (THICKEST_ONE if digit == 1 else THICKEST) else 0.1
        for c, digit, confidence in zip(layout.candidates, digits, confidences)
    ]
    members: dict[int, list[int]] = {}
    for i, c in enumerate(layout.candidates):
        members.setdefault(c.line, []).append(i)
    costs: dict[int, float] = {}  # of each version
    words: dict[int, list[Word]] = {}
    for number, line in enumerate(layout.lines):
        costs.setdefault(line.version, line.cost)
        costs[line.version] += LINE_COST
        for first, last in line.words:
            inside = [i for i in members.get(number, []) if first <= layout.candidates[i].first <= last]
            cost, word = read_word(number, first, last, line.pieces, inside, layout.candidates, digits, likely)
            costs[line.version] += cost
            words.setdefault(line.version, []).append(word)
    numbers = {version: find_numbers(words[version], likely) for version in words}
    read = [version for version in words if numbers[version]]
    best = min(read, key=lambda version: costs[version]) if read else -1
    return numbers.get(best, []), best


def find_numbers(words: list[Word], likely: list[float]) -> list[Number]:
    """Return the words that are numbers, or the one that is likeliest to be one.

    Among many words that are none, one that looks like a number is less likely to be one.
    """
    odds, others = WORD_ODDS, 0
    while (count := sum(word.evidence + odds < 0 for word in words)) > others:
        others = count
        odds = WORD_ODDS - CONTEXT * math.log(1 + others)
    numbers = []
    for word in words:
        certain = 1 / (1 + math.exp(-max(min(word.evidence + odds, 50), -50)))
        confidence = certain * word.share * math.prod(likely[i] for i in word.chosen)
        if word.chosen and certain >= 0.5:
            numbers.append(Number(word, confidence))
        elif word.chosen and not any(n.word.evidence + odds >= 0 for n in numbers):
            numbers = max(numbers, [Number(word, confidence)], key=lambda one: one[0].confidence if one else 0)
    sure = [n for n in numbers if n.word.evidence + odds >= 0]
    return sure or numbers


def read_word(
    line: int,
    first: int,
    last: int,
    heights: np.ndarray,
    members: list[int],
    candidates: list[Candidate],
    digits: list[int],
    likely: list[float],
) -> tuple[float, Word]:
    """Choose the runs of pieces that together explain a word best (dynamic programming from left to right).

    Every way to cut the word into digits and rest has a cost; ways that give the same digits add up.

    Args:
        line, first, last: the word's line, and its pieces.
        heights: (n,) heights of the line's pieces, in heights of the line.
        members: indices of the candidates in this word.
        candidates: of the whole layout. digits, likely: the most probable digit of each and its probability.

    Returns:
        (cost of the best way, in nats; the Word).
    """
    ending: dict[int, list[int]] = {}
    for i in members:
        ending.setdefault(candidates[i].last, []).append(i)
    # For each place between pieces: text -> (log of the sum of all ways' weights, cost of the best, its candidates).
    states: list[dict[str, tuple[float, float, tuple[int, ...]]]] = [{"": (0.0, 0.0, ())}]
    for end in range(first, last + 1):
        ways: list[tuple[str, float, float, tuple[int, ...]]] = []
        junk = JUNK_COST * float(heights[end])
        for text, (weight, cost, chosen) in states[-1].items():
            ways.append((text, weight - junk, cost + junk, chosen))
        for i in ending.get(end, []):
            c = candidates[i]
            own = (
                -DOUBT_COST * math.log(max(likely[i], 1e-9))
                + CUT_COST * c.cuts
                + GAP_COST * max(0, c.gap - 0.1)
                + SMALL_COST * max(0, 0.55 - c.height)
            )
            for text, (weight, cost, chosen) in states[c.first - first].items():
                ways.append((f"{text}{digits[i]}", weight - own, cost + own, (*chosen, i)))
        new: dict[str, tuple[float, float, tuple[int, ...]]] = {}
        for text, weight, cost, chosen in ways:
            if text in new:
                other = new[text]
                weight = max(weight, other[0]) + math.log1p(math.exp(-abs(weight - other[0])))
                cost, chosen = min((cost, chosen), other[1:])
            new[text] = weight, cost, chosen
        states.append(dict(sorted(new.items(), key=lambda item: -item[1][0])[:MOST_TEXTS]))
    text, (weight, cost, chosen) = min(states[-1].items(), key=lambda item: item[1][1])
    top = max(other[0] for other in states[-1].values())
    total = top + math.log(sum(math.exp(other[0] - top) for other in states[-1].values()))
    covered = {k for i in chosen for k in range(candidates[i].first, candidates[i].last + 1)}
    junk = sum(float(heights[k]) for k in range(first, last + 1) if k not in covered)
    evidence = sum(digit_evidence(digits[i], likely[i]) - CUT_EVIDENCE * candidates[i].cuts for i in chosen) - JUNK_EVIDENCE * junk
    if chosen:  # small letters stand lower than the line's tall ones; digits are as high as these
        tall = max(candidates[i].height for i in chosen) / quantile(heights, 0.9)
        evidence -= LOW_EVIDENCE * max(0.0, 0.9 - tall)
    return cost, Word(line, first, last, list(chosen), math.exp(weight - total), evidence)


def digit_evidence(digit: int, probability: float) -> float:
    """Return what one glyph says for a number and against letters, as a log-odds.

    Letters that look like digits are read with high probability, too, most often as a 1: one sure digit says little. A
    doubtful one says much, as nearly all digits of a number are sure.
    """
    p = min(max(probability, 1e-4), 1 - 1e-4)
    return min(max(1.6 * math.log(p / (1 - p)) - 7.1, LEAST_EVIDENCE), MOST_EVIDENCE) - ONE_EVIDENCE * (digit == 1)


def make_record(layout: Layout, probabilities: np.ndarray, numbers: list[Number], min_confidence: float, top_k: int) -> dict:
    """Return the record of one image; see `DigitReader.read_layouts`."""
    record = {"text": "", "confidence": None, "unsure": False, "digits": [], "separators": [], "guess": None, "notes": []}
    whole = math.prod(number.confidence for number in numbers)
    chosen = [i for number in numbers for i in number.word.chosen]
    text, separators = spell(layout, probabilities.argmax(axis=1).tolist(), numbers)
    if numbers and max(number.confidence for number in numbers) < min(UNSURE, min_confidence):
        if whole >= GUESS:
            record["guess"] = {"text": text, "confidence": whole}
        chosen = []
    elif numbers:
        record |= {"text": text, "confidence": whole, "unsure": whole < min_confidence, "separators": separators}
    for i in chosen:
        order = np.argsort(-probabilities[i], kind="stable")
        record["digits"].append(
            {
                "digit": int(order[0]),
                "confidence": float(probabilities[i][order[0]]),
                "box": [int(v) for v in layout.boxes[i]],
                "top": [[int(k), float(probabilities[i][k])] for k in order[:top_k]],
            }
        )
    return record | {"pictures": layout.pictures[chosen]}


def spell(layout: Layout, digits: list[int], numbers: list[Number]) -> tuple[str, list[dict]]:
    """Return the text of numbers, with a space for each gap, sign and new line, and the signs in and before them."""
    text, count, separators = "", 0, []
    for number in numbers:
        line = layout.lines[number.word.line] if number.word.line >= 0 else None
        place = number.word.first
        text += " " if text else ""
        for i in number.word.chosen:
            c = layout.candidates[i]
            marks = [mark for mark in line.signs if place <= mark.before <= c.first] if line else []
            if place == number.word.first and place > 0:  # what stands before a later word belongs to the gap
                marks = [mark for mark in marks if mark.before > place or mark.character in "+-/"] or marks
            for mark in marks:
                separators.append({"sign": mark.character, "box": [int(v) for v in mark.box], "after": count - 1})
            if marks and text and not text.endswith(" "):
                text += " "
            text += str(digits[i])
            count, place = count + 1, c.last + 1
    return text, separators
