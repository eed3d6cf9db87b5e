"""Words of a line: how each reads best, and whether it is a number at all.

    cost, word = read_word(...)                  # the likeliest digits of one word, and what speaks for a number
    numbers = find_numbers(words, likely)        # those of a page's words that are numbers

Nearly all digits of a number are sure, as high as its line and whole; letters are now and then. A word's evidence adds this up
as a log-odds, and where many words are none, a number has to be surer. Pure functions.
"""

import math
from typing import NamedTuple

import numpy as np

from digits.reading.candidates import Candidate
from digits.reading.image_statistics import quantile

WORD_ODDS = 3.0  # log-odds that a word is a number before it is read
CONTEXT = 2.0  # ... less this for each factor e by which there are more other words that hardly are numbers, more for sure numbers
ALONE = 1.0  # ... more for each digit after the first, where no word is doubtful
ELSEWHERE = 0.4  # of a word counts that stands neither in the same line nor above or below
LEAST_EVIDENCE, MOST_EVIDENCE = -3.5, 1.5  # for a number, of one digit, as a log-odds
ONE_EVIDENCE = 1.5  # less for a 1, which is what most letters and halves of letters are taken for
CUT_EVIDENCE = 0.15  # less for each stroke width of ink that is cut through
LOW_EVIDENCE = 12.0  # less for a word lower than 0.9 of what is tall in its line, per such height
UNEVEN_EVIDENCE = 6.0  # less for a word in which one digit is lower than 0.8 of another, per height
SHORT_EVIDENCE = 20.0  # less for a word lower than 0.85 of a sure number in its line, per such height
DOT_EVIDENCE = 3.0  # less for each dot above a stroke: an i or a j
AMONG_WORDS = 0.6  # confidence that a number needs where there are words that hardly are numbers
NEARLY = 0.35  # ... that makes the other numbers of its line unclear, where it is no number
DOUBTFUL = -2.5  # evidence of a word that hardly is a number
SURE_EVIDENCE = 1.5  # of a word that is surely a number
JUNK_EVIDENCE = 6.0  # against a number, in nats, for a piece as high as the line that is no digit
SHARPNESS = 5.0  # of the shares of the ways to read a word: makes the confidence of composed numbers their accuracy
MOST_TEXTS = 6  # ways to read a word that are followed up at a time
JUNK_COST = 4.0  # for leaving out a piece as high as its line, in nats like all costs
LEAST_LIKELY = 0.3  # probability of a digit; what is less like any of the ten is a letter or a sign
DIGIT_COST = 0.1  # for each digit: two strokes may be two ones, but rather one 4
DOUBT_COST = 2.0  # for each nat by which the network doubts a digit; what is none at all costs about JUNK_COST
TALL_COST = 3.0  # for a digit higher than 1.8 of its line, per line height
STACKED_COST = 1.0  # for a digit above or below another large piece of its line
STACKED_EVIDENCE = 2.0  # less for each of these
CUT_COST = 0.3  # for each stroke width of ink that is cut through
GAP_COST = 1.5  # for a gap inside a digit, per line height beyond a tenth
SMALL_COST = 3.0  # for a digit lower than 0.55 of its line, per line height
LARGE = 0.55  # heights of the line: a higher piece that is left out among digits may be one
UNCLEAR_DOUBT = 0.5  # a number's confidence counts less, by this many nats for each 1 that may be a sign and slash that may be a 1
CUT_DOUBT = 0.12  # a number with cut digits counts less, by this many nats for each stroke width of ink
MOST_CUT_DOUBT = 0.165  # ... and this many at most, where there are no words


class Word(NamedTuple):
    """A word of a line, as it reads best.

    Attributes:
        line: number of its line.
        first, last: its pieces.
        chosen: list of indices of candidates, from left to right; [] when it holds nothing like a digit.
        share: how likely this is among all ways to cut the word into digits, 0 to 1.
        cuts: how much ink its digits cut through, in stroke widths.
        height: the heights of its pieces together.
        tallest: the height of its tallest digit, in heights of the line; 0.0 where it has none.
        unclear: how many of its digits may be slashes, brackets or the ring of a degree, and how many large pieces between them
            are none; `choose_numbers` adds the slashes that may be digits.
        evidence: how much the word looks like a number and not like letters or texture, as a log-odds.
        left, right: where it begins and ends, in pixels of the image.
    """

    line: int
    first: int
    last: int
    chosen: list[int]
    share: float
    cuts: float
    height: float
    tallest: float
    unclear: int
    evidence: float
    left: int = 0
    right: int = 0


class Number(NamedTuple):
    """A word taken for a number: `Word`, and the confidence in all of it."""

    word: Word
    confidence: float


def find_numbers(words: list[Word], likely: list[float]) -> list[Number]:
    """Return the words that are numbers, or the one that is likeliest to be one.

    Among words that are none, one that looks like a number is less likely to be one, and among numbers more; what stands in the
    same line or above or below says most. The numbers of a line are of one height.
    """
    sure: dict[int, float] = {}  # for each line, the height of the tallest digit in its sure numbers
    for word in words:
        if word.evidence >= SURE_EVIDENCE:
            sure[word.line] = max(word.tallest, sure.get(word.line, 0.0))
    words = [
        word._replace(evidence=word.evidence - SHORT_EVIDENCE * max(0.0, 0.85 - word.tallest / sure[word.line]))
        if word.line in sure
        else word
        for word in words
    ]
    evidence, line, left, right = np.array([(word.evidence, word.line, word.left, word.right) for word in words]).reshape(-1, 4).T
    same_line = line[:, None] == line
    column = (left[:, None] < right) & (left < right[:, None])
    near = np.where(same_line | column, 1.0, ELSEWHERE)
    np.fill_diagonal(near, 0.0)  # a word says nothing about itself
    hardly, sure_ones = near @ (evidence < DOUBTFUL), near @ (evidence >= SURE_EVIDENCE)
    doubtful = len(words) > 1 and bool((evidence < DOUBTFUL).any())
    numbers, read = [], []
    for word, others, support, in_line in zip(words, hardly.tolist(), sure_ones.tolist(), same_line.sum(axis=1).tolist()):
        odds = WORD_ODDS + CONTEXT * math.log((1 + others + support) / (1 + others) ** 2)
        odds += 0 if doubtful else ALONE * max(0, len(word.chosen) - 1)
        certain = 1 / (1 + math.exp(-max(min(word.evidence + odds, 50), -50)))
        most = math.inf if doubtful else MOST_CUT_DOUBT  # where there are words, this may be letters that were cut
        doubt = min(CUT_DOUBT * word.cuts, most) + UNCLEAR_DOUBT * word.unclear
        confidence = certain * word.share * math.prod(likely[i] for i in word.chosen) * math.exp(-doubt)
        numbers.append(Number(word, confidence))
        possible = word.chosen and (word.evidence >= DOUBTFUL or in_line == 1) and word.evidence + odds >= 0
        if possible and (confidence >= AMONG_WORDS or not doubtful):
            read.append(numbers[-1])
    # What nearly is a number casts doubt on those beside it: a 1 that stands apart is hardly told from a letter.
    nearly = {number.word.line for number in numbers if number not in read and number.confidence >= NEARLY}
    read = [
        number._replace(confidence=number.confidence * math.exp(-UNCLEAR_DOUBT * (number.word.line in nearly))) for number in read
    ]
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
    dots: int,
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
        dots: how many dots stand above strokes of the word (`lines.find_dots`).
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
            if likely[i] < LEAST_LIKELY:
                continue
            c = candidates[i]
            own = (
                DIGIT_COST
                - DOUBT_COST * math.log(max(likely[i], 1e-9))
                + CUT_COST * c.cuts
                + GAP_COST * max(0, c.gap - 0.1)
                + SMALL_COST * max(0, 0.55 - c.height)
                + TALL_COST * max(0, c.height - 1.8)
                + STACKED_COST * c.stacked
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
    tallest = max((candidates[i].height for i in chosen), default=0.0)
    evidence -= DOT_EVIDENCE * dots + STACKED_EVIDENCE * sum(candidates[i].stacked for i in chosen)
    if chosen:  # small letters stand lower than the line's tall ones; digits are as high as these
        tall = [candidates[i].height for i in chosen]
        evidence -= LOW_EVIDENCE * max(0.0, 0.9 - tallest / quantile(heights, 0.9))
        evidence -= UNEVEN_EVIDENCE * max(0.0, 0.8 - min(tall) / tallest)
    height = float(sum(heights[first : last + 1]))
    unclear = sum(candidates[i].unclear and digits[i] in (0, 1, 7) for i in chosen)
    unclear += sum(k not in covered and heights[k] > LARGE for k in range(min(covered, default=0), max(covered, default=0)))
    return cost, Word(line, first, last, list(chosen), math.exp(weight - total), cuts, height, tallest, unclear, evidence)


def digit_evidence(digit: int, probability: float) -> float:
    """Return what one glyph says for a number and against letters, as a log-odds.

    Letters that look like digits are read with high probability, too, most often as a 1: one sure digit says little. A
    doubtful one says much, as nearly all digits of a number are sure.
    """
    p = min(max(probability, 1e-4), 1 - 1e-4)
    less = ONE_EVIDENCE if digit == 1 else 0.0
    return min(max(1.6 * math.log(p / (1 - p)) - 7.1 - less, LEAST_EVIDENCE), MOST_EVIDENCE - less)


def missing_evidence(digit: int, probability: float) -> float:
    """Return how much less one glyph says for a number than a sure digit of its class, as a log-odds."""
    return digit_evidence(digit, 1.0) - digit_evidence(digit, probability)
