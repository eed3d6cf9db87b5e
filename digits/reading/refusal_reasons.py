"""Why nothing was read: what was found in an image, what the network took it for, and the rule that refused it.

digits, images = refused_digits(layout, probabilities, top_k=3)      # as a record's "digits", for `annotation.draw_reading`
reason(layout, record)                                      # "Too little of this looks like a number. ..."
"""

import numpy as np

from digits.reading.candidates import Layout
from digits.reading.ink import MOST_CLUTTER
from digits.reading.records import describe
from digits.support.messages import percent


def refused_digits(layout: Layout, probabilities: np.ndarray, top_k: int) -> tuple[list[dict], np.ndarray]:
    """Return what was found, each stroke or run of strokes once: the one that the network is surest of.

    Args:
        layout: candidates.Layout with N candidates.
        probabilities: (N, 10) float, the network's answers.
        top_k: how many alternatives to report for each digit.

    Returns:
        (list of D dicts "digit", "confidence", "box", "top", as in a record; (D, 28, 28) uint8, what the network saw).
    """
    seen: set[tuple[int, int]] = set()  # pieces (line, number) that are explained
    chosen = []
    first = min((line.version for line in layout.lines), default=0)  # the other versions hold the same ink
    # Whole strokes before parts of them: what was cut for the sake of touching digits explains nothing to people.
    wholes_first = np.lexsort((-probabilities.max(axis=1), [candidate.cuts > 0 for candidate in layout.candidates]))
    for i in wholes_first:
        candidate = layout.candidates[i]
        pieces = {(candidate.line, piece) for piece in range(candidate.first, candidate.last + 1)}
        if candidate.line >= 0 and layout.lines[candidate.line].version == first and not pieces & seen:
            seen |= pieces
            chosen.append(i)
    chosen.sort(key=lambda i: (layout.candidates[i].line, layout.candidates[i].first))
    return describe(layout, probabilities, chosen, top_k), layout.images[chosen]


def reason(layout: Layout, record: dict) -> str:
    """Return, as a sentence, why nothing was read of a layout; `record` is what came of it."""
    if not layout.lines:
        return "No ink was found: nothing stands out from its paper."
    if layout.clutter > MOST_CLUTTER:
        return "What lies around these strokes is no plain paper: this looks like a photograph of things, not like writing."
    boxes = "Each box shows the digit that it resembles most, and how sure the network is of it."
    if record["guess"]:
        guess = f"{record['guess']['text']} ({percent(record['guess']['confidence'])})"
        return f"The likeliest reading, {guess}, is too uncertain to be given. {boxes}"
    return f"Too little of this looks like a number. {boxes}"
