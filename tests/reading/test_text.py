"""Text is not a number: pages, words among numbers, and signs between digits."""

import pathlib

import cv2
import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import compose
from digits.inference.runtimes import load_network
from digits.reading import sign_parts, signs
from digits.reading.decoding import DigitReader
from digits.reading.strokes import label_strokes

FONTS = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"
LETTER = (
    "Dear Madam, thank you for your kind letter of last week. I was glad to hear that all of you are well and that the "
    "garden has come through the long winter. We shall go to the sea in summer if it is as hot as it was a year ago; so I "
    "will ask my sister to look after the house. Is Oliver still ill? Give him our love and tell him to stay in bed."
)
HEIGHT = 60


@pytest.fixture(scope="module")
def reader():
    return DigitReader(load_network())


def read(reader, coverage):
    return reader.read([compose.write(coverage, compose.paper(coverage.shape))])[0]


def page(font, size=32, width=1000):
    """Coverage of a letter, in a font of Matplotlib's (a name) or of OpenCV's (a number)."""
    if isinstance(font, str):
        face = ImageFont.truetype(FONTS / font, size)
        measure = face.getlength
    else:
        measure = lambda text: cv2.getTextSize(text, font, size / 30, 2)[0][0]  # noqa: E731
    rows = [""]
    for word in LETTER.split():
        if measure(f"{rows[-1]} {word}") > width - 80:
            rows.append("")
        rows[-1] = f"{rows[-1]} {word}".strip()
    image = Image.new("L", (width, 80 + round(1.6 * size) * len(rows)))
    if isinstance(font, str):
        for k, row in enumerate(rows):
            ImageDraw.Draw(image).text((40, 40 + k * 1.6 * size), row, 255, face)
        return np.asarray(image) / 255
    array = np.array(image)
    for k, row in enumerate(rows):
        cv2.putText(array, row, (40, round(40 + (k + 0.8) * 1.6 * size)), font, size / 30, 255, 2, cv2.LINE_AA)
    return array / 255


PAGES: list[str | int] = ["DejaVuSans.ttf", "DejaVuSerif.ttf", "STIXGeneral.ttf", "STIXGeneralItalic.ttf", "cmr10.ttf"]
PAGES += [cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX]


@pytest.mark.slow
def test_pages_of_text_hold_no_number(reader, shipped_model):
    records = [read(reader, page(font)) for font in PAGES]
    assert [record["text"] for record in records].count("") >= len(PAGES) - 1
    assert all(record["unsure"] for record in records if record["text"])
    assert all("taken for no digit" in record["notes"][0] for record in records)


def line(parts):
    """Coverage of a line of words in DejaVu Sans and of numbers in digits drawn with a pen."""
    face = ImageFont.truetype(FONTS / "DejaVuSans.ttf", round(HEIGHT / 0.73))
    coverage, x = np.zeros((3 * HEIGHT, 2400)), 40.0
    for part in parts:
        if part.isdigit():
            for character in part:
                compose.draw(coverage, int(character), x, HEIGHT, HEIGHT, pen=7)
                x += 0.8 * HEIGHT
        else:
            image = Image.new("L", coverage.shape[::-1])
            ImageDraw.Draw(image).text((x, HEIGHT - face.getbbox("H")[1]), part, 255, face)
            np.maximum(coverage, np.asarray(image) / 255, out=coverage)
            x += face.getlength(part)
        x += 0.7 * HEIGHT
    return coverage[:, : int(x) + 20]


@pytest.mark.parametrize(
    "parts, wanted",
    [
        (["Total:", "42", "apples", "and", "17", "pears"], "42 17"),
        (["We", "had", "328", "guests"], "328"),
        (["Score:", "24", "to", "38"], "24 38"),
        (["Room", "305", "call", "0171", "2345678"], "305 0171 2345678"),
        (["Flat", "6", "is", "on", "floor", "9"], "6 9"),
        (["He", "is", "67", "and", "she", "is", "59"], "67 59"),
    ],
)
def test_numbers_among_words(reader, parts, wanted, shipped_model):
    record = read(reader, line(parts))
    assert record["text"] == wanted
    assert record["notes"] and all("taken for no digit" in note for note in record["notes"])


@pytest.mark.parametrize("parts", [["euro", "4", "1", "3"], ["at", "6", "1", "8"], ["Room", "46", "1"], ["the", "7", "1"]])
def test_a_1_that_stands_apart_is_not_lost_surely(reader, parts, shipped_model):
    record = read(reader, line(parts))
    assert record["unsure"] or record["text"].replace(" ", "") == "".join(part for part in parts if part.isdigit())


@pytest.mark.parametrize("font", ["DejaVuSans.ttf", "STIXGeneralItalic.ttf"])
@pytest.mark.parametrize("label, number", [("Age", "96"), ("Name", "8450"), ("Page", "93"), ("Nr", "66")])
@pytest.mark.parametrize("above", [True, False], ids=["above", "below"])
def test_a_number_beside_its_label_in_another_line(reader, font, label, number, above, shipped_model):
    face = ImageFont.truetype(FONTS / font, 52)
    image = Image.new("L", (500, 260))
    ImageDraw.Draw(image).text((90, 30 if above else 165), label, 255, face)
    coverage = np.asarray(image) / 255
    for k, digit in enumerate(number):
        compose.draw(coverage, int(digit), 90 + 52 * k, 120 if above else 80, 65, pen=6)
    record = read(reader, coverage)
    assert record["text"] == number
    assert len(record["notes"]) == 1 and "taken for no digit" in record["notes"][0]


def test_a_number_below_lines_of_print_is_found(reader, shipped_model):
    text = page("DejaVuSans.ttf")[:230]
    below = np.zeros((200, text.shape[1]))
    for k, digit in enumerate("48213"):
        compose.draw(below, int(digit), 60 + 80 * k, 50, 90, pen=10)
    assert read(reader, np.vstack([text, below]))["text"] == "48213"


def stroke(coverage, points, pen=7):
    array = np.zeros(coverage.shape, np.uint8)
    cv2.polylines(array, [np.round(np.array(points) * 16).astype(np.int32)], False, 255, pen, cv2.LINE_AA, 4)
    np.maximum(coverage, array / 255, out=coverage)


SIGNS = {
    "/": [[(0.05, 1.1), (0.45, -0.1)]],
    ".": [[(0.12, 0.95), (0.14, 0.96)]],
    ",": [[(0.16, 0.93), (0.08, 1.15)]],
    ":": [[(0.12, 0.35), (0.14, 0.36)], [(0.12, 0.9), (0.14, 0.91)]],
    "-": [[(0.06, 0.52), (0.44, 0.5)]],
    "=": [[(0.04, 0.4), (0.46, 0.39)], [(0.05, 0.63), (0.47, 0.62)]],
    "+": [[(0.04, 0.55), (0.54, 0.55)], [(0.29, 0.3), (0.29, 0.8)]],
    "x": [[(0.08, 0.35), (0.5, 0.8)], [(0.5, 0.36), (0.09, 0.82)]],
    "%": [[(0.21, 1.0), (0.59, 0.0)]]
    + [[(x + 0.09 * np.sin(t), y + 0.11 * np.cos(t)) for t in np.linspace(0, 6.3, 20)] for x, y in ((0.16, 0.2), (0.68, 0.8))],
    "#": [[(0.14, 0.0), (0.08, 1.0)], [(0.4, 0.0), (0.34, 1.0)], [(-0.06, 0.34), (0.5, 0.31)], [(-0.06, 0.69), (0.5, 0.66)]],
    "$": [
        [(0.27, -0.1), (0.27, 1.1)],
        [(0.53, 0.12), (0.27, 0.02), (0.02, 0.14), (0.04, 0.36), (0.27, 0.5), (0.5, 0.64), (0.52, 0.86), (0.27, 0.98), (0.0, 0.88)],
    ],
    "(": [[(0.3, -0.1), (0.18, 0.2), (0.16, 0.5), (0.18, 0.8), (0.3, 1.1)]],
    ")": [[(0.1, -0.1), (0.22, 0.2), (0.24, 0.5), (0.22, 0.8), (0.1, 1.1)]],
}


def written(text, slant=0.0):
    """Coverage of digits and signs drawn with a pen that leans to the right by `slant` heights; a space is a gap."""
    coverage, x = np.zeros((3 * HEIGHT, 1400)), 40.0
    for character in text:
        if character.isdigit():
            compose.draw(coverage, int(character), x, HEIGHT, HEIGHT, pen=7, slant=slant)
            x += 0.8 * HEIGHT
        elif character == " ":
            x += 0.7 * HEIGHT
        else:
            for points in SIGNS[character]:
                stroke(coverage, [(x + (px + slant * (1 - py)) * HEIGHT, HEIGHT + py * HEIGHT) for px, py in points])
            x += (0.3 if character in ".,:" else 0.62) * HEIGHT
    return coverage[:, : int(x) + 40]


@pytest.mark.parametrize(
    "text, wanted",
    [
        ("12/05/2026", "12 05 2026"),
        ("3.28", "3 28"),
        ("6,250", "6 250"),
        ("12:30", "12 30"),
        ("2025-08-26", "2025 08 26"),
        ("+49 30", "49 30"),
        ("27+8", "27 8"),
        ("3x84", "3 84"),
        ("14=14", "14 14"),
        ("= 42", "42"),
        ("3+5=", "3 5"),
        ("50%", "50"),
        ("8%", "8"),
        ("#897", "897"),
        ("#4", "4"),
        ("$30", "30"),
        ("$8", "8"),
        ("(46)", "46"),
        ("(0)", "0"),
        ("(0171) 29", "0171 29"),
        ("3(1911)", "3 1911"),
        ("1) 39", "1 39"),
        ("2)415", "2 415"),
        ("12) 60", "12 60"),
    ],
)
def test_a_sign_separates_and_is_no_digit(reader, text, wanted):
    record = read(reader, written(text))
    assert record["text"] == wanted
    signs = [character for character in text if character in SIGNS]
    assert [one["sign"] for one in record["separators"]] == signs
    for one in record["separators"]:
        assert (
            one["after"] == len("".join(c for c in text[: text.index(one["sign"])] if c.isdigit())) - 1
            or signs.count(one["sign"]) == 2
        )
        x0, y0, x1, y1 = one["box"]
        assert 0 <= x0 < x1 and HEIGHT * 0.8 <= y0 < y1 <= HEIGHT * 2.3


@pytest.mark.parametrize("text, wanted", [("(46)", "46"), ("37%", "37"), ("(25) 817", "25 817")])
def test_digits_beside_signs_of_several_strokes_stay_in_order_where_writing_climbs(reader, text, wanted):
    coverage = written(text)
    climb = np.array([[1, 0, 0], [-0.05, 1, 10]], np.float32)
    record = read(reader, cv2.warpAffine(coverage, climb, coverage.shape[::-1]))
    assert record["text"] == wanted and record["separators"]


@pytest.mark.parametrize("slant", [0.3, 0.45])
@pytest.mark.parametrize("text, wanted", [("12.50", "12 50"), ("2.95", "2 95"), ("149,00", "149 00"), ("31.7.2025", "31 7 2025")])
def test_a_point_below_slanted_writing_is_found(reader, text, wanted, slant):
    record = read(reader, written(text, slant))
    assert record["text"] == wanted
    assert "".join(one["sign"] for one in record["separators"]) == "".join(c for c in text if not c.isdigit())


@pytest.mark.parametrize("text", ["12,50", "2,95", "149,00"])
def test_a_long_comma_is_found(reader, monkeypatch, text):
    monkeypatch.setitem(SIGNS, ",", [[(0.22, 0.86), (0.1, 1.22)]])
    record = read(reader, written(text))
    assert (record["text"], [one["sign"] for one in record["separators"]]) == (text.replace(",", " "), [","])


@pytest.mark.parametrize("text", ["2.7", "60.75"])
def test_a_point_below_the_bar_of_a_7_is_found(reader, monkeypatch, text):
    monkeypatch.setitem(SIGNS, ".", [[(0.36, 0.95), (0.38, 0.96)]])
    record = read(reader, written(text))
    assert (record["text"], [one["sign"] for one in record["separators"]]) == (text.replace(".", " "), ["."])


@pytest.mark.parametrize("text", ["12/05/2026", "3/8/24", "27/9/95", "25/3/2013"])
def test_two_slashes_a_little_higher_than_the_digits_part_a_date_surely(reader, monkeypatch, text):
    monkeypatch.setitem(SIGNS, "/", [[(0.1, 1.12), (0.38, -0.14)]])
    record = read(reader, written(text))
    assert (record["text"], record["unsure"]) == (text.replace("/", " "), False)


@pytest.mark.parametrize("text, wanted", [("3/4", "3 4"), ("7/8/2025", "7 8 2025")])
def test_a_slash_in_slanted_writing_is_never_surely_a_one(reader, text, wanted):
    record = read(reader, written(text, 0.5))
    assert record["text"] == wanted or record["unsure"]


def test_a_slash_no_higher_than_the_digits_is_never_surely_a_one(reader, monkeypatch):
    monkeypatch.setitem(SIGNS, "/", [[(0.05, 1.0), (0.45, 0.0)]])
    record = read(reader, written("12/05/2026"))
    assert record["text"] == "12 05 2026" or record["unsure"]


@pytest.mark.parametrize("text", ["12/05/2026", "3/8/24", "27/9/95"])
def test_steep_slashes_as_high_as_the_digits_part_a_date(reader, monkeypatch, text):
    """They look like ones; what they may be is told by how many digits stand between them."""
    monkeypatch.setitem(SIGNS, "/", [[(0.15, 1.0), (0.35, 0.0)]])
    record = read(reader, written(text))
    assert (record["text"], record["unsure"]) == (text.replace("/", " "), True)
    assert [one["sign"] for one in record["separators"]] == ["/", "/"]
    assert read(reader, written("12 5 2 6".replace(" ", "1")))["separators"] == []  # upright ones


def test_a_4_of_few_pixels_is_no_plus():
    """Its loop is full, so that it is a cross; but a plus is lower than digits."""
    rows = ["000010000", "000110000", "000110000", "001110000", "011110000", "011110000", "011110000"]
    rows += ["111111111", "111111111", "000110000", "000110000", "000110000", "000110000", "000110000"]
    cross = np.array([[cell == "1" for cell in row] for row in rows])
    digits = np.array([[0, 0, 10, 15], [30, 0, 10, 15]], float)
    assert signs.is_cross(cross)
    assert signs.name_sign(cross, np.array([15.0, 1, 9, 14]), digits, digits, 15.0) == ""
    assert signs.name_sign(cross, np.array([15.0, 5, 9, 14]), 2 * digits, 2 * digits, 30.0) == "+"


@pytest.mark.parametrize("text", ["20", "863", "42"])
def test_the_ring_of_a_degree_is_never_surely_a_0(reader, text):
    coverage = written(text + "  ")
    x = 40 + 0.8 * HEIGHT * len(text) + 10
    stroke(coverage, [(x + 10 + 10 * np.cos(t), HEIGHT + 10 + 10 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 20)])
    record = read(reader, coverage)
    assert record["text"] == text or record["unsure"]


@pytest.mark.parametrize("text", ["55%", "307%", "6%", "14%", "231%"])
@pytest.mark.parametrize("moved", [(0.12, 0.0), (0.0, -0.12), (0.12, -0.12)], ids=["upper", "lower", "both"])
def test_a_percent_whose_rings_touch_its_bar_is_no_digit(reader, monkeypatch, text, moved):
    bar = [(0.17, 1.0), (0.63, 0.0)]
    turn = np.linspace(0, 6.3, 20)
    upper, lower = ([(x + 0.15 * np.sin(t), y + 0.17 * np.cos(t)) for t in turn] for x, y in ((0.16, 0.2), (0.68, 0.8)))
    monkeypatch.setitem(SIGNS, "%", [bar, [(x + moved[0], y) for x, y in upper], [(x + moved[1], y) for x, y in lower]])
    record = read(reader, written(text))
    assert (record["text"], [one["sign"] for one in record["separators"]]) == (text[:-1], ["%"])


@pytest.mark.parametrize("text", ["55%", "307%", "6%", "14%", "231%"])
def test_a_percent_whose_filled_ring_touches_its_bar_is_never_surely_digits(reader, monkeypatch, text):
    bar, upper, lower = SIGNS["%"]
    monkeypatch.setitem(SIGNS, "%", [bar, [(x + 0.13, y) for x, y in upper], [(x + 0.04, y) for x, y in lower]])
    record = read(reader, written(text))
    assert record["text"] == text[:-1] or record["unsure"]


def test_no_digit_is_a_sign_of_several_strokes(mnist):
    """The loops of an 8 lie like the rings of a % or the holes of a $, a 4 may have the arms of a #; other ink is beside them."""
    rest = np.zeros((28, 6), np.uint8)
    rest[8:22, 2:4] = 255
    for image in mnist.x_test[:1000]:
        between = cv2.resize(np.hstack([rest, image, rest]), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        strokes = label_strokes(between > 110)
        line = np.argsort(strokes.boxes[:, 0])
        holes = sign_parts.find_holes(line, strokes)
        assert not [*sign_parts.find_percents(line, strokes, holes), *sign_parts.find_prefixes(line, strokes, holes)]


@pytest.mark.parametrize("number", ["897", "203", "4168"])
def test_a_number_beside_a_sign_that_is_not_known_is_read(reader, monkeypatch, number):
    """The sign is ink that was taken for no digit, and does not become a digit together with its neighbour."""
    arc = [(0.2 - 0.33 * np.sin(t), 0.5 - 0.5 * np.cos(t)) for t in np.linspace(-0.4, np.pi + 0.4, 20)]
    monkeypatch.setitem(SIGNS, "€", [arc, [(-0.25, 0.4), (0.2, 0.4)], [(-0.25, 0.6), (0.2, 0.6)]])
    record = read(reader, written("€" + number))
    assert record["text"] == number
    assert any("taken for no digit" in note for note in record["notes"])


@pytest.mark.parametrize("size", [0.55, 0.75])
def test_brackets_are_never_surely_ones(reader, size):
    coverage = written("  42  ")
    for x, bulge in ((75, -1), (235, 1)):
        arc = [(x + bulge * 14 * np.cos(t), 1.5 * HEIGHT + size * HEIGHT * np.sin(t)) for t in np.linspace(-1.2, 1.2, 20)]
        stroke(coverage, arc)
    record = read(reader, coverage)
    assert record["text"] == "42" or record["unsure"]


@pytest.mark.parametrize("number", ["181", "1071", "1131", "1161"])
def test_ones_that_are_curved_alike_are_no_brackets(reader, number):
    coverage = np.zeros((180, 600))
    for k, digit in enumerate(number):
        x = 40 + 60 * k
        if digit == "1":
            stroke(coverage, [(x + 15 + 5 * np.sin(t), 110 - 25 * t) for t in np.linspace(0, np.pi, 15)])
        else:
            compose.draw(coverage, int(digit), x, 50, 60, pen=7)
    record = read(reader, coverage)
    assert record["text"] == number and not record["separators"]


@pytest.mark.parametrize(
    ("places", "wanted"),
    [
        ([("8", 0), ("8", 4)], "8 8"),  # two cells of a table; where they begin, in heights
        ([("2", 0), ("6", 3.5), ("5", 7)], "2 6 5"),
        ([("25", 0), ("6", 3), ("8", 6), ("24", 9)], "25 6 8 24"),
        ([("4", 0), ("9", 1.4), ("1", 2.8), ("7", 4.2)], "4917"),  # the boxes of a form
    ],
)
def test_what_stands_far_apart_is_not_joined(reader, places, wanted):
    coverage = np.zeros((180, 900))
    for number, place in places:
        for k, digit in enumerate(number):
            compose.draw(coverage, int(digit), round(40 + 60 * (place + 0.85 * k)), 60, 60, pen=6)
    record = read(reader, coverage)
    assert (record["text"], record["unsure"]) == (wanted, False)


def test_a_minus_is_told(reader):
    record = read(reader, written("-58"))
    assert record["text"] == "58" and record["separators"][0]["sign"] == "-" and record["separators"][0]["after"] == -1
    assert any("minus" in note and "58" in note for note in record["notes"])


def test_ones_are_no_slashes(reader):
    coverage = np.zeros((180, 600))
    for k, digit in enumerate((2, 1, 1, 5)):
        compose.draw(coverage, digit, 40 + 60 * k, 60, 60, pen=7, slant=0.25)
    assert read(reader, coverage)["text"] == "2115"


def test_a_one_that_leans_far_is_no_slash(reader):
    coverage = np.zeros((180, 600))
    for k, (digit, slant) in enumerate(((2, 0.0), (0, 0.0), (1, 0.5), (9, 0.0))):
        compose.draw(coverage, digit, 40 + 60 * k, 60, 60, pen=7, slant=slant)
    record = read(reader, coverage)
    assert (record["text"], record["separators"]) == ("2019", [])
    assert record["unsure"]  # a slash as high as the digits looks the same


@pytest.mark.parametrize("height", [68, 70, 72])
def test_a_one_that_leans_and_is_a_little_higher_is_never_surely_a_slash(reader, height):
    coverage = np.zeros((180, 600))
    for k, (digit, slant) in enumerate(((4, 0.0), (5, 0.0), (1, 0.4), (8, 0.0))):
        tall = height if digit == 1 else 60
        compose.draw(coverage, digit, 40 + 60 * k, 120 - tall, tall, width=45, pen=7, slant=slant)
    record = read(reader, coverage)
    assert record["text"] == "4518" or record["unsure"]


@pytest.mark.slow
def test_digits_of_many_hands_are_no_signs(reader, mnist):
    generator = np.random.default_rng(5)
    numbers, images = [], []
    for _ in range(80):
        coverage, x, chosen = np.zeros((160, 700)), 60, generator.integers(0, len(mnist.x_test), 5)
        for i in chosen:
            height = int(generator.integers(66, 82))
            x += compose.paste(coverage, mnist.x_test[i], x, 120 - height, height) + int(generator.integers(6, 18))
        numbers.append("".join(str(mnist.y_test[i]) for i in chosen))
        images.append(compose.write(coverage, compose.paper(coverage.shape)))
    records = reader.read(images)
    # A bold 8 is no plus; a 1 that leans is a slash in one or two of a hundred.
    assert sum(bool(record["separators"]) for record in records) <= 1
    assert sum(record["text"].replace(" ", "") == number for number, record in zip(numbers, records)) >= 70
    wrong = [record for number, record in zip(numbers, records) if record["text"].replace(" ", "") != number]
    assert sum(not record["unsure"] for record in wrong) <= 2


def test_ink_that_is_no_digit_is_told_with_its_box(reader):
    coverage = compose.number("362", (200, 700), 70, x=40, y=60)
    stroke(coverage, [(450, 70), (500, 130), (450, 130), (500, 70), (430, 100), (520, 100)])
    record = read(reader, coverage)
    assert record["text"] == "362" and len(record["notes"]) == 1
    assert "taken for no digit" in record["notes"][0]
