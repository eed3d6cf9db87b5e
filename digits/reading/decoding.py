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

MIN_CONFIDENCE = 0.8  # a number below this confidence is unsure; chosen on handwriting kept for development
UNSURE = 0.05  # ... and below this there is no digit
GUESS = 0.001  # what is less likely than this is not even a guess
WORD_ODDS = 3.0  # log-odds that a word is a number before it is read
CONTEXT = 1.5  # ... less this for each factor e by which other words are more
LEAST_EVIDENCE, MOST_EVIDENCE = -4.0, 1.5  # for a number, of one digit, as a log-odds
ONE_EVIDENCE = 1.5  # less for a 1, which is what most letters and halves of letters are taken for
CUT_EVIDENCE = 0.4  # less for each stroke width of ink that is cut through
LOW_EVIDENCE = 8.0  # less for a word lower than 0.9 of what is tall in its line, per such height
JUNK_EVIDENCE = 3.0  # against a number, in nats, for a piece as high as the line that is no digit
SHARPNESS = 4.0  # of the shares of the ways to read a word: makes the confidence of composed numbers their accuracy
LARGE_PIECE = 0.3  # of a line's height; ink that is left out is told from here on
MOST_NOTES = 3  # about ink that was left out
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
                c, words = layout.candidates[i], []
                numbers = [Number(Word(c.line, c.first, c.last, [i], 1.0, 0.0, 0.0, 0.0), confidences[these][i])]
            else:
                numbers, words = choose_numbers(layout, digits[these], confidences[these])
            least = 0.0 if single else self.min_confidence
            records.append(make_record(layout, probabilities[these], numbers, words, least, top_k))
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
        cuts: how much ink its digits cut through, in stroke widths.
        height: the heights of its pieces together.
        evidence: how much the word looks like a number and not like letters or texture, as a log-odds.
    """

    line: int
    first: int
    last: int
    chosen: list[int]
    share: float
    cuts: float
    height: float
    evidence: float


class Number(NamedTuple):
    """A word taken for a number: `Word`, and the confidence in all of it."""

    word: Word
    confidence: float


def choose_numbers(layout: Layout, digits: list[int], confidences: list[float]) -> tuple[list[Number], list[Word]]:
    """Choose the version of an image that reads best, and the words in it that are numbers.

    Args:
        layout: candidates.Layout with N candidates.
        digits, confidences: for each candidate, its most probable digit and that digit's probability (lists of N).

    Returns:
        (list of Number in reading order, list of all Word of that version).
    """
    if layout.clutter > MOST_CLUTTER:
        return [], []
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
    if not words:
        return [], []
    best = min(words, key=lambda version: (not numbers[version], costs[version]))
    return numbers[best], words[best]


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
        confidence = certain * word.share * math.prod(likely[i] for i in word.chosen) * math.exp(-CUT_DOUBT * word.cuts)
        numbers.append(Number(word, confidence))
    read = [number for number in numbers if number.word.chosen and number.word.evidence + odds >= 0]
    if not read and words:  # the word that most of the ink is in may be one all the same
        main = max(numbers, key=lambda number: number.word.height)
        if main.word.chosen and main.word.height > 0.5 * sum(word.height for word in words):
            return [main]
    return read


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
            ways.append((text, weight - SHARPNESS * junk, cost + junk, chosen))
        for i in ending.get(end, []):
            c = candidates[i]
            own = (
                -DOUBT_COST * math.log(max(likely[i], 1e-9))
                + CUT_COST * c.cuts
                + GAP_COST * max(0, c.gap - 0.1)
                + SMALL_COST * max(0, 0.55 - c.height)
            )
            for text, (weight, cost, chosen) in states[c.first - first].items():
                ways.append((f"{text}{digits[i]}", weight - SHARPNESS * own, cost + own, (*chosen, i)))
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
    cuts = sum(candidates[i].cuts for i in chosen)
    evidence = sum(digit_evidence(digits[i], likely[i]) for i in chosen) - CUT_EVIDENCE * cuts - JUNK_EVIDENCE * junk
    if chosen:  # small letters stand lower than the line's tall ones; digits are as high as these
        tall = max(candidates[i].height for i in chosen) / quantile(heights, 0.9)
        evidence -= LOW_EVIDENCE * max(0.0, 0.9 - tall)
    return cost, Word(
        line, first, last, list(chosen), math.exp(weight - total), cuts, float(sum(heights[first : last + 1])), evidence
    )


def digit_evidence(digit: int, probability: float) -> float:
    """Return what one glyph says for a number and against letters, as a log-odds.

    Letters that look like digits are read with high probability, too, most often as a 1: one sure digit says little. A
    doubtful one says much, as nearly all digits of a number are sure.
    """
    p = min(max(probability, 1e-4), 1 - 1e-4)
    return min(max(1.6 * math.log(p / (1 - p)) - 7.1, LEAST_EVIDENCE), MOST_EVIDENCE) - ONE_EVIDENCE * (digit == 1)


def make_record(
    layout: Layout, probabilities: np.ndarray, numbers: list[Number], words: list[Word], min_confidence: float, top_k: int
) -> dict:
    """Return the record of one image; see `DigitReader.read_layouts`. `words` are all of which some are `numbers`."""
    record = {"text": "", "confidence": None, "unsure": False, "digits": [], "separators": [], "guess": None, "notes": []}
    whole = math.prod(number.confidence for number in numbers)
    text, separators, minus = spell(layout, probabilities.argmax(axis=1).tolist(), numbers)
    if numbers and max(number.confidence for number in numbers) < min(UNSURE, min_confidence):
        if whole >= GUESS:
            record["guess"] = {"text": text, "confidence": whole}
        numbers = []
    elif numbers:
        record |= {"text": text, "confidence": whole, "unsure": whole < min_confidence, "separators": separators}
        record["notes"] += [f"has a minus before {number}, which is no part of the number." for number in minus]
    record["notes"] += describe_rest(unread_boxes(layout, numbers, words))
    chosen = [i for number in numbers for i in number.word.chosen]
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


def spell(layout: Layout, digits: list[int], numbers: list[Number]) -> tuple[str, list[dict], list[str]]:
    """Return the text of numbers with a space for each gap, sign and new line; the signs; numbers that a minus precedes."""
    text, separators, minus = "", [], []
    count, before = 0, (-1, -1)  # digits so far; line and last piece of the number before
    for number in numbers:
        word = number.word
        own = "".join(str(digits[i]) for i in word.chosen)
        text, place = text + " " if text else "", word.first
        for i in word.chosen:
            c = layout.candidates[i]
            marks = [mark for mark in layout.lines[word.line].signs if place <= mark.before <= c.first] if word.line >= 0 else []
            if place == word.first and before != (word.line, word.first - 1):  # nothing to separate from
                marks = [mark for mark in marks if mark.character in "+-"]
                minus += [own] * any(mark.character == "-" for mark in marks)
            separators += [{"sign": m.character, "box": [int(v) for v in m.box], "after": count - 1} for m in marks]
            text += " " * (bool(marks) and not text.endswith(" ") and bool(text)) + str(digits[i])
            count, place = count + 1, c.last + 1
        before = word.line, word.last
    return text, separators, minus


def unread_boxes(layout: Layout, numbers: list[Number], words: list[Word]) -> list[list[int]]:
    """Return the boxes of ink in which no digit was read: of words that are no numbers, and of large pieces in numbers."""
    read = {(number.word.line, number.word.first): number.word.chosen for number in numbers}
    found = []
    for word in words:
        line = layout.lines[word.line]
        if (word.line, word.first) not in read:
            boxes = line.boxes[word.first : word.last + 1]
            found.append([*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()])
            continue
        spans = [(layout.candidates[i].first, layout.candidates[i].last) for i in read[word.line, word.first]]
        for k in range(word.first, word.last + 1):
            if line.pieces[k] > LARGE_PIECE and not any(first <= k <= last for first, last in spans):
                found.append(line.boxes[k].tolist())
    return found


def describe_rest(boxes: list[list[int]]) -> list[str]:
    """Return sentences about boxes of ink in which no digit was read, without the name of the image: three at most."""
    if len(boxes) <= MOST_NOTES:
        return [f"has ink at {box} that was taken for no digit." for box in boxes]
    largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
    return [f"has {len(boxes)} words or strokes that were taken for no digit, the largest at {largest}."]
