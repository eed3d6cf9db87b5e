"""Reading numbers with the shipped network, and the reader's decisions with a network made for the test."""

import cv2
import numpy as np
import pytest

import compose
from digits.inference.runtimes import load_network
from digits.reading import candidates, words
from digits.reading.decoding import DigitReader, choose_numbers


@pytest.fixture(scope="module")
def network():
    return load_network()


@pytest.fixture(scope="module")
def reader(network):
    return DigitReader(network)


def text(reader, image, **options):
    return reader.read([image], **options)[0]["text"]


def stub(images):
    """A network that is sure of a 1 everywhere."""
    return np.tile(np.eye(10, dtype=np.float32)[1], (len(images), 1))


@pytest.mark.parametrize("lines", [["1974", "2063", "5587"], ["9174", "5038"], ["395", "182"]], ids=" ".join)
def test_tails_that_touch_the_line_below(reader, lines):
    coverage = np.zeros((80 + 86 * len(lines), 260))
    for row, digits in enumerate(lines):
        for column, digit in enumerate(digits):
            long = row == 0 and column % 2 == 0
            compose.draw(coverage, int(digit), 20 + 55 * column, 20 + 86 * row, 80 if long else 60, width=45)
    assert text(reader, compose.write(coverage, compose.paper(coverage.shape))) == " ".join(lines)


def test_two_lines_are_read_from_top_to_bottom(reader):
    coverage = np.maximum(compose.number("362", (260, 420), y=20), compose.number("5804", (260, 420), y=150))
    assert text(reader, compose.write(coverage, compose.paper((260, 420)))) == "362 5804"


def test_page_of_numbers(reader):
    rows = [
        "36205804918",
        "20486273615",
        "90311762548",
        "58130429676",
        "74062951830",
        "13579246801",
        "86420975313",
        "50617283942",
        "27182818284",
    ]
    coverage = np.zeros((900, 900))
    for number, row in enumerate(rows):
        coverage = np.maximum(coverage, compose.number(row, coverage.shape, 60, y=30 + 95 * number))
    assert text(reader, compose.write(coverage, compose.paper(coverage.shape))).split() == rows


def test_a_doubtful_digit_makes_the_whole_number_unsure():
    """The confidence is that of the whole number, and one threshold decides."""

    def network(images):
        answers = np.tile(np.eye(10)[3] * 0.999 + 0.0001, (len(images), 1))
        answers[0] = np.full(10, 0.3 / 9) + np.eye(10)[3] * (0.7 - 0.3 / 9)
        return answers

    image = compose.write(compose.number("33333", (120, 640), gap=1.6), compose.paper((120, 640)))
    (record,) = DigitReader(network).read([image])
    assert record["text"] == "33333" and record["unsure"] and 0.4 < record["confidence"] < 0.75
    (record,) = DigitReader(network, min_confidence=0.4).read([image])
    assert record["text"] == "33333" and not record["unsure"]


@pytest.mark.parametrize("rise", [-25, 25])
def test_slanted_line_is_one_number(reader, rise):
    coverage = compose.number("2635", (260, 420), 70, gap=1.1, rise=rise, y=130 - 1.5 * rise)
    assert text(reader, compose.write(coverage, compose.paper((260, 420)))) == "2635"


@pytest.mark.parametrize("gaps, wanted", [((55, 225, 80), "36 25"), ((60, 60, 60), "3625"), ((140, 140, 140), "3625")])
def test_wide_gaps_are_kept_as_a_space(reader, gaps, wanted):
    coverage = np.zeros((120, 600))
    for digit, x in zip((3, 6, 2, 5), np.cumsum((20, *gaps))):
        compose.draw(coverage, digit, x, 25, 70)
    assert text(reader, compose.write(coverage, compose.paper((120, 600)))) == wanted


@pytest.mark.parametrize("wanted", ["00", "36", "52", "86"])
def test_touching_digits(reader, wanted, shipped_model):
    gap = {"00": 0.56, "36": 0.44, "52": 0.48, "86": 0.46}[wanted]
    coverage = compose.number(wanted, (120, 300), 80, gap=gap, x=40, y=20)
    compose.draw(coverage, 4, 200, 20, 80)
    assert cv2.connectedComponents((coverage > 0.5).astype(np.uint8))[0] == 3
    assert text(reader, compose.write(coverage, compose.paper((120, 300)))) == wanted + "4"


def test_a_number_that_must_be_cut_throughout_is_unsure(reader):
    """Alone, two halves of one stroke that look like digits may be a letter."""
    coverage = compose.number("86", (120, 200), 80, gap=0.46, x=40, y=20)
    (record,) = reader.read([compose.write(coverage, compose.paper((120, 200)))])
    assert record["text"] == "86" and record["unsure"]


@pytest.mark.slow
def test_pairs_of_digits_pushed_together(mnist, reader, shipped_model):
    """Most are read, and nearly all that are misread are unsure."""
    generator, right, wrong = np.random.default_rng(2), 0, 0
    for _ in range(60):
        pair = generator.integers(len(mnist.x_test), size=2)
        left, other = (image[:, image.any(axis=0)] for image in mnist.x_test[pair])
        overlap = int(generator.integers(1, 5))
        coverage = np.zeros((28, left.shape[1] + other.shape[1] - overlap))
        coverage[:, : left.shape[1]] = left
        coverage[:, left.shape[1] - overlap :] = np.maximum(coverage[:, left.shape[1] - overlap :], other)
        coverage = cv2.resize(np.pad(coverage, 10), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC).clip(0, 255) / 255
        (record,) = reader.read([compose.write(coverage, compose.paper(coverage.shape))])
        same = record["text"].replace(" ", "") == "".join(str(mnist.y_test[i]) for i in pair)
        right, wrong = right + same, wrong + (not same and record["text"] != "" and not record["unsure"])
    assert right >= 27 and wrong <= 3


def test_broken_five_is_one_digit(reader):
    coverage = compose.number("25", (120, 200), 80, x=30, y=20)
    coverage[28:32, 110:] = 0
    assert cv2.connectedComponents((coverage > 0.5).astype(np.uint8))[0] == 4
    assert text(reader, compose.write(coverage, compose.paper((120, 200)))) == "25"


def test_blots_are_no_digits():
    """A network that takes everything for a 1 is not believed where there is no stroke."""
    image = compose.paper((200, 200))
    cv2.circle(image, (100, 100), 50, (20, 20, 20), -1)
    assert text(DigitReader(stub), image) == ""
    image = compose.paper((200, 200))
    cv2.line(image, (100, 40), (100, 160), (20, 20, 20), 12)
    assert text(DigitReader(stub), image) == "1"


@pytest.mark.parametrize("lean", [-2, 2, 4])
def test_a_1_of_a_broad_nib_in_a_small_bitmap_is_no_blot(reader, lean):
    page = np.zeros((32, 32), np.uint8)
    cv2.line(page, (16 + lean, 7), (16, 25), 255, 12, cv2.LINE_AA)
    page = np.where(page > 127, 255, 0).astype(np.uint8)
    assert text(reader, np.repeat(255 - page[..., None], 3, axis=2)) == "1"


def test_record_of_a_number(network, reader):
    image = compose.write(compose.number("307", (120, 300)), compose.paper((120, 300)))
    (record,) = reader.read([image], top_k=4)
    assert record["text"] == "307" and [digit["digit"] for digit in record["digits"]] == [3, 0, 7]
    assert record["confidence"] == pytest.approx(np.prod([digit["confidence"] for digit in record["digits"]]), abs=0.03)
    assert (record["unsure"], record["separators"], record["guess"], record["notes"]) == (False, [], None, [])
    assert record["images"].shape == (3, 28, 28)
    for digit, image in zip(record["digits"], record["images"]):
        assert [len(digit["top"]), digit["top"][0]] == [4, [digit["digit"], digit["confidence"]]]
        assert network(image[None])[0].argmax() == digit["digit"]
        x0, y0, x1, y1 = digit["box"]
        assert all(type(value) is int for value in digit["box"]) and 0 <= x0 < x1 <= 300 and 0 <= y0 < y1 <= 120


def test_many_images_are_read_as_each_alone_with_one_call(network):
    calls = []
    reader = DigitReader(lambda images: calls.append(len(images)) or network(images))
    images = [compose.write(compose.number(word, (120, 300)), compose.paper((120, 300))) for word in ("31", "8", "264")]
    layouts = [candidates.find_candidates(image) for image in images]
    together = reader.read_layouts(layouts)
    assert len(calls) == 1 and [record["text"] for record in together] == ["31", "8", "264"]
    assert [record["text"] for image in images for record in reader.read([image])] == ["31", "8", "264"]
    assert reader.read_layouts([]) == []


def test_min_confidence_decides(network):
    def doubtful(images):
        return np.full((len(images), 10), 0.1 / 9, np.float32) + (0.9 - 0.1 / 9) * np.eye(10, dtype=np.float32)[7]

    image = compose.write(compose.number("7", (120, 120)), compose.paper((120, 120)))
    (record,) = DigitReader(doubtful).read([image])
    assert record["text"] == "7" and record["unsure"] and 0.05 < record["confidence"] < 0.8
    assert not DigitReader(doubtful, min_confidence=record["confidence"]).read([image])[0]["unsure"]
    assert DigitReader(doubtful, min_confidence=1).read([image], single=True)[0]["text"] == "7"


@pytest.mark.parametrize("cut", [0, 2])
@pytest.mark.parametrize("invert", [False, True])
def test_a_number_that_touches_the_edges_of_its_crop_is_read_whole(reader, cut, invert):
    coverage = compose.number("38059", (200, 600), 120, x=40, y=40, gap=0.8)
    rows, columns = np.flatnonzero((coverage > 0.5).any(axis=1)), np.flatnonzero((coverage > 0.5).any(axis=0))
    tight = coverage[rows[0] + cut : rows[-1] + 1 - cut, columns[0] + cut : columns[-1] + 1 - cut]
    image = compose.write(tight, compose.paper(tight.shape))
    assert reader.read([255 - image if invert else image])[0]["text"] == "38059"


@pytest.mark.parametrize("side", [16, 24])
def test_small_tight_crops_of_one_digit_are_no_photographs(mnist, reader, side):
    """The rim of grey around such a digit is half ink, and no clutter."""
    images = []
    for image in mnist.x_test[:150]:
        rows, columns = np.flatnonzero(image.max(axis=1) > 60), np.flatnonzero(image.max(axis=0) > 60)
        tight = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        size = [max(1, round(length * side / max(tight.shape))) for length in tight.shape[::-1]]
        images.append(np.repeat(cv2.resize(tight, size, interpolation=cv2.INTER_AREA)[..., None], 3, axis=2))
    records = reader.read(images)
    assert sum(record["text"] == str(label) for record, label in zip(records, mnist.y_test)) >= 140


def test_a_single_digit_can_be_unsure():
    def network(images):
        return np.full((len(images), 10), 0.07, np.float32) + 0.3 * np.eye(10, dtype=np.float32)[7]

    image = compose.write(compose.number("7", (120, 120)), compose.paper((120, 120)))
    (record,) = DigitReader(network).read([image], single=True)
    assert record["text"] == "7" and record["unsure"] and record["confidence"] == pytest.approx(0.37, abs=0.01)


def test_what_is_too_uncertain_is_a_guess():
    def network(images):
        narrow = images.any(axis=1).sum(axis=1) < 15  # no digit is all of the number
        return np.where(narrow[:, None], 0.07 + 0.3 * np.eye(10)[7], 0.1)

    image = compose.write(compose.number("77", (120, 180)), compose.paper((120, 180)))
    (record,) = DigitReader(network).read([image])
    assert (record["text"], record["confidence"], record["unsure"], record["digits"]) == ("", None, False, [])
    assert record["guess"]["text"] == "77" and 0 < record["guess"]["confidence"] < 0.1


@pytest.mark.parametrize("other, confidence", [(8, 0.5), (3, 1.0)])
def test_versions_that_read_otherwise_lower_the_confidence(other, confidence):
    """Two versions of one image that are as probable as each other: 3, and another digit or the same."""
    box = np.array([[0, 0, 20, 28]], np.int32)
    lines = [candidates.Line(version, 0.0, np.ones(1), box, np.zeros(1, bool), [(0, 0)], []) for version in (0, 1)]
    members = [candidates.Candidate(version, 0, 0, 0.0, 0.0, 1.0, 0.1) for version in (0, 1)]
    layout = candidates.Layout(np.ones((2, 28, 28), np.uint8), box.repeat(2, axis=0), members, lines, 0.0)
    (number,), _ = choose_numbers(layout, [3, other], [0.999, 0.999])
    assert number.confidence == pytest.approx(confidence, abs=0.02)


@pytest.mark.parametrize("cost, read", [(120.0, False), (2.0, True)])
def test_a_version_that_is_all_but_impossible_is_not_read(cost, read):
    """Letters, of which none is a digit; but all the ink of the page together is taken for a 7."""
    box = np.array([[0, 0, 20, 28]], np.int32)
    lines = [candidates.Line(k, k * cost, np.ones(1), box, np.zeros(1, bool), [(0, 0)], []) for k in (0, 1)]
    members = [candidates.Candidate(k, 0, 0, 0.0, 0.0, 1.0, 0.1) for k in (0, 1)]
    layout = candidates.Layout(np.ones((2, 28, 28), np.uint8), box.repeat(2, axis=0), members, lines, 0.0)
    numbers, _ = choose_numbers(layout, [3, 7], [0.1, 0.999])
    assert any(number.confidence > 0.9 for number in numbers) == read


def test_dynamic_programming_takes_the_likeliest_pieces():
    """Two pieces that are each sure as a digit beat their union, and the other way round."""
    pieces = [
        candidates.Candidate(0, 0, 0, 0, 0, 1, 0.1),
        candidates.Candidate(0, 0, 1, 0, 0, 1, 0.1),
        candidates.Candidate(0, 1, 1, 0, 0, 1, 0.1),
    ]
    for sure, wanted in (([0.9, 0.6, 0.9], [0, 2]), ([0.6, 0.9, 0.6], [1])):
        _, word = words.read_word(0, 0, 1, np.ones(2), 0, [0, 1, 2], pieces, [1, 2, 3], sure)
        assert word.chosen == wanted and 0.5 < word.share < 1


def composed_images(mnist, count, generator):
    """MNIST's test digits on all kinds of paper, as numbers of one to four digits. Yields (image, text)."""
    for index in range(count):
        height = int(generator.integers(28, 120))
        size = (int(height * generator.uniform(1.6, 2.5)), int(height * 7))
        coverage, x, labels = np.zeros(size), int(height * 0.4), ""
        for _ in range(generator.integers(1, 5)):
            k = int(generator.integers(10000))
            y = int((size[0] - height) / 2 + generator.uniform(-0.1, 0.1) * height)
            x += compose.paste(coverage, mnist.x_test[k], x, y, height) + int(height * generator.uniform(0.2, 0.5))
            labels += str(mnist.y_test[k])
        colours = [generator.integers(150, 256, 3), generator.integers(0, 70, 3)]
        if index % 4 == 0:
            colours.reverse()  # chalk on a blackboard
        sheet = compose.paper(
            size, colours[0], generator.uniform(0, 0.5), generator.choice([0, 0.25]), generator.uniform(0, 5), generator
        )
        if index % 5 == 0 and index % 4:
            sheet = compose.rule(sheet, int(size[0] * 0.45), (150, 170, 210), index % 2 == 0)
        image = compose.write(coverage, sheet, colours[1])
        if index % 3 == 0:
            image = compose.jpeg(image, 40)
        yield image, labels


@pytest.mark.slow
def test_accuracy_on_500_composed_images(mnist, reader):
    images, labels = zip(*composed_images(mnist, 500, np.random.default_rng(11)))
    right = [record["text"] == label for record, label in zip(reader.read(list(images)), labels)]
    assert np.mean(right) >= 0.95


def test_single_digits_of_mnist_survive_the_finder(mnist, network, reader):
    images, labels = mnist.x_test[:500], mnist.y_test[:500]
    direct = network(images).argmax(axis=1) == labels
    read = [record["text"] == str(label) for record, label in zip(reader.read(list(images), single=True), labels)]
    assert np.mean(read) >= np.mean(direct) - 0.006


def test_a_word_that_nearly_is_a_number_makes_the_others_of_its_line_unclear():
    letters = [words.Word(0, i, i, [0], 1.0, 0.0, 1.0, 1.0, 0, -9.0) for i in range(4)]
    four, one = (words.Word(0, 4 + k, 4 + k, [0], 1.0, 0.0, 1.0, 1.0, 0, evidence) for k, evidence in enumerate((1.5, 0.0)))
    (alone,) = words.find_numbers([*letters, four], [0.99])
    (beside,) = words.find_numbers([*letters, four, one], [0.99])
    assert beside.word.first == alone.word.first == 4
    assert alone.confidence > 0.7 and beside.confidence < 0.65 * alone.confidence
