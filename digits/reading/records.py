"""What is told about an image: the text of its numbers, the signs between them, and the ink in which no digit was read.

    record = make_record(layout, probabilities, numbers, words, min_confidence=0.85, top_k=3)

Pure functions.
"""

import math

import numpy as np

from digits.reading.candidates import Layout
from digits.reading.words import Number, Word

LEAST_CONFIDENCE = 0.1  # where no number reaches this there is no digit; chosen on handwriting kept for development
GUESS = 0.001  # what is less likely than this is not even a guess
LARGE_PIECE = 0.3  # of a line's height; ink that is left out is told from here on
MOST_NOTES = 3  # about ink that was left out


def make_record(
    layout: Layout,
    probabilities: np.ndarray,
    numbers: list[Number],
    words: list[Word],
    min_confidence: float,
    top_k: int,
    single: bool = False,
) -> dict:
    """Return the record of one image; see `DigitReader.read_layouts`. `words` are all of which some are `numbers`."""
    record: dict = {"text": "", "confidence": None, "unsure": False, "digits": [], "separators": [], "guess": None, "notes": []}
    whole = math.prod(number.confidence for number in numbers)
    text, separators, minus = spell(layout, probabilities.argmax(axis=1).tolist(), numbers)
    if numbers and not single and max(number.confidence for number in numbers) < min(LEAST_CONFIDENCE, min_confidence):
        if whole >= GUESS:
            record["guess"] = {"text": text, "confidence": whole}
        numbers = []
    elif numbers:
        record |= {"text": text, "confidence": whole, "unsure": whole < min_confidence, "separators": separators}
        record["notes"] += [f"has a minus before {number}, which is no part of the number." for number in minus]
    record["notes"] += describe_rest(unread_boxes(layout, numbers, words))
    chosen = [i for number in numbers for i in number.word.chosen]
    return record | {"digits": describe(layout, probabilities, chosen, top_k), "images": layout.images[chosen]}


def describe(layout: Layout, probabilities: np.ndarray, chosen: list[int], top_k: int) -> list[dict]:
    """Return a record's "digits": of each of the `chosen` candidates digit, confidence, box and the `top_k` likeliest digits."""
    digits = []
    for i in chosen:
        order = np.argsort(-probabilities[i], kind="stable").tolist()
        top = [[digit, float(probabilities[i][digit])] for digit in order]
        digits.append({"digit": top[0][0], "confidence": top[0][1], "box": layout.boxes[i].tolist(), "top": top[:top_k]})
    return digits


def spell(layout: Layout, digits: list[int], numbers: list[Number]) -> tuple[str, list[dict], list[str]]:
    """Return the text of numbers with a space for each gap, sign and new line; the signs; numbers that a minus precedes."""
    text, separators, minus = "", [], []  # type: str, list[dict], list[str]
    count, before = 0, (-1, -1)  # digits so far; line and last piece of the number before
    for number in numbers:
        word = number.word
        own = "".join(str(digits[i]) for i in word.chosen)
        text, place = text + " " if text else "", word.first
        for i in word.chosen:
            c = layout.candidates[i]
            marks = [mark for mark in layout.lines[word.line].signs if place <= mark.before <= c.first] if word.line >= 0 else []
            if place == word.first and before != (word.line, word.first - 1):  # nothing to separate from
                marks = [mark for mark in marks if mark.character in "+-=(#$"]
                minus += [own] * any(mark.character == "-" for mark in marks)
            separators += [{"sign": m.character, "box": [int(v) for v in m.box], "after": count - 1} for m in marks]
            text += " " * (bool(marks) and not text.endswith(" ") and bool(text)) + str(digits[i])
            count, place = count + 1, c.last + 1
        before = word.line, word.last
        if word.line >= 0 and word.last == len(layout.lines[word.line].pieces) - 1:
            closing = [mark for mark in layout.lines[word.line].signs if mark.before > word.last and mark.character in ")%="]
            separators += [{"sign": m.character, "box": [int(v) for v in m.box], "after": count - 1} for m in closing]
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
