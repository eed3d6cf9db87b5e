"""digits/reading/trace.py: the stages agree with the reader, and show what each one does."""

import numpy as np
import pytest

import compose
from digits.inference.runtimes import load_network
from digits.reading import trace
from digits.reading.reader import read_image
from digits.support import messages


@pytest.fixture(scope="module")
def network():
    return load_network()


def test_stages_end_in_the_same_reading_as_the_reader(network):
    coverage = compose.number("470", size=(700, 1900), height=330, x=120, y=150)
    photo = compose.write(coverage, compose.paper((700, 1900), gradient=0.3, grain=3, generator=np.random.default_rng(0)))
    steps, record = trace.follow(photo, network), read_image(photo)
    assert steps.text == record["text"] == "470" and steps.confidence == pytest.approx(record["confidence"], abs=1e-4)
    assert steps.digits == [4, 7, 0] and steps.images.shape == (3, 28, 28)
    scale = steps.photo.shape[1] / 1900
    assert scale < 1 and steps.boxes == pytest.approx(np.array([digit["box"] for digit in record["digits"]]) * scale)
    assert len(steps.candidates) >= 3 and steps.mask.shape == steps.strokes.shape == steps.photo.shape[:2]
    ink = np.asarray(steps.mask)
    assert steps.strength[ink].min() > 3 * np.median(steps.strength[~ink])
    assert np.abs(steps.paper[~ink].astype(int) - steps.photo[~ink]).mean() < 6  # the light falls off, the paper follows
    assert len(np.unique(steps.strokes[steps.strokes > 0])) >= 3


@pytest.mark.slow
def test_ruled_lines_are_marked_as_taken_away(network):
    sheet = compose.rule(compose.paper((240, 700)), distance=60, colour=(40, 60, 160), pen=3)
    steps = trace.follow(compose.write(compose.number("38", size=(240, 700), height=130, x=150, y=50), sheet), network)
    assert steps.text == "38"
    lines = steps.strokes[57:60, :40]
    assert (lines == -1).mean() > 0.8 and (steps.strokes[:, 150:400] > 0).any()


def test_nothing_and_images_of_mnists_own_format(network, mnist):
    blank = trace.follow(np.full((100, 150), 230, np.uint8), network)
    assert (blank.text, blank.confidence, len(blank.boxes), len(blank.candidates)) == ("", None, 0, 0)
    own = trace.follow(mnist.x_test[0], network)
    assert own.text == "7" and np.array_equal(own.images[0], mnist.x_test[0])


def test_missing_image_is_refused(network):
    with pytest.raises(messages.UserError, match="does not exist"):
        trace.follow("nowhere.jpg", network)
