"""figures.py: what stands in the axes of each picture, and that nothing overlaps or is cut off."""
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import figures

ROOT = pathlib.Path(figures.__file__).parent


@pytest.fixture
def digits():
    """1,000 images, each of one grey (its index modulo 256), and labels 0 to 9 in turn."""
    images = np.zeros((1000, 28, 28), np.uint8) + (np.arange(1000) % 256).astype(np.uint8)[:, None, None]
    return images, np.arange(1000) % 10


def texts(figure):
    """All words in a figure, its title first."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text()]


def images_in(figure):
    """All arrays drawn as images in a figure."""
    return [np.ma.filled(image.get_array().astype(float), np.nan) for axes in figure.axes for image in axes.images]


def words_of(axes):
    """The text artists of one axes that are drawn, labels of ticks out of view left out."""
    words = [*axes.texts, axes.title, axes._left_title]
    for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
        low, high = sorted(axis.get_view_interval())
        ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels())
        words += [axis.label, *(label for place, label in ticks if low <= place <= high)]
    return words


def check_layout(figure):
    """Every word lies inside the figure, and no two words of one axes (or of the heading) overlap."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    for group in (figure.texts, *map(words_of, figure.axes)):
        words = [text for text in group if text.get_text().strip()]
        boxes = [text.get_window_extent(renderer) for text in words]
        for number, (word, box) in enumerate(zip(words, boxes)):
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, word
            for other, place in zip(words[:number], boxes[:number]):
                assert not box.padded(-0.5).overlaps(place.padded(-0.5)), (word.get_text(), other.get_text())


def records(count, known=0):
    return [{"index": i, "label": 4, "prediction": 9, "confidence": 0.99996 - i / 1000, "label_known_wrong": i < known}
            for i in range(count)]


def test_confusion_matrix():
    matrix = np.diag(np.full(10, 1135))
    matrix[4, 9], matrix[7, 1] = 12, 1
    figure = figures.confusion_matrix(matrix.tolist())
    words = texts(figure)
    assert "13 of 11,363 digits misread" in words and "most often: 4 read as 9 (12), 7 read as 1 (1)" in words
    cells = [text.get_text() for text in figure.axes[0].texts]
    assert sorted(cell for cell in cells if cell.replace(",", "").isdigit()) == ["1", *["1,135"] * 10, "12"]  # no zeros
    errors, = images_in(figure)
    assert errors[4, 9] == 12 and errors[7, 1] == 1 and np.isnan(errors).sum() == 98
    shade = figure.axes[0].images[0].to_rgba(np.array([1.0, 12.0]))[:, 1]
    assert shade[0] < 0.95 and shade[1] < shade[0]  # one error is visible, twelve are darker
    margin = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert [margin[10.05, digit] for digit in (4, 7, 9)] == ["99.0 %", "99.9 %", "100 %"]  # recall: of 1147, of 1136
    assert [margin[digit, 9.85] for digit in (9, 1, 4)] == ["99.0 %", "99.9 %", "100 %"]  # precision
    check_layout(figure)


def test_confusion_matrix_without_errors_or_with_an_absent_digit():
    figure = figures.confusion_matrix(np.diag([5] * 9 + [0]))
    assert "0 of 45 digits misread" in texts(figure) and texts(figure).count("none") == 2
    assert not any("most often" in text for text in texts(figure))
    check_layout(figure)


def test_misclassified_gallery(digits):
    figure = figures.misclassified_gallery(digits[0], records(25, known=3))
    words = texts(figure)
    assert "25 of 1,000 digits misread" in words
    assert "4 → 9  99.9 %\n#0" in words and "4 → 9  97.6 %\n#24" in words
    assert any("3 of the 25" in word for word in words)
    assert [int(image[0, 0]) for image in images_in(figure)] == list(range(25))
    framed = [patch for patch in figure.axes[0].patches if patch.get_linewidth() > 2]
    assert len(framed) == 3
    check_layout(figure)


def test_misclassified_gallery_says_what_it_leaves_out(digits):
    figure = figures.misclassified_gallery(digits[0], records(300))
    assert "300 of 1,000 digits misread, the 60 most confident shown" in texts(figure)
    assert len(images_in(figure)) == 60
    assert "blue" not in " ".join(texts(figure))
    check_layout(figure)


def test_misclassified_gallery_of_nothing(digits):
    figure = figures.misclassified_gallery(digits[0], [])
    assert "0 of 1,000 digits misread" in texts(figure) and images_in(figure) == []
    check_layout(figure)


def test_predictions_mark_wrong_ones(digits):
    images, labels = digits[0][:12], digits[1][:12]
    probabilities = np.full((12, 10), 0.02)
    probabilities[np.arange(12), labels] = 0.82
    probabilities[3] = np.roll(probabilities[3], 5)
    figure = figures.predictions(images, labels, probabilities, note="drawn by lot")
    words = texts(figure)
    assert "11 of these 12 digits read correctly" in words and "drawn by lot" in words
    assert "8  82.0 %\nlabel 3" in words and words.count("7  82.0 %") == 1
    marked = [text for text in figure.axes[0].texts if text.get_color() == figures.VERMILLION]
    assert [text.get_text() for text in marked] == ["8  82.0 %\nlabel 3"]
    check_layout(figure)


def test_certainty_is_never_rounded_up():
    assert [figures._percent(share) for share in (1, 0.99999, 0.9949, 0.5)] == ["100 %", "99.9 %", "99.5 %", "50.0 %"]


def test_sample_digits(digits):
    images = digits[1][:, None, None] * 20 + np.zeros((1000, 28, 28), np.uint8)
    figure = figures.sample_digits(images.astype(np.uint8), digits[1], per_class=5)
    mosaic, = images_in(figure)
    assert mosaic.shape == (10 * 32 - 4, 5 * 32 - 4)
    for digit in range(10):
        row = mosaic[digit * 32:digit * 32 + 28]
        assert set(np.unique(row)) == {0, digit * 20}
        assert (row == digit * 20).sum() >= 5 * 28 * 28
    assert any(word.startswith("1,000 handwritten digits, 5 of each") for word in texts(figure))
    check_layout(figure)


def test_sample_digits_with_few_and_no_images(digits):
    images, labels = digits
    keep = (labels != 4) & ((labels != 2) | (np.arange(1000) < 20))
    figure = figures.sample_digits(images[keep] | 1, labels[keep])
    mosaic, = images_in(figure)
    assert mosaic[4 * 32:4 * 32 + 28].max() == 0 and "none" in " ".join(texts(figure))
    assert mosaic[2 * 32:2 * 32 + 28, 2 * 32:].max() == 0  # two images of a 2: the rest of the row stays blank


@pytest.fixture
def history():
    return {"epoch": [1, 2, 3], "accuracy": [0.9, 0.97, 0.98], "loss": [0.4, 0.2, 0.1],
            "val_accuracy": [0.98, 0.99, 0.99], "val_loss": [0.1, 0.06, 0.05],
            "learning_rate": [1e-3, 5e-4, 0.0], "seconds": [9, 8, 8]}


def test_training_curves(history):
    figure = figures.training_curves(history)
    assert "99.00 % of the validation digits read correctly after epoch 3 of 3" in texts(figure)
    errors, losses, rates = figure.axes
    drawn = {line.get_label(): line.get_ydata() for line in errors.lines}
    assert drawn["training"] == pytest.approx([0.1, 0.03, 0.02])
    assert drawn["validation"] == pytest.approx([0.02, 0.01, 0.01])
    assert losses.lines[0].get_ydata() == pytest.approx(history["loss"])
    assert rates.lines[0].get_ydata() == pytest.approx(history["learning_rate"])
    ring = errors.lines[-1]
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([3], pytest.approx([0.01]))  # of two, the lower loss
    check_layout(figure)


def test_training_curves_of_one_perfect_epoch(history):
    one = {column: [1.0] if "accuracy" in column else values[:1] for column, values in history.items()}
    figure = figures.training_curves(one)
    assert "100.00 % of the validation digits read correctly after epoch 1 of 1" in texts(figure)
    assert np.isfinite(figure.axes[0].get_ylim()).all()
    check_layout(figure)


def test_reliability_diagram():
    bins = [dict(lower=0.4, upper=0.6, images=20, confidence=0.5, accuracy=0.45, accuracy_interval=[0.25, 0.65]),
            dict(lower=0.9, upper=1.0, images=9980, confidence=0.99, accuracy=1.0, accuracy_interval=[0.99, 1.0])]
    figure = figures.reliability_diagram(bins, 0.0123)
    assert "Confidence is off by 1.23 points on average" in texts(figure) and "9,980" in texts(figure)
    upper, lower = figure.axes
    points = [container.lines[0].get_xydata()[0].tolist() for container in upper.containers]
    assert points == [[0.5, 0.45], [0.99, 1.0]]
    assert [bar.get_height() for bar in lower.patches] == [20, 9980]
    check_layout(figure)


def test_filters():
    kernels = np.arange(3 * 3 * 16, dtype=float).reshape(3, 3, 1, 16) - 72
    figure = figures.filters(kernels, "conv_1a")
    assert "16 kernels of 3x3: conv_1a" in texts(figure)
    mosaic = images_in(figure)[0]
    assert set(np.unique(mosaic[:24, :24])) == set(kernels[:, :, 0, 0].ravel())  # the first kernel, enlarged 8 times
    assert mosaic[0, 27] == kernels[0, 0, 0, 1] and np.isnan(mosaic[:, 24]).all()
    image = figure.axes[0].images[0]
    assert image.norm.vmin == -image.norm.vmax == -72  # zero is white
    check_layout(figure)


def test_feature_maps(digits):
    maps = np.zeros((26, 26, 20))
    maps[5, 6, 1] = 3.0
    figure = figures.feature_maps(digits[0][200], [("relu_1a", maps), ("pool_1", maps[::2, ::2, :8] + 7)], label=7)
    words = texts(figure)
    assert "What the first layers see in this 7" in words
    assert "relu_1a: 12 of 20 maps, 26x26" in words and "pool_1: 8 of 8 maps, 13x13" in words
    digit, first, second = images_in(figure)
    assert (digit == 200).all()
    assert first.max() == 1 and (first == 1).sum() == 4 * 4  # one pixel, four times enlarged, on its own scale
    assert set(np.unique(second)) == {0, 0.25}  # flat maps are white, frames grey
    check_layout(figure)


def test_no_display_and_no_pyplot_are_needed():
    code = "import sys, figures; figures.training_curves; print('matplotlib.pyplot' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert result.stdout == "False\n"
