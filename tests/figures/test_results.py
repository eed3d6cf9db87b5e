"""digits/figures/results.py: what stands in the axes of each figure, and that nothing overlaps or is cut off."""

import numpy as np
import pytest

from digits.figures import results
from layout import check_layout, images_in, texts


@pytest.fixture
def digits():
    """1,000 images, each of one grey (its index modulo 256), and labels 0 to 9 in turn."""
    images = np.zeros((1000, 28, 28), np.uint8) + (np.arange(1000) % 256).astype(np.uint8)[:, None, None]
    return images, np.arange(1000) % 10


def mistakes(count, known=0):
    return [
        {"index": i, "label": 4, "prediction": 9, "confidence": 0.99996 - i / 1000, "label_known_wrong": i < known}
        for i in range(count)
    ]


def test_confusion_matrix():
    matrix = np.diag(np.full(10, 1135))
    matrix[4, 9], matrix[7, 1] = 12, 1
    figure = results.confusion_matrix(matrix.tolist())
    words = texts(figure)
    assert "13 of 11,363 digits misread" in words and "most often: 4 read as 9 (12), 7 read as 1 (1)" in words
    cells = [text.get_text() for text in figure.axes[0].texts]
    counts = sorted(cell for cell in cells if len(cell) > 1 and cell.replace(",", "").isdigit())
    assert counts == [*["1,135"] * 10, "12"]  # no zeros
    (errors,) = images_in(figure)
    assert errors[4, 9] == 12 and errors[7, 1] == 1 and np.isnan(errors).sum() == 98
    shade = figure.axes[0].images[0].to_rgba(np.array([1.0, 12.0]))[:, 1]
    assert shade[0] < 0.95 and shade[1] < shade[0]  # one error is visible, twelve are darker
    at = {tuple(np.round(text.get_position(), 2)): text.get_text() for text in figure.axes[0].texts}
    assert [at[9, 4.27], at[4, 4.27], at[1, 7.27], at[0, 0.27]] == ["1.05 %", "98.95 %", "0.09 %", "100 %"]  # of the row
    assert [at[digit, 9.8] for digit in (9, 1, 4)] == ["99.0 %", "99.9 %", "100 %"]  # precision
    check_layout(figure)


def test_confusion_matrix_without_errors_or_with_an_absent_digit():
    figure = results.confusion_matrix(np.diag([5] * 9 + [0]))
    assert "0 of 45 digits misread" in texts(figure) and texts(figure).count("none") == 1
    assert not any("most often" in text for text in texts(figure))
    check_layout(figure)


def test_misclassified_gallery(digits):
    figure = results.misclassified_gallery(digits[0], mistakes(25, known=3))
    words = texts(figure)
    assert "25 of 1,000 digits misread" in words
    assert "4 → 9  99.9 %\n#0" in words and "4 → 9  97.6 %\n#24" in words
    assert any("in blue: 3 whose label" in word for word in words)
    assert [int(image[0, 0]) for image in images_in(figure)] == list(range(25))
    framed = [patch for patch in figure.axes[0].patches if patch.get_linewidth() > 2]
    assert len(framed) == 3
    check_layout(figure)


def test_misclassified_gallery_says_what_it_leaves_out(digits):
    figure = results.misclassified_gallery(digits[0], mistakes(300))
    assert "300 of 1,000 digits misread, the 60 most confident shown" in texts(figure)
    assert len(images_in(figure)) == 60
    assert "blue" not in " ".join(texts(figure))
    check_layout(figure)


def test_misclassified_gallery_of_nothing(digits):
    figure = results.misclassified_gallery(digits[0], [])
    assert "0 of 1,000 digits misread" in texts(figure) and images_in(figure) == []
    check_layout(figure)


def test_predictions_mark_wrong_ones(digits):
    images, labels = digits[0][:12], digits[1][:12]
    probabilities = np.full((12, 10), 0.02)
    probabilities[np.arange(12), labels] = 0.82
    probabilities[3] = np.roll(probabilities[3], 5)
    figure = results.predictions(images, labels, probabilities, note="chosen at random")
    words = texts(figure)
    assert "11 of these 12 digits read correctly" in words and "chosen at random" in words
    assert "8  82.0 %\nlabel 3" in words and words.count("7  82.0 %") == 1
    marked = [text for text in figure.axes[0].texts if text.get_color() == results.VERMILLION]
    assert [text.get_text() for text in marked] == ["8  82.0 %\nlabel 3"]
    check_layout(figure)


def test_hardest_mistakes(digits):
    probabilities = np.full((1000, 10), 0.01)
    probabilities[:, 9] = 0.91
    figure = results.hardest_mistakes(digits[0], mistakes(25, known=1), probabilities, limit=6)
    words = texts(figure)
    assert "The 6 most confident mistakes" in words
    assert "#0, wrong label 4" in words and "#5, label 4" in words and "#6, label 4" not in words
    assert [int(image[0, 0]) for image in images_in(figure)] == list(range(6))
    bars = figure.axes[1].patches
    assert [bar.get_height() for bar in bars] == pytest.approx(probabilities[0])
    colours = [bar.get_facecolor() for bar in bars]
    assert len({colours[9], colours[4], colours[0]}) == 3 and colours[0] == colours[1]
    check_layout(figure)


def test_hardest_mistakes_of_nothing(digits):
    figure = results.hardest_mistakes(digits[0], [], np.full((1000, 10), 0.1))
    assert "No mistake to show" in texts(figure) and figure.axes == []


def test_reliability_diagram():
    bins = [
        {"lower": 0.4, "upper": 0.6, "images": 20, "confidence": 0.5, "accuracy": 0.45, "accuracy_interval": [0.25, 0.65]},
        {"lower": 0.9, "upper": 1.0, "images": 9980, "confidence": 0.99, "accuracy": 1.0, "accuracy_interval": [0.99, 1.0]},
    ]
    figure = results.reliability_diagram(bins, 0.0123)
    assert "Confidence is off by 1.23 points on average" in texts(figure) and "9,980" in texts(figure)
    upper, lower = figure.axes
    points = [container.lines[0].get_xydata()[0].tolist() for container in upper.containers]
    assert points == [[0.5, 0.45], [0.99, 1.0]]
    assert [bar.get_height() for bar in lower.patches] == [20, 9980]
    check_layout(figure)
