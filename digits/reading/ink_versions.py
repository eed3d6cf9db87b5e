"""Versions of an image's strokes: where it is not plain which ink was written, each answer is one version.

    for version in propose_versions(ink):           # ink.Ink, from `ink.find_ink`
        version.strokes, version.cost               # what may have been written; how improbable that is

Which version is right is left to the network: the one that is made of digits. NumPy and OpenCV only.
"""

from typing import NamedTuple

import cv2
import numpy as np

from digits.reading import frames, ruled_paper
from digits.reading.borders import (
    drop_border,
    drop_frame,
    drop_lines_through,
    find_folds,
    find_outer_ones,
    standing_on,
    touched_sides,
)
from digits.reading.hairlines import add_faint_strokes, add_hairlines
from digits.reading.image_statistics import border_share, odd
from digits.reading.ink import PLAIN_PAPER, Ink, cut_out
from digits.reading.lines import level_slant
from digits.reading.paper import BITMAP_SIDE
from digits.reading.strokes import (
    Strokes,
    drop_discs,
    drop_specks,
    find_long_bars,
    find_underlines,
    ink_box,
    keep_strokes,
    label_strokes,
    part_lines,
    stroke_width,
    turn,
    with_line_beside,
)

LONE_FRAME_COST = 3.0  # for taking a frame and what it holds for one digit, in nats like all costs
TOUCHING_COST = 0.7  # for leaving out what touches a frame from inside
LINE_BESIDE_COST = 0.3  # for the part of a line that was taken away to be a part of a digit
PRINT_COST = 0.7  # for taking away ruled lines, or all ink of one colour
OTHER_INK_COST = 12.0  # ... and this times the share of the strokes left out that are as high as what is kept: writing, too
BAR_SHAPE = 0.25  # of its length is a bar's width at most
LONG_BAR_COST, KEPT_LONG_BAR_COST = 1.0, 1.5  # for taking away an underline or very long bar, and for keeping it
OBJECT_COST, KEPT_OBJECT_COST = 0.2, 2.0  # for taking away what is much thicker than the strokes, and for keeping it
DROPPED_COST = 7.0  # for taking away what touches the image's border or stands on a line, if it were all of the ink
MOST_OUTER = 0.5  # of the first or last 1 of a tight crop is kept, at least: else a digit is missing
FOLD_COST = 12.0  # for a fold from top to bottom to be a 1: with --single alone
KEPT_COST = 1.0  # for keeping it
BORDER_COST = 1.5  # ... as a part of one digit
BAR_COST = 1.5  # for keeping a bar under the writing, or faint lines, or for taking a bar away that may be a digit's
FAINT_COST = 0.3  # for adding faint strokes as high as the others
BOLD_ALONE_COST = 3.0  # for leaving these out
BOLD_COST = 1.0  # for leaving hairlines out
EITHER_COST = 2.0  # where ink and paper may change places: for an ink that covers all of the border
PARTED_COST, PART_COST = 0.7, 0.3  # for cutting lines of writing apart, and for each stroke width of ink that is cut
TURN_COST = 0.2  # for turning a slanted line level
TIGHT = 0.75  # of the image's height or width: a crop of the writing alone
FOREIGN_WEIGHT = 0.1  # of ink that is likely no writing, in what is left out
THINNEST_DIGIT = 0.06  # of a straight stroke's length: what is thinner is the bar of a form or frame
STROKE_COST, FREE_STROKES = 1.0, 2.5  # in nats, for each stroke of a digit beyond so many, counted by their ink


class Version(NamedTuple):
    """One answer to what was written.

    Attributes:
        strokes: Strokes, without specks.
        matrix: (2, 3) float, from the strokes' pixels to pixels of the original image.
        cost: how improbable this version is before anything is read, in nats.
        one_digit: whether it can only be one digit as a whole.
        thin: whether it is of the ink without what is much thicker than the strokes.
        lost: share of the ink that was dropped with lines, because it stands on them.
    """

    strokes: Strokes
    matrix: np.ndarray
    cost: float
    one_digit: bool = False
    thin: bool = False
    lost: float = 0.0


def propose_versions(ink: Ink, invert: str = "auto") -> list[Version]:
    """Propose versions of the strokes of an image: as they are, without what may not be written, with lines cut apart, and turned.

    Args:
        ink: Ink.
        invert: as for `ink.find_ink`; with "auto", ink and paper may change places.

    Returns:
        list of Version, none of them without strokes.
    """
    back = np.array([[1, 0, 0], [0, 1, 0]]) / ink.scale
    versions: list[Version] = []
    either = ink.dark is not None and invert == "auto"
    uncertain = EITHER_COST * (0.3 + border_share(ink.mask)) if either else 0.0
    ink, all_ink, lost = without_folds(ink)
    uncertain += FOLD_COST * folds_of(all_ink, ink).any()
    kept = 0.0 if ink.thin is None else KEPT_OBJECT_COST
    plain = ink.thin is None and ink.clutter < PLAIN_PAPER
    for strokes, cost in without_print(ink):
        versions += versions_of(strokes, ink, back, cost + kept + uncertain, bars_may_go=plain)
    if ink.thin is not None:
        for strokes, cost in without_print(ink.thin):
            fine = np.array([[1, 0, 0], [0, 1, 0]]) / ink.thin.scale
            thin = versions_of(strokes, ink.thin, fine, cost + OBJECT_COST + uncertain, bars_may_go=True)
            versions += [version._replace(thin=True) for version in thin]
    versions = [version._replace(lost=version.lost + lost) for version in versions]
    if versions and fills_image(versions[0].strokes):
        everything = drop_specks(all_ink)
        if len(everything.areas) > len(versions[0].strokes.areas):
            versions.append(Version(everything, back, BORDER_COST + uncertain, one_digit=True))
    if invert == "auto" and ink.dark is not None:
        for half in (ink.dark, ~ink.dark):
            strokes = drop_specks(label_strokes(half))
            cost = EITHER_COST * border_share(half) + LONE_FRAME_COST * frames.find_frames(strokes)[0].any()
            cost += FOLD_COST * folds_of(strokes, ink).any()
            versions.append(Version(strokes, back, cost, one_digit=True))
    versions = [version for version in versions if len(version.strokes.areas)]
    ones = find_outer_ones(all_ink)
    return without_outer_ones(versions, all_ink, ones) if ones.any() else versions


def without_outer_ones(versions: list[Version], all_ink: Strokes, ones: np.ndarray) -> list[Version]:
    """Return versions with what those not turned have lost of the `ones`, (n,) bool of all ink, along the sides of a tight crop."""
    mask = keep_strokes(all_ink, ones).labels > 0
    share = float(all_ink.areas[ones].sum() / all_ink.areas.sum())
    return [
        version._replace(lost=version.lost + share)
        if version.strokes.labels.shape == mask.shape and (version.strokes.labels[mask] > 0).mean() <= MOST_OUTER
        else version
        for version in versions
    ]


def folds_of(strokes: Strokes, ink: Ink) -> np.ndarray:
    """Return (n,) bool, the folds of the paper among the strokes of an image; a bitmap has none."""
    return find_folds(strokes) & (max(ink.mask.shape) > BITMAP_SIDE * ink.scale)


def without_folds(ink: Ink) -> tuple[Ink, Strokes, float]:
    """Leave out the folds of the paper where there is other ink, with what touches them.

    Returns:
        (Ink, its strokes, the share of the other ink that is left out with folds).
    """
    strokes = label_strokes(ink.mask)
    folds = folds_of(strokes, ink)
    if not folds.any():
        return ink, strokes, 0.0
    lines = keep_strokes(strokes, folds).labels > 0
    around = cv2.dilate(lines.astype(np.uint8), np.ones((1, odd(2 * stroke_width(lines))))) > 0
    mask = ink.mask & ~around
    if not mask.any():
        return ink, strokes, 0.0
    thin = ink.thin and without_folds(ink.thin)[0]
    ink = ink._replace(mask=mask, strength=np.where(around, 0, ink.strength), thin=thin)
    return ink, label_strokes(mask), standing_on(strokes, folds)[0]


def versions_of(strokes: Strokes, ink: Ink, back: np.ndarray, cost: float, bars_may_go: bool) -> list[Version]:
    """Propose versions of one set of strokes: without what may not be written, with lines cut apart, and turned.

    Args:
        strokes: Strokes. ink: Ink that they were taken from.
        back: (2, 3) float, from their pixels to pixels of the original image.
        cost: how improbable they are, in nats.
        bars_may_go: whether underlines and very long bars may be no writing.
    """
    versions, lost = [], 0.0
    folds = folds_of(strokes, ink)
    without_lines, on_lines, high = drop_lines_through(keep_strokes(strokes, ~folds))
    if len(without_lines.areas) or strokes.areas.sum() < np.count_nonzero(ink.mask):  # else one may be a 1 that fills its crop
        strokes, cost, lost = without_lines, cost + DROPPED_COST * on_lines, high + standing_on(strokes, folds)[1]
    elif folds.any():
        cost += FOLD_COST
    inner, dropped = drop_border(drop_discs(strokes))
    kept = drop_specks(inner)
    if len(kept.areas) == 0:
        return []
    cost += DROPPED_COST * dropped
    if dropped:  # a fold of the paper is dropped with the digit that touches it
        left, top, right, bottom = touched_sides(strokes.boxes, ink.mask.shape)
        lost += standing_on(strokes, (left & right) | (top & bottom))[1]
    if (bars := find_long_bars(kept) | find_underlines(kept)).any():
        if bars_may_go:
            on_bars, high = standing_on(kept, bars)
            bare = drop_specks(keep_strokes(kept, ~bars))
            versions.append(Version(bare, back, cost + LONG_BAR_COST + DROPPED_COST * on_bars, lost=lost + high))
        cost += KEPT_LONG_BAR_COST
    versions.append(Version(kept, back, cost, lost=lost))
    if dropped:  # a tight crop of a number touches the border, too
        versions.append(Version(drop_specks(drop_frame(strokes)), back, cost - DROPPED_COST * dropped + KEPT_COST, lost=lost))
    if (parted := part_lines(kept)) is not None:
        cut = (kept.areas.sum() - parted.areas.sum()) / stroke_width(kept.labels > 0)  # one row of pixels is taken out of each
        versions.append(Version(drop_specks(parted), back, cost + PARTED_COST + PART_COST * float(cut), lost=lost))
    angle = level_slant(kept.boxes)
    if angle:
        turned, inverse = turn(kept.labels > 0, angle)
        versions.append(Version(label_strokes(turned), back @ np.vstack([inverse, [0, 0, 1]]), cost + TURN_COST, lost=lost))
    return versions


def without_print(ink: Ink) -> list[tuple[Strokes, float]]:
    """Return the strokes of an image as they are, and without frames, ruled lines, or ink of another colour.

    Returns:
        list of (Strokes, cost of this version).
    """
    bold = label_strokes(ink.mask)
    hairlines = add_hairlines(ink.strength, bold)
    plain = bold if hairlines is None else label_strokes(hairlines)
    framed, alone = frames.find_frames(plain)
    sets: list[tuple[Strokes, float]] = []
    if not framed.any() or alone:
        sets.append((plain, LONE_FRAME_COST * framed.any()))  # what has a frame around it is hardly written with it
    if framed.any():
        within = keep_strokes(plain, ~framed)
        touching = frames.touching_ink(plain, framed)
        sets.append((within, 0.0 if touching is None else TOUCHING_COST))
        if touching is not None:
            writing = (within.labels > 0) | touching
            sets.append((label_strokes(writing), 0.0))
            sets.append((label_strokes(with_line_beside(writing, ink.mask & ~writing)), LINE_BESIDE_COST))
    elif (ruled := ruled_paper.remove_rules(ink.mask)) is not None:
        # Digits that stand on a line would be taken away with it.
        lost = ruled & (plain.labels > 0) & (drop_border(plain)[0].labels == 0)
        sets = [(plain, DROPPED_COST * float(lost.sum() / max(1, ruled.sum()))), (label_strokes(ruled), PRINT_COST)]
    elif (without := ruled_paper.remove_bars(ink.mask, plain)) is not None:
        rest, surely = without
        cost = 0.0 if surely else BAR_COST
        sets = [(label_strokes(rest), cost), (plain, BAR_COST - cost)]
        sets.append((label_strokes(with_line_beside(rest, ink.mask & ~rest)), cost + LINE_BESIDE_COST))
    bitmap = max(ink.mask.shape) <= BITMAP_SIDE * ink.scale
    if not bitmap and (strong := ruled_paper.remove_faint(ink.strength, ink.mask, ink.scale)) is not None:
        sets = [(strokes, cost + BAR_COST) for strokes, cost in sets] + [(label_strokes(strong), 0.0)]
    if not bitmap and ink.clutter < PLAIN_PAPER and len(sets) == 1:
        least = float(ink.strength[ink.mask].min(initial=255))
        if (faint := add_faint_strokes(ink.strength, plain, least)) is not None:
            sets = [(plain, BOLD_ALONE_COST), (label_strokes(faint), FAINT_COST)]
    if hairlines is not None:
        sets.append((bold, BOLD_COST))
    inks = [label_strokes(cut_out(strength, ink.covered)) for strength in ruled_paper.separate_inks(ink.difference, ink.mask)]
    for strokes, other in zip(inks, inks[::-1]):
        if frames.surrounds(strokes, other):  # a ring around a number is no 0
            continue
        kept = keep_strokes(strokes, ~frames.find_frames(strokes)[0])
        sets.append((kept, PRINT_COST + OTHER_INK_COST * share_alike(kept, keep_strokes(other, ~frames.find_frames(other)[0]))))
    if (marked := ruled_paper.remove_marker(ink)) is not None:
        kept = label_strokes(marked)
        sets.append((kept, PRINT_COST + OTHER_INK_COST * share_alike(kept, label_strokes(ink.mask & ~marked))))
    return sets


def share_alike(kept: Strokes, others: Strokes) -> float:
    """Return the share, 0 to 1, of `others` among all strokes that are about as high as the large ones of those `kept`.

    What lies around or across these, and bars, are no writing.
    """
    heights = kept.boxes[:, 3]
    if len(heights) == 0 or len(others.boxes) == 0:
        return 0.0
    large = heights > 0.5 * heights.max()
    usual = np.median(heights[large])
    x, y, w, h = others.boxes.T[:, :, None]
    x1, y1, w1, h1 = kept.boxes[large].T
    apart = ((x + w < x1) | (x1 + w1 < x) | (y + h < y1) | (y1 + h1 < y)).all(axis=1)
    _, _, w, h = others.boxes.T
    alike = int(np.count_nonzero(apart & (h > 0.3 * usual) & (h < 2 * usual) & (w > BAR_SHAPE * h) & (h > BAR_SHAPE * w)))
    return alike / (alike + int(np.count_nonzero(large)))


def fills_image(strokes: Strokes) -> bool:
    """Tell whether an image is cropped tightly: its strokes together are about as high or as wide as it is."""
    _, _, width, height = ink_box(strokes.labels)
    return height > TIGHT * strokes.labels.shape[0] or width > TIGHT * strokes.labels.shape[1]


def likely_foreign(strokes: Strokes) -> tuple[np.ndarray, np.ndarray]:
    """Tell which strokes may be no writing: ((n,) bool, what runs out of the image; (n,) lengths of straight bars, else 0)."""
    outside = np.asarray(touched_sides(strokes.boxes, strokes.labels.shape).any(axis=0))
    length, thickness = strokes.boxes[:, 2:].max(axis=1), strokes.boxes[:, 2:].min(axis=1)
    bars = (strokes.areas > 0.8 * length * thickness) & (thickness < THINNEST_DIGIT * length)
    return outside, np.where(bars, length, 0)


def share_left_out(mask: np.ndarray, own: list[int], strokes: Strokes, foreign: tuple[np.ndarray, np.ndarray]) -> float:
    """Return the share of the ink of a version that a candidate does not account for.

    What runs out of the image beside a candidate that stands free, and straight bars that are longer than the
    candidate, are likely no writing, and count a tenth.

    Args:
        mask: (h, w) bool, the candidate.
        own: numbers of the strokes that it is a part of.
        strokes: all strokes of the version.
        foreign: what `likely_foreign` says of them.
    """
    outside, bars = foreign
    left_out = bars > 1.1 * max(mask.shape)
    if not outside[own].any():
        left_out |= outside
    left_out[own] = False
    total = float(strokes.areas.sum())
    counted = total - (1 - FOREIGN_WEIGHT) * float(strokes.areas[left_out].sum())
    return max(0.0, round((counted - int(np.count_nonzero(mask))) / total, 6))


def widest_gap(starts: np.ndarray, lengths: np.ndarray) -> int:
    """Return the widest gap between intervals: (n,) starts and lengths, in pixels (0: there is none)."""
    order = np.argsort(starts)
    ends = np.maximum.accumulate((starts + lengths)[order])
    return max([0, *(starts[order][1:] - ends[:-1])])


def whole_cost(strokes: Strokes) -> float:
    """Return how improbable it is, in nats, that all strokes are one digit: few digits have more than two or three."""
    shares = strokes.areas / strokes.areas.sum()
    return STROKE_COST * max(0.0, 1 / float((shares * shares).sum()) - FREE_STROKES)
