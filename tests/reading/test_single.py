"""Reading exactly one digit: all the ink counts, what is no writing does not. With the shipped network."""

import cv2
import numpy as np
import pytest
from PIL import Image

import compose
from data_loader import load_dataset
from digits.inference.network import load_network
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


def framed_strip(digit, strip=np.s_[:0]):
    """A digit with a bar of a frame beside it; `strip` is a slice of rows and one of columns."""
    coverage = np.zeros(SIZE)
    compose.draw(coverage, digit, 45, 30, 95, pen=9)
    coverage[strip] = 1
    return compose.write(coverage, compose.paper(SIZE))


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
    wanted = {key: reader.read([image], single=True)[0]["pictures"][0] for key, image in images.items()}
    assert np.array_equal(data.x_train, [wanted[digit, number] for digit in range(10) for number in range(4)])
    assert np.array_equal(data.x_test, [wanted[digit, 4] for digit in range(10)])
