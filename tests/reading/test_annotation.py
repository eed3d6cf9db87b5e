"""Annotated copies: what is drawn, where, how large, and what it never covers."""

import os

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFont

import compose
import predict
from digits.reading import annotation, label_places

SURE, REFUSED = annotation.SURE, annotation.REFUSED


def annotate(folder, *images):
    """Write images of (H, W, 3) uint8 and their annotated copies. Returns the copies as arrays."""
    for place, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{place}.png")
    assert predict.main([str(folder), "--annotate", str(folder / "out")]) == 0
    return [np.asarray(Image.open(folder / "out" / f"{place}.png")) for place in range(len(images))]


def has(image, colour):
    return bool((image == colour).all(axis=2).any())


def page_of_digits(mnist, rows, columns, distance):
    """Return a page of MNIST's digits, 40 pixels high, their corners `distance` apart."""
    coverage = np.zeros((rows * distance + 60, columns * distance + 60))
    for place in range(rows * columns):
        compose.paste(coverage, mnist.x_test[place], 30 + place % columns * distance, 30 + place // columns * distance, 40)
    return compose.write(coverage, compose.paper(coverage.shape))


@pytest.mark.slow
@pytest.mark.parametrize("distance", [52, 78])
def test_a_page_of_digits_keeps_its_size_and_its_writing(mnist, tmp_path, distance, capsys):
    image = page_of_digits(mnist, 12, 12, distance)
    (drawn,) = annotate(tmp_path, image)
    assert drawn.shape[1] < 1.3 * image.shape[1] and drawn.shape[0] < 3 * image.shape[0]
    ink = image.max(axis=2) < 70
    _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(drawn, image, cv2.TM_CCOEFF_NORMED))
    assert likeness > 0.3, "the page is not in its annotated copy at its own size"
    part = drawn[y : y + image.shape[0], x : x + image.shape[1]].astype(int)
    covered = np.abs(part - image).max(axis=2)[ink] > 40
    assert covered.mean() < 0.02  # by the lines of boxes that overlap


def test_what_was_refused_is_shown(tmp_path, capsys):
    number = compose.write(compose.number("2026"), compose.paper((120, 400)))
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    blot = compose.paper((120, 120))
    blot[40:80, 40:80] = 30
    drawn = annotate(tmp_path, number, blot, noise)
    assert "0.png: 2026" in (said := capsys.readouterr().out) and said.count("no digit found") == 2
    assert [has(image, SURE) for image in drawn] == [True, False, False]
    assert [has(image, REFUSED) for image in drawn[:2]] == [False, True]


def test_odd_shapes(tmp_path, capsys):
    annotate(tmp_path, *(np.full((*size, 3), 230, np.uint8) for size in ((100, 80), (1, 1), (1, 3000), (3000, 1))))
    assert predict.main([str(tmp_path), "--single", "--annotate", str(tmp_path / "out")]) == 0


def test_long_names_and_numbers_are_broken_into_lines(mnist, tmp_path, capsys):
    Image.fromarray(page_of_digits(mnist, 1, 30, 50)).save(tmp_path / f"{'long name ' * 20}.png")
    assert predict.main([str(tmp_path), "--annotate", str(tmp_path / "out")]) == 0
    (name,) = os.listdir(tmp_path / "out")
    assert Image.open(tmp_path / "out" / name).width < 1800


def test_labels_cover_neither_what_is_taken_nor_one_another():
    generator = np.random.default_rng(1)
    corners = generator.integers(20, 480, (60, 2))
    boxes = np.hstack([corners, corners + generator.integers(5, 40, (60, 2))])
    taken = np.zeros((520, 520), bool)
    for x0, y0, x1, y1 in boxes:
        taken[y0:y1, x0:x1] = True
    fonts = [ImageFont.load_default(size) for size in (20, 11)]
    places = label_places.place_labels(boxes, [(f"{number} 99.9%", str(number)) for number in range(60)], taken, fonts)
    assert sum(place is not None for place in places) > 40
    for place in filter(None, places):
        x0, y0, x1, y1 = place.area
        assert min(x0, y0) >= 0 and max(x1, y1) < 520
        assert not taken[y0 : y1 + 1, x0 : x1 + 1].any()
        taken[y0 : y1 + 1, x0 : x1 + 1] = True


def test_a_file_that_is_no_annotated_copy_is_kept(tmp_path, capsys):
    from digits.support.messages import UserError

    annotate(tmp_path, compose.paper((60, 60)))
    before = (tmp_path / "out" / "0.png").read_bytes()
    annotate(tmp_path, compose.paper((90, 60)))  # an annotated copy is replaced
    assert (tmp_path / "out" / "0.png").read_bytes() != before
    mine = (tmp_path / "0.png").read_bytes()
    (tmp_path / "out" / "0.png").write_bytes(mine)
    with pytest.raises(UserError, match="0.png exists and is no annotated copy; choose another folder"):
        predict.main([str(tmp_path), "--annotate", str(tmp_path / "out")])
    assert (tmp_path / "out" / "0.png").read_bytes() == mine
