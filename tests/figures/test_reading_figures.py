"""digits/figures/reading.py: what stands in the axes of each figure, and that nothing overlaps or is cut off."""

import numpy as np

from digits.figures import reading
from digits.reading import trace
from layout import check_layout, images_in, texts


def test_normalisation_marks_box_and_centre():
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 9:19] = 255
    figure = reading.normalisation(np.ones((40, 20)), image)
    (box,) = figure.axes[1].patches
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((8.5, 3.5), 10, 20)
    assert figure.axes[1].lines[-1].get_xydata().tolist() == [[13.5, 13.5]]
    assert any("the digit 10 x 20" in word for word in texts(figure))
    check_layout(figure)
    check_layout(reading.normalisation(np.ones((40, 20)), np.zeros((28, 28), np.uint8)))


def steps(count):
    """The stages of a made-up image with so many digits."""
    boxes = np.array([[10 + 30 * k, 10, 30 + 30 * k, 50] for k in range(count)]).reshape(-1, 4)
    strokes = np.zeros((60, 400), np.int32)
    strokes[10:50, 10:30], strokes[55, :] = 1, -1
    return trace.Steps(
        photo=np.full((60, 400, 3), 200, np.uint8),
        paper=np.full((60, 400, 3), 210, np.uint8),
        strength=np.ones((60, 400), np.float32),
        mask=strokes != 0,
        strokes=strokes,
        candidates=np.repeat(boxes, 2, axis=0),
        boxes=boxes,
        images=np.full((count, 28, 28), 99, np.uint8),
        digits=[4] * count,
        confidences=[0.98765] * count,
        text="4" * count,
        confidence=0.98765**count if count else None,
    )


def test_reading_stages():
    figure = reading.reading_stages(steps(3), "my_photo.jpg")
    words = texts(figure)
    assert "How an image is read: 444 (96.3 %)" in words and "my_photo.jpg, step by step" in words
    assert "6  blue: 3 of 6 candidates are digits" in words and words.count("4  98.8 %") == 3
    assert "5  connected strokes; pale: removed" in words
    drawn = images_in(figure)
    assert len(drawn) == 6 + 3 and (drawn[1] == 210).all() and (drawn[-1] == 99).all()
    stroke, line, paper = (tuple(drawn[4][at]) for at in ((20, 20), (55, 5), (0, 0)))
    assert len({stroke, line, paper}) == 3 and line == (205,) * 3 and paper == (255,) * 3
    check_layout(figure)


def test_reading_stages_without_a_digit():
    figure = reading.reading_stages(steps(0))
    assert "How an image is read: no digit found" in texts(figure) and len(images_in(figure)) == 6
    check_layout(figure)
