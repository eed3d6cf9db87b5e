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

from digits.reading.candidates import Layout, find_candidates
from digits.reading.ink import MOST_CLUTTER
from digits.reading.records import LEAST_CONFIDENCE, make_record
from digits.reading.words import (
    CUT_COST,
    DOUBT_COST,
    GAP_COST,
    UNCLEAR_DOUBT,
    Number,
    Word,
    find_numbers,
    missing_evidence,
    read_word,
)

MIN_CONFIDENCE = 0.85  # a number below this confidence is unsure; chosen on handwriting kept for development
CLUTTERED = 0.5  # chance that the one digit in such an image is what was found
THICKEST = 0.6  # a digit's strokes and filled loops are thinner, in lengths of its longer side
THICKEST_ONE = 0.48  # ... and a 1, which is a stroke alone
LEFT_OUT_COST = 8.0  # for leaving out all the ink, where one digit is known to be there; in nats
MOST_COST = 10.0  # in nats; a version that is less probable than this, such as a page of text as one digit, is not read
VERSION_SHARPNESS = 1.5  # of the shares of the versions of an image; chosen on handwriting kept for development
TEXT_COST, MOST_TEXT_COST = 2.0, 10.0  # for a word that is no number, at most, and for all of them
EVIDENCE_COST = 0.2  # in nats, for what a version's digits say less for a number than sure digits would, per log-odds
LEFT_OUT_EVIDENCE = -2.0  # what a word that may be a number says for one, at least
COLUMN_EVIDENCE = -2.5  # ... for each of its digits, where it stands among numbers in a column
LOWEST, AS_HIGH = 0.5, 0.8  # of the highest digit read: a word that may be a number is higher, or in a column of numbers
MOST_LOST = 0.05  # of the ink stands on lines that were taken away: with more a digit may be missing
MOST_ONES = 2  # digits: a longer text of ones alone is rather a fence, tiles, or a tally
LINE_COST = 0.3  # for each line: one slanted line is likelier than a staircase


class DigitReader:
    """Joins the finder and the network.

    Args:
        network: callable, (N, 28, 28) uint8 -> (N, 10) float32 probabilities.
        min_confidence: a number is read where its confidence is at least this; below, the answer is unsure.
            None: MIN_CONFIDENCE.
    """

    def __init__(self, network: Callable[[np.ndarray], np.ndarray], min_confidence: float | None = None) -> None:
        self.network = network
        self.min_confidence = MIN_CONFIDENCE if min_confidence is None else min_confidence

    def read(self, images: list[np.ndarray], single: bool = False, top_k: int = 3) -> list[dict]:
        """Read a list of (H, W, 3) uint8 images. Returns one record each; see `read_layouts`."""
        return self.read_layouts([find_candidates(image) for image in images], single, top_k)

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
            / . , : - + x = % # $ ( ), "box", and "after", the index in "digits" of the digit that it follows, -1 before the
            first), "guess" (None, or a dict "text", "confidence" of what was too uncertain to be reported), "notes"
            (list of sentences), and "images" ((D, 28, 28) uint8, what the network saw of each digit).
        """
        if not layouts:
            return []
        images = np.concatenate([layout.images for layout in layouts])
        probabilities = np.asarray(self.network(images), np.float64)
        probabilities[~images.any(axis=(1, 2))] = 0.1  # nothing seen is no evidence for any digit
        digits, confidences = probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1).tolist()
        records, start = [], 0
        for layout in layouts:
            these = slice(start, start + len(layout.images))
            start = these.stop
            numbers, words = choose_numbers(layout, digits[these], confidences[these])
            if single:
                several = chance_of_several(numbers)
                numbers, words = [read_single(layout, confidences[these], 1 - several)], []
            records.append(make_record(layout, probabilities[these], numbers, words, self.min_confidence, top_k, single))
            if single and several and several >= self.min_confidence:
                records[-1]["notes"].append("seems to hold several digits; it was read as one, as you asked.")
        return records


def chance_of_several(numbers: list[Number]) -> float:
    """Return how likely it is at least, 0 to 1, that an image holds more digits than one, whatever was promised."""
    digits = sum(len(number.word.chosen) for number in numbers)
    return math.prod(number.confidence for number in numbers) if digits > 1 else 0.0


def read_single(layout: Layout, confidences: list[float], chance: float) -> Number:
    """Return the one digit of an image, with a confidence that is multiplied by the `chance` that there is exactly one."""
    i = choose_single(layout, confidences)
    c = layout.candidates[i]
    certain = chance * (CLUTTERED if layout.clutter > MOST_CLUTTER else 1.0)
    return Number(Word(c.line, c.first, c.last, [i], 1.0, 0.0, 0.0, 0.0, 0, 0.0), certain * confidences[i])


def choose_single(layout: Layout, confidences: list[float]) -> int:
    """Return the index of the candidate that reads best as the one digit, by each one's highest probability.

    It has to account for the ink that it leaves out: a part may look more like a digit than the whole does.
    """

    def cost(i):
        c = layout.candidates[i]
        version = layout.lines[c.line].cost if c.line >= 0 else 0.0
        doubt = -DOUBT_COST * math.log(max(confidences[i], 1e-9))
        return version + doubt + CUT_COST * c.cuts + GAP_COST * max(0, c.gap - 0.1) + LEFT_OUT_COST * c.left_out

    return min(range(len(layout.candidates)), key=cost)


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
    word_costs: dict[tuple[int, int], float] = {}  # of the word that begins with this piece of this line
    for number, line in enumerate(layout.lines):
        if line.cost > MOST_COST:
            continue
        costs.setdefault(line.version, line.cost)
        costs[line.version] += LINE_COST
        for first, last in line.words:
            inside = [i for i in members.get(number, []) if first <= layout.candidates[i].first <= last]
            dots = int(line.dots[first : last + 1].sum())
            cost, word = read_word(number, first, last, line.pieces, dots, inside, layout.candidates, digits, likely)
            word_costs[number, first] = cost
            end = last + (last == len(line.pieces) - 1)  # a sign may follow the last piece
            doubtful = sum(mark.unclear and first <= mark.before <= end for mark in line.signs)
            boxes = line.boxes[first : last + 1]
            left, right = int(boxes[:, 0].min()), int(boxes[:, 2].max())
            word = word._replace(unclear=word.unclear + doubtful, left=left, right=right)
            words.setdefault(line.version, []).append(word)
    numbers = {version: find_numbers(words[version], likely) for version in words}
    if not words:
        return [], []
    for version in words:
        read = {(number.word.line, number.word.first) for number in numbers[version]}
        places = [(word.line, word.first) for word in words[version]]
        costs[version] += sum(word_costs[place] for place in places if place in read)
        chosen = [i for number in numbers[version] for i in number.word.chosen]
        costs[version] += EVIDENCE_COST * sum(missing_evidence(digits[i], likely[i]) for i in chosen)
        costs[version] += min(sum(min(word_costs[place], TEXT_COST) for place in places if place not in read), MOST_TEXT_COST)
    # What would be no digit in the end does not stand against a number.
    likeliest = {version: max((number.confidence for number in numbers[version]), default=0.0) for version in words}
    best = min(words, key=lambda version: (not numbers[version], likeliest[version] < LEAST_CONFIDENCE, costs[version]))
    if not numbers[best]:
        return [], words[best]
    # Versions that read otherwise speak against the best one, the more, the less they cost.
    texts = {version: [digits[i] for number in numbers[version] for i in number.word.chosen] for version in words}
    weights = {version: math.exp(VERSION_SHARPNESS * (costs[best] - costs[version])) for version in words if numbers[version]}
    agreed = sum(weight for version, weight in weights.items() if texts[version] == texts[best]) / sum(weights.values())
    lost = next(line.lost for line in layout.lines if line.version == best)
    many_ones = set(texts[best]) == {1} and len(texts[best]) > MOST_ONES
    if many_ones or lost > MOST_LOST or leaves_out_digits(layout, numbers[best], words[best]):
        agreed *= math.exp(-UNCLEAR_DOUBT)
    share = agreed ** (1 / len(numbers[best]))  # the confidence of the text is the product of its numbers'
    return [number._replace(confidence=number.confidence * share) for number in numbers[best]], words[best]


def leaves_out_digits(layout: Layout, numbers: list[Number], words: list[Word]) -> bool:
    """Tell whether a word that was taken for no number may be one.

    It is about as high as the digits read, stands among numbers in a column, and nearly all of it may be digits; or it is
    made of whole strokes that are nearly sure digits.
    """
    read = {(number.word.line, number.word.first) for number in numbers}
    highest = max(tallest_digit(layout, number.word) for number in numbers)
    for word in words:
        if (word.line, word.first) in read or not word.chosen:
            continue
        height = tallest_digit(layout, word) / highest
        if height > LOWEST and word.evidence >= LEFT_OUT_EVIDENCE and len(word.chosen) == word.last - word.first + 1:
            return True
        column = [other for other in words if other.line != word.line and other.left < word.right and word.left < other.right]
        among = sum((other.line, other.first) in read for other in column) >= max(1, len(column) / 2)
        if height > AS_HIGH and among and word.evidence >= COLUMN_EVIDENCE * len(word.chosen):
            return True
    return False


def tallest_digit(layout: Layout, word: Word) -> int:
    """Return the height of the tallest digit of a word, in pixels of the image."""
    return max(int(layout.boxes[i][3] - layout.boxes[i][1]) for i in word.chosen)
