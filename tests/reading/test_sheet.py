"""digits/reading/sheet.py: paper on a desk is found, and what only looks like it is not."""

import cv2
import numpy as np
import pytest

from digits.reading import sheet
from digits.reading.reader import read_image

WIDTH, HEIGHT = 1200, 900


def photograph(desk, text="613", seed=0, sheet=(230, 230, 230), pen=(50, 30, 30)):
    """A tilted sheet with a number on a desk, of the given colours, in uneven light: (900, 1200, 3) uint8."""
    generator = np.random.default_rng(seed)
    paper = np.full((500, 800, 3), sheet, np.uint8)
    cv2.putText(paper, text, (150, 340), cv2.FONT_HERSHEY_SIMPLEX, 6, pen, 12, cv2.LINE_AA)
    corners = np.float32([[190, 150], [1010, 175], [990, 750], [175, 720]]) + generator.normal(0, 20, (4, 2))
    matrix = cv2.getPerspectiveTransform(np.float32([[0, 0], [800, 0], [800, 500], [0, 500]]), corners.astype(np.float32))
    covered = cv2.warpPerspective(np.ones((500, 800), np.float32), matrix, (WIDTH, HEIGHT))[..., None]
    wood = np.array(desk) + 8 * cv2.GaussianBlur(generator.normal(0, 6, (HEIGHT, WIDTH)), (0, 0), 3)[..., None]
    image = wood * (1 - covered) + cv2.warpPerspective(paper, matrix, (WIDTH, HEIGHT)) * covered
    image *= np.linspace(1, 0.65, WIDTH)[:, None]
    return np.clip(image + generator.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("desk", [(40, 60, 90), (30, 30, 35), (120, 120, 120), (110, 90, 60)])
def test_number_on_a_sheet_on_a_desk_is_read(desk):
    assert read_image(photograph(desk))["text"] == "613"


@pytest.mark.parametrize(
    ("sheet", "desk", "pen"),
    [
        ((240, 225, 100), (235, 235, 232), (40, 45, 90)),  # a yellow note on a white desk
        ((185, 150, 110), (240, 240, 240), (50, 40, 40)),  # brown paper on white
        ((50, 60, 55), (200, 190, 175), (235, 235, 230)),  # a slate
    ],
)
def test_number_on_a_note_of_another_colour_is_read(sheet, desk, pen):
    record = read_image(photograph(desk, sheet=sheet, pen=pen))
    assert (record["text"], record["unsure"]) == ("613", False)


@pytest.mark.parametrize("part", [np.s_[250:, 130:], np.s_[:650, :1000], np.s_[:, 220:]])
def test_number_on_a_sheet_that_runs_out_of_the_photograph_is_read(part):
    image = photograph((40, 60, 90))[part]
    record = read_image(image)
    assert sheet.find_sheet(image) is not None and (record["text"], record["unsure"]) == ("613", False)


def test_empty_sheet_on_a_desk_holds_no_digit():
    assert read_image(photograph((60, 80, 110), text=""))["text"] == ""


def test_the_desk_is_painted_over_and_the_writing_is_not():
    image = photograph((40, 60, 90))
    painted = sheet.paint_over_desk(image)
    inside = sheet.find_sheet(image)
    assert 0.3 < inside.mean() < 0.6
    assert np.array_equal(painted[inside], image[inside]) and painted[~inside].min() > 110 > image[~inside].mean()


def light_zero():
    image = np.zeros((400, 300, 3), np.uint8)
    return cv2.ellipse(image, (150, 200), (100, 150), 0, 0, 360, (255, 255, 255), 60)


def bold_seven():
    image = np.full((400, 300, 3), 235, np.uint8)
    cv2.fillPoly(image, [np.array([[0, 0], [300, 0], [300, 90], [180, 400], [90, 400], [200, 90], [0, 90]])], (30, 30, 40))
    return image


def shaded_paper():
    image = np.full((600, 600, 3), 210, np.uint8)
    image[:, 330:] = 120
    return image


def number_half_in_the_shade():
    image = np.full((300, 700, 3), 215, np.uint8)
    cv2.putText(image, "4823", (60, 220), cv2.FONT_HERSHEY_SIMPLEX, 6, (45, 40, 50), 14, cv2.LINE_AA)
    image[:, 330:] //= 2
    return image


def soft_shadow():
    image = np.full((400, 700, 3), 215, np.uint8)
    cv2.putText(image, "52", (60, 270), cv2.FONT_HERSHEY_SIMPLEX, 6, (45, 40, 50), 14, cv2.LINE_AA)
    return (image * np.clip(np.linspace(3, 0.5, 700), 0.5, 1)[:, None]).astype(np.uint8)


@pytest.mark.parametrize(
    "make",
    [light_zero, bold_seven, shaded_paper, number_half_in_the_shade, soft_shadow, lambda: np.full((500, 500, 3), 200, np.uint8)],
)
def test_other_images_stay_as_they_are(make):
    image = make()
    assert sheet.find_sheet(image) is None and sheet.paint_over_desk(image) is image


def test_number_half_in_the_shade_is_read_whole():
    assert read_image(number_half_in_the_shade())["text"] == "4823"
