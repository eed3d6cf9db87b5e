"""Finding digits: each step on images made for it, judged by geometry alone (no network)."""

import itertools

import cv2
import numpy as np
import pytest

import compose
from digits.reading import borders, candidates, frames, ink, lines, mnist_format, ruled_paper, strokes
from digits.reading.decoding import DigitReader

SIZE = (160, 200)


def written(sheet=None, colour=(40, 40, 45), digit=5):
    """A digit in the middle of a sheet. Returns (image, where there is ink)."""
    coverage = np.zeros(SIZE)
    compose.draw(coverage, digit, 65, 35, 90)
    return compose.write(coverage, compose.paper(SIZE) if sheet is None else sheet, colour), coverage > 0.5


def overlap(found, wanted):
    """Intersection over union of two masks."""
    return (found & wanted).sum() / (found | wanted).sum()


def found_mask(image, invert="auto"):
    mask = ink.find_ink(image, invert).mask
    return cv2.resize(mask.astype(np.uint8), image.shape[1::-1], interpolation=cv2.INTER_AREA) > 0


def single(image):
    """What is taken for the one digit of an image by the ink alone (28, 28): the network knows nothing."""
    reader = DigitReader(lambda images: np.full((len(images), 10), 0.1))
    return reader.read([image], single=True)[0]["images"][0]


@pytest.fixture
def generator():
    return np.random.default_rng(3)


SHEETS = {
    "plain": {},
    "gradient": {"gradient": 0.65},
    "shadow": {"shadow": 0.3},
    "grain": {"grain": 8.0},
    "blue paper": {"colour": (120, 160, 215)},
    "dim": {"colour": (90, 80, 75)},
    "both": {"gradient": 0.4, "grain": 5.0},
}


def test_digits_in_a_small_bitmap_are_no_bolder_than_in_a_large_one():
    """An enlarged bitmap has soft rims, which are no faint strokes."""
    bolder = []
    for digit in range(10):
        coverage = np.zeros((280, 280))
        compose.draw(coverage, digit, 50, 40, 200)
        large = compose.write(coverage, compose.paper((280, 280)))
        small = cv2.resize(large, (20, 20), interpolation=cv2.INTER_AREA)
        bolder.append(single(small).sum(dtype=int) / single(large).sum(dtype=int))
    assert np.median(bolder) < 1.15


@pytest.mark.parametrize("name", SHEETS)
def test_ink_is_found_on_every_paper(name, generator):
    image, wanted = written(compose.paper(SIZE, generator=generator, **SHEETS[name]), (35, 30, 30))
    assert overlap(found_mask(image), wanted) > 0.8


@pytest.mark.parametrize("colour", [(30, 40, 170), (190, 30, 40), (200, 190, 60), (140, 140, 140)])
def test_ink_of_every_colour_is_found(colour):
    """Blue, red, yellow and pencil grey: each differs from white paper in other channels."""
    image, wanted = written(compose.paper(SIZE, (255, 255, 255)), colour)
    assert overlap(found_mask(image), wanted) > 0.8


def test_equally_bright_ink_is_found_by_its_colour():
    image, wanted = written(compose.paper(SIZE, (200, 120, 120)), (110, 165, 110))
    assert overlap(found_mask(image), wanted) > 0.8


def test_jpeg_artefacts_are_no_ink():
    image, wanted = written()
    mask = found_mask(compose.jpeg(image, 15))
    assert overlap(mask, wanted) > 0.75


def test_both_polarities_give_the_same_ink():
    image, _ = written()
    assert overlap(found_mask(image), found_mask(255 - image)) > 0.99


def test_polarity_can_be_forced():
    image, wanted = written()
    assert overlap(found_mask(image, "yes"), wanted) > 0.8
    assert overlap(found_mask(255 - image, "no"), wanted) > 0.8
    assert overlap(found_mask(image, "no"), wanted) < 0.3


def test_bold_digit_that_fills_a_tight_bitmap_keeps_its_polarity(mnist):
    """Half of such an image is ink; its border still tells the paper."""
    for index in range(30):
        image = mnist.x_test[index]
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        tight = cv2.resize(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], (16, 16), interpolation=cv2.INTER_AREA)
        if np.median(np.r_[tight[0], tight[-1], tight[:, 0], tight[:, -1]]) > 60:
            continue  # its border is mostly ink
        for image in (tight, 255 - tight):
            mask = cv2.resize(ink.find_ink(image).mask.astype(np.uint8), (16, 16), interpolation=cv2.INTER_AREA) > 0
            assert overlap(mask, tight > 110) > 0.6, index


@pytest.mark.parametrize("blank", ["white", "black", "gradient", "grain", "shadow", "coarse grain", "jpeg"])
def test_blank_paper_has_no_digit(blank, generator):
    size = (300, 400)
    sheet = {
        "white": lambda: np.full((*size, 3), 255, np.uint8),
        "black": lambda: np.zeros((*size, 3), np.uint8),
        "gradient": lambda: compose.paper(size, gradient=0.7),
        "grain": lambda: compose.paper(size, grain=10.0, generator=generator),
        "shadow": lambda: compose.paper(size, gradient=0.2, grain=2.0, generator=generator),
        "coarse grain": lambda: cv2.resize(compose.paper((75, 100), grain=6.0, generator=generator), size[::-1]),
        "jpeg": lambda: compose.jpeg(compose.paper(size, grain=4.0, generator=generator), 20),
    }[blank]()
    layout = candidates.find_candidates(sheet)
    assert layout.lines == [] and not layout.images.any()
    assert layout.boxes.tolist() == [[0, 0, 400, 300]]


@pytest.mark.parametrize("factor", [0.2, 1, 6])
def test_size_of_the_image_does_not_matter(factor):
    image, _ = written()
    reference = single(image).astype(int)
    scaled = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    assert np.abs(single(scaled) - reference).mean() < 6


def test_working_size_is_bounded():
    big, scale = ink.working_size(np.zeros((3000, 4000, 3), np.uint8))
    assert big.shape == (750, 1000, 3) and scale == 0.25
    small, scale = ink.working_size(np.zeros((28, 28), np.uint8))
    assert small.shape == (112, 112, 3) and scale == 4


def test_mnist_normalise_is_mnists_own(mnist):
    """Enlarged MNIST digits come back as they were: a shift by one pixel would cost a tenth of the correlation."""
    correlations = []
    for image in mnist.x_test[:100]:
        again = mnist_format.mnist_normalise(cv2.resize(image, (280, 280), interpolation=cv2.INTER_CUBIC) > 110)
        assert again.dtype == np.uint8 and again.max() == 255
        correlations.append(np.corrcoef(again.ravel(), image.ravel())[0, 1])
    assert np.mean(correlations) > 0.92


def test_mnist_normalise_box_and_centre():
    bar = np.zeros((300, 300), bool)
    bar[40:240, 30:60] = bar[40:60, 30:180] = True
    image = mnist_format.mnist_normalise(bar)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert rows[-1] - rows[0] + 1 == 20 and 14 <= columns[-1] - columns[0] + 1 <= 16
    weights = image / image.sum()
    assert abs((weights.sum(axis=1) * np.arange(28)).sum() - 14) <= 0.6
    assert abs((weights.sum(axis=0) * np.arange(28)).sum() - 14) <= 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (3, 3)])
def test_mnist_normalise_takes_any_ink(shape):
    image = mnist_format.mnist_normalise(np.ones(shape, bool))
    assert image.shape == (28, 28) and image.max() == 255
    assert not mnist_format.mnist_normalise(np.zeros(shape)).any()


def test_hair_lines_are_as_dark_as_bold_ones():
    images = []
    for pen in (1, 30):
        coverage = np.zeros((500, 500))
        compose.draw(coverage, 3, 100, 60, 380, pen=pen)
        images.append(mnist_format.mnist_normalise(coverage > 0.3))
    assert (images[0] > 128).sum() > 0.5 * (images[1] > 128).sum()


def test_of_many_strokes_that_are_equally_large_no_more_are_kept():
    mask = np.zeros((1000, 1000), bool)
    for y, x in itertools.product(range(5, 1000, 20), repeat=2):
        mask[y : y + 12, x : x + 3] = True
    assert len(strokes.drop_specks(strokes.label_strokes(mask)).areas) == strokes.MOST_STROKES


def test_specks_and_what_runs_off_the_frame_are_dropped():
    image, wanted = written()
    image[20:22, 20:22] = 30
    image[118:, :20] = 60
    found = strokes.label_strokes(ink.find_ink(image).mask)
    kept = strokes.drop_specks(borders.drop_border(found)[0])
    assert len(found.areas) == 3 and len(kept.areas) == 1
    assert overlap(kept.labels > 0, wanted) > 0.8


def test_digit_that_touches_the_frame_of_a_tight_crop_stays():
    image, wanted = written()
    rows, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    tight = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    whole, cropped = single(image), single(tight)
    assert np.corrcoef(whole.ravel(), cropped.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("squared", [False, True])
def test_ruled_lines_are_erased_and_digits_are_not_cut(squared):
    coverage = compose.number("2408", (150, 420), 80, pen=7, y=30)
    image = compose.write(coverage, compose.rule(compose.paper((150, 420)), 32, (60, 60, 60), squared, pen=2))
    found = ink.find_ink(image)
    cleaned = ruled_paper.remove_rules(found.mask)
    assert cleaned is not None
    rest = strokes.drop_specks(strokes.label_strokes(cleaned)).labels > 0
    assert overlap(found.mask, coverage > 0.5) < 0.75 < 0.85 < overlap(rest, coverage > 0.5)


def test_a_digit_alone_is_no_ruled_line():
    image, _ = written(digit=7)
    assert ruled_paper.remove_rules(ink.find_ink(image).mask) is None


def test_two_inks_are_told_apart():
    sheet = compose.paper((150, 420), (255, 255, 255))
    for column in (10, 110, 210, 310, 405):
        sheet[10:140, column : column + 5] = (225, 30, 45)
    sheet[10:15, 10:410] = sheet[135:140, 10:410] = (225, 30, 45)
    coverage = compose.number("3150", (150, 420), 80, gap=1.25, x=32, y=35)
    found = ink.find_ink(compose.write(coverage, sheet, (10, 10, 10)))
    pair = ruled_paper.separate_inks(found.difference, found.mask)
    assert len(pair) == 2
    assert max(overlap(strength > 60, coverage > 0.5) for strength in pair) > 0.8


def test_shades_of_one_ink_are_one_ink():
    image, _ = written(compose.paper(SIZE, gradient=0.5), (30, 40, 170))
    found = ink.find_ink(compose.jpeg(image, 30))
    assert ruled_paper.separate_inks(found.difference, found.mask) == []


def test_frames_are_told_from_digits():
    coverage = compose.number("60", (150, 300), 80, gap=1.5, x=40, y=35)
    coverage[10:13, 10:290] = coverage[137:140, 10:290] = coverage[10:140, 10:13] = coverage[10:140, 287:290] = 1
    found = strokes.label_strokes(coverage > 0.5)
    framed, alone = frames.find_frames(found)
    assert framed.sum() == 1 and framed[found.boxes[:, 2].argmax()] and not alone


def test_strokes_stand_in_lines_from_left_to_right():
    coverage = np.zeros((260, 420))
    for row, text in enumerate(("314", "2718")):
        for k, character in enumerate(text):
            compose.draw(coverage, int(character), 20 + 90 * k, 20 + 120 * row + 6 * k, 80)
    boxes = strokes.label_strokes(coverage > 0.5).boxes
    found = lines.group_lines(boxes)
    assert [len(line) for line in found] == [3, 4]
    assert all((np.diff(boxes[line, 0]) > 0).all() for line in found)


def test_slanted_line_is_turned_level():
    coverage = compose.number("235", (400, 420), 70, gap=1.2, rise=60, x=40, y=40)
    angle = lines.level_slant(strokes.label_strokes(coverage > 0.5).boxes)
    assert 30 < angle < 42
    turned, back = strokes.turn(coverage > 0.5, angle)
    boxes = strokes.label_strokes(turned).boxes
    assert np.ptp(boxes[:, 1] + boxes[:, 3] / 2) < 25
    rows, columns = np.nonzero(turned)
    x, y = back @ np.stack([columns, rows, np.ones(len(rows))])
    assert (coverage[np.clip(np.round(y).astype(int), 0, 399), np.clip(np.round(x).astype(int), 0, 419)] > 0.1).mean() > 0.95


def test_touching_digits_are_cut_between_them():
    coverage = compose.number("00", (120, 200), 80, gap=0.56, x=30)
    touching = strokes.label_strokes(coverage > 0.5)
    assert len(touching.areas) == 1
    x, y, w, h = touching.boxes[0]
    cuts = strokes.propose_cuts(coverage[y : y + h, x : x + w] > 0.5, 8)
    middle = 30 + 0.375 * 80 + 0.28 * 80 - x
    assert min(abs(place - middle) for place, _, _ in cuts) < 8
    pieces = strokes.cut_stroke(coverage[y : y + h, x : x + w] > 0.5, cuts)
    assert sorted(np.unique(pieces)) == list(range(len(cuts) + 2))


def test_broken_stroke_is_among_the_candidates_as_one():
    """A 5 whose bar stands free: one candidate must hold both parts, in one box."""
    image, wanted = written()
    image[46:52] = compose.paper(SIZE)[46:52]
    layout = candidates.find_candidates(image)
    rows, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
    whole = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    assert min(np.abs(box - whole).max() for box in layout.boxes) <= 3


def test_boxes_are_in_the_pixels_of_the_image():
    for factor in (0.3, 1, 8):
        image, wanted = written()
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        layout = candidates.find_candidates(image)
        rows, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
        whole = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) * factor
        assert min(np.abs(box - whole).max() for box in layout.boxes) <= 2 + 2 * factor
        assert layout.boxes.dtype == np.int32
        assert (layout.boxes[:, :2] >= 0).all() and (layout.boxes[:, 2:] > layout.boxes[:, :2]).all()
        assert (layout.boxes[:, 2:] <= image.shape[1::-1]).all()


def test_photograph_is_cluttered_and_paper_is_not(generator):
    image, _ = written(compose.paper(SIZE, gradient=0.4, grain=5, generator=generator))
    assert ink.find_ink(image).clutter < 0.25
    scene = cv2.GaussianBlur(generator.normal(128, 400, (*SIZE, 3)), (0, 0), 6)
    assert ink.find_ink(np.clip(scene, 0, 255).astype(np.uint8)).clutter > 0.3


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 1, 3), (2, 2), (16, 16), (5, 2000, 3)])
def test_every_shape_is_taken(shape, generator):
    for image in (np.zeros(shape, np.uint8), generator.integers(0, 256, shape).astype(np.uint8)):
        layout = candidates.find_candidates(image)
        assert layout.images.shape[1:] == (28, 28) and len(layout.images) == len(layout.boxes) == len(layout.candidates)


@pytest.mark.parametrize("inverted", [False, True])
def test_images_in_mnist_format_are_taken_as_they_are(mnist, inverted):
    digits = mnist.x_test[:200]
    seen = [candidates.find_candidates(255 - digit if inverted else digit).images for digit in digits]
    same = [len(images) == 1 and np.array_equal(images[0], digit) for images, digit in zip(seen, digits)]
    assert np.mean(same) > 0.95


def test_a_moved_a_small_and_a_coloured_bitmap_are_not_taken_for_mnist(mnist):
    digit = mnist.x_test[0]
    assert mnist_format.already_mnist(digit) is not None
    assert mnist_format.already_mnist(np.roll(digit, 4, axis=1)) is None
    assert mnist_format.already_mnist(cv2.resize(cv2.resize(digit, (14, 14)), (28, 28)) // 4) is None
    assert mnist_format.already_mnist(digit, invert="yes") is None
    red = np.repeat(digit[..., None], 3, axis=2) * np.array([1, 0, 0], np.uint8)
    assert mnist_format.already_mnist(red) is None


def test_a_stroke_in_many_pieces_is_a_candidate_as_a_whole(monkeypatch, mnist):
    monkeypatch.setattr(candidates, "MOST_PIECES", 1)
    wide = np.hstack([mnist.x_test[8], np.zeros((28, 28), np.uint8), mnist.x_test[2]])  # a 5 and a 1
    layout = candidates.find_candidates(cv2.resize(255 - wide, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC))
    first_line = [c for c in layout.candidates if c.line == 0]
    assert max(c.last for c in first_line) > 1, "the 5 was not cut: choose another"
    assert any(c.first == 0 and c.last >= 1 and c.cuts == 0 for c in first_line)
