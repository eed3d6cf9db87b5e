"""Reading exactly one digit: all the ink counts, what is no writing does not. With the shipped network."""

import cv2
import numpy as np
import pytest
from PIL import Image

import compose
from data_loader import load_dataset
from digits.inference.runtimes import load_network
from digits.reading.decoding import DigitReader

SIZE = (160, 170)


@pytest.fixture(scope="module")
def reader():
    return DigitReader(load_network())


def texts(reader, images, single=True):
    return [record["text"] for record in reader.read(images, single=single)]


def pen_strokes(curves, pen=8):
    """Curves in a box of 1 x 1, drawn as dark ink on paper."""
    page = np.zeros(SIZE, np.uint8)
    for curve in curves:
        points = np.array([30, 25]) + np.array(curve) * [90, 110]
        cv2.polylines(page, [np.round(points * 16).astype(np.int32)], False, 255, pen, cv2.LINE_AA, 4)
    return compose.write(page / 255, compose.paper(SIZE))


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("gap", [0.15, 0.2, 0.25])
def test_a_digit_of_two_strokes_that_do_not_touch_is_read_as_a_whole(reader, gap, single):
    """The vertical of such a 4 is a perfect 1, but leaves half of the ink out."""
    fours = [pen_strokes([[(0.3, 0), (0.1, 0.6), (0.6 - gap, 0.62)], [(0.75, 0.2), (0.6, 1)]], pen) for pen in (4, 6, 8, 10)]
    sevens = [pen_strokes([[(0.2, 0.05), (0.8 - gap, 0.03)], [(0.8, 0.05), (0.42, 0.98)]], pen) for pen in (4, 6, 8, 10)]
    assert texts(reader, fours + sevens, single) == ["4"] * 4 + ["7"] * 4


@pytest.mark.parametrize("margin", [0, 2, 6])
@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("single", [True, False])
def test_a_tight_crop_of_a_bold_digit_is_read(reader, margin, light, single):
    """Its strokes cover most of it, so that the paper is not what is seen most."""
    images = []
    for digit in range(10):
        coverage = np.zeros((260, 240))
        compose.draw(coverage, digit, 60, 60, 130, pen=22)
        rows, columns = (np.flatnonzero(coverage.max(axis=axis) > 0.3) for axis in (1, 0))
        coverage = coverage[rows[0] - margin : rows[-1] + 1 + margin, columns[0] - margin : columns[-1] + 1 + margin]
        image = compose.write(coverage, compose.paper(coverage.shape))
        images.append(255 - image if light else image)
    assert texts(reader, images, single) == list("0123456789")


def framed_strip(digit, strip=np.s_[:0]):
    """A digit with a bar of a frame beside it; `strip` is a slice of rows and one of columns."""
    coverage = np.zeros(SIZE)
    compose.draw(coverage, digit, 45, 30, 95, pen=9)
    coverage[strip] = 1
    return compose.write(coverage, compose.paper(SIZE))


def test_several_digits_are_not_surely_one(reader):
    (record,) = reader.read([compose.write(compose.number("2048", (120, 400)), compose.paper((120, 400)))], single=True)
    assert len(record["text"]) == 1 and record["unsure"]
    assert record["notes"] == ["seems to hold several digits; it was read as one, as you asked."]
    patient = DigitReader(reader.network, min_confidence=0.0)
    (one,) = patient.read([compose.write(compose.number("7", (120, 120)), compose.paper((120, 120)))], single=True)
    assert (one["text"], one["notes"]) == ("7", [])


@pytest.mark.parametrize("digit", range(10))
def test_a_strip_of_frame_beside_a_digit_is_no_digit(reader, digit):
    strips = [np.s_[:, 4:9], np.s_[8:150, 10:15], np.s_[8:150, 155:159], np.s_[2:7, :], np.s_[150:154, 10:160]]
    assert texts(reader, [framed_strip(digit, strip) for strip in strips]) == [str(digit)] * 5


@pytest.mark.parametrize("edge", [np.s_[135:, :], np.s_[:, 150:], np.s_[:12, :100], np.s_[110:, 140:]])
def test_a_dark_object_at_the_edge_is_no_part_of_the_digit(reader, edge):
    images = [framed_strip(digit) for digit in (2, 3, 5, 7)]
    for image in images:
        image[edge] = 60
    assert texts(reader, images) == list("2357")


@pytest.mark.slow
def test_a_folder_of_images_is_prepared_as_single_digits_are_read(reader, mnist, tmp_path):
    images = {}
    for digit in range(10):
        (tmp_path / str(digit)).mkdir()
        for number, index in enumerate(np.flatnonzero(mnist.y_train == digit)[:5]):
            coverage = np.zeros(SIZE)
            compose.paste(coverage, mnist.x_train[index], 40, 30, 90)
            coverage[:, 4:8] = 1
            images[digit, number] = compose.write(coverage, compose.paper(SIZE))
            Image.fromarray(images[digit, number]).save(tmp_path / str(digit) / f"{number}.png")
    data = load_dataset(tmp_path)
    wanted = {key: reader.read([image], single=True)[0]["images"][0] for key, image in images.items()}
    assert np.array_equal(data.x_train, [wanted[digit, number] for digit in range(10) for number in range(4)])
    assert np.array_equal(data.x_test, [wanted[digit, 4] for digit in range(10)])


def crop(coverage, invert):
    """The writing of `coverage` (H, W) alone, filling the image to its edges, light on dark or the other way round."""
    rows, columns = np.flatnonzero((coverage > 0.5).any(axis=1)), np.flatnonzero((coverage > 0.5).any(axis=0))
    ink = np.round(255 * coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).astype(np.uint8)
    return np.repeat((255 - ink if invert else ink)[..., None], 3, axis=2)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("side", [16, 40, 120])
def test_a_ring_that_touches_all_sides_is_a_zero_in_both_polarities(reader, side, invert):
    images = []
    for pen in (30, 50, 70):
        coverage = np.zeros((320, 240))
        compose.draw(coverage, 0, 10, 10, 300, 220, pen)
        images.append(cv2.resize(crop(coverage, invert), (round(0.75 * side), side), interpolation=cv2.INTER_AREA))
    assert texts(reader, images) == ["0"] * 3


@pytest.mark.parametrize("invert", [False, True])
def test_a_digit_that_fills_its_crop_is_read_in_both_polarities(reader, invert):
    images = []
    for digit in (0, 2, 3, 5, 6, 8, 9):
        coverage = np.zeros((320, 320))
        compose.draw(coverage, digit, 20, 20, 280, pen=40)
        images += [cv2.resize(crop(coverage, invert), (16, 16), interpolation=cv2.INTER_AREA), crop(coverage, invert)]
    assert texts(reader, images) == [digit for digit in "0235689" for _ in (0, 1)]


@pytest.mark.parametrize("single", [True, False])
def test_a_bar_that_touches_a_digit_from_below_is_no_part_of_it(reader, single):
    images = []
    for digit in (1, 4, 7, 9):
        coverage = np.zeros(SIZE)
        compose.draw(coverage, digit, 45, 30, 95, pen=9)
        coverage[121:125, 12:158] = 1
        images.append(compose.write(coverage, compose.paper(SIZE)))
    assert texts(reader, images, single) == list("1479")


def dip_pen(image, generator):
    """An MNIST digit as a dip pen writes it: bold where the stroke goes down, a hairline of a third of the contrast across."""
    shape = cv2.resize(image, (140, 140), interpolation=cv2.INTER_CUBIC) / 255
    smooth = cv2.GaussianBlur(shape, (0, 0), 3)
    across, down = (cv2.GaussianBlur(cv2.Sobel(smooth, cv2.CV_64F, *order) ** 2, (0, 0), 6) for order in ((0, 1), (1, 0)))
    bold = np.clip((down / (down + across + 1e-9) - 0.35) / 0.3, 0, 1)
    depth = cv2.distanceTransform((shape > 0.4).astype(np.uint8), cv2.DIST_L2, 5)
    middle = (depth >= cv2.dilate(depth, np.ones((3, 3)))) & (depth > 1)
    line = np.clip(2.2 - cv2.distanceTransform((~middle).astype(np.uint8), cv2.DIST_L2, 5), 0, 1)
    line = cv2.morphologyEx(line.astype(np.float32), cv2.MORPH_CLOSE, np.ones((7, 7)))
    coverage = np.zeros((170, 160))
    coverage[15:155, 10:150] = cv2.GaussianBlur(np.maximum(shape * bold, line * 0.33 * (1 - bold)), (0, 0), 0.7)
    return compose.write(np.clip(coverage, 0, 1), compose.paper(coverage.shape, grain=2.0, gradient=0.15, generator=generator))


def test_hairlines_of_a_third_of_the_contrast_hold_a_digit_together(reader, mnist):
    generator = np.random.default_rng(4)
    images = [dip_pen(image, generator) for image in mnist.x_train[600:660]]
    right = [text == str(label) for text, label in zip(texts(reader, images), mnist.y_train[600:660])]
    assert np.mean(right) >= 0.55  # of a severe test: without hairlines one in eight


def test_ruled_lines_and_grain_are_no_hairlines(reader, mnist):
    generator = np.random.default_rng(5)
    images = []
    for image in mnist.x_train[:40]:
        coverage = np.zeros((170, 400))
        compose.paste(coverage, image, 150, 30, 100)
        sheet = compose.rule(compose.paper(coverage.shape, grain=5.0, generator=generator), 32, (185, 195, 215), pen=2)
        images.append(compose.write(coverage, sheet))
    right = [text == str(label) for text, label in zip(texts(reader, images), mnist.y_train[:40])]
    assert np.mean(right) >= 0.95
