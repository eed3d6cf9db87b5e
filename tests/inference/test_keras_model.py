"""digits/inference/keras_model.py: a saved model is loaded with the same bits, and a damaged answer is refused."""

import os

import numpy as np
import pytest

from digits.inference import keras_model, runtimes
from digits.support import files
from digits.support.messages import UserError
from helpers import full_disk, run_code


def test_saved_and_reloaded_gives_the_same_bits(tiny, tiny_path, mnist):
    loaded, images = keras_model.load_model(str(tiny_path)), mnist.x_test[:200]
    assert loaded.count_params() == tiny.count_params()
    assert np.array_equal(keras_model.predict(loaded, images), keras_model.predict(tiny, images))


@pytest.mark.slow
def test_the_way_to_load_a_model_is_in_model_py_too(tiny_path):
    """And nothing appears on standard error, which TensorFlow fills at its start."""
    done = run_code("import sys\nfrom model import load_model\nprint(load_model(sys.argv[1]).name)", tiny_path)
    assert (done.stdout, done.stderr) == ("mnist_cnn\n", "")


@pytest.mark.parametrize("given, answer", [((28, 28, 1), 9), ((28, 28, 3), 10), ((32, 32, 1), 10)])
def test_other_shapes_are_refused(given, answer, tmp_path):
    import keras

    other = keras.Sequential([keras.Input(given), keras.layers.Flatten(), keras.layers.Dense(answer)])
    other.save(tmp_path / "x.keras")
    with pytest.raises(UserError, match="x.keras .*28x28"):
        keras_model.load_model(tmp_path / "x.keras")


def test_litert_export_answers_alike(tiny, mnist, tmp_path):
    keras_model.export_litert(tiny, tmp_path / "x.tflite")
    answers = runtimes.LiteRTNetwork(tmp_path / "x.tflite")(mnist.x_test[:50])
    assert np.abs(answers - keras_model.predict(tiny, mnist.x_test[:50])).max() < 1e-5


def test_litert_export_on_a_full_disk(tiny, tmp_path):
    """TensorFlow writes through its own library, in the system's temporary folder."""
    with pytest.raises(UserError, match="cannot write"), full_disk(10), files.atomic_write(tmp_path / "x.tflite") as temporary:
        keras_model.export_litert(tiny, temporary)
    assert os.listdir(tmp_path) == []
