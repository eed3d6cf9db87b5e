"""train.py --fine-tune: a trained model learns a hand of its own from a handful of images, and forgets none of MNIST's."""

import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

import train
from digits.inference import keras_model, model_files
from digits.support import files
from digits.support.messages import UserError
from digits.training import callbacks
from digits.training.training_data import OwnImages, TrainingData
from helpers import assert_same_weights, run


def save_images(folder, images, labels):
    """Save 28x28 images in one folder for each label, as the page does."""
    for number, (image, label) in enumerate(zip(images, labels)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{number}.png")


def tune(start, data, model, *options):
    return train.main(list(map(str, ["--fine-tune", start, "--data", data, "--model", model, *options])))


@pytest.fixture
def one_image(mnist, tmp_path):
    """A folder with one image of one digit, of which the untrained small network knows nothing."""
    save_images(tmp_path / "mine", mnist.x_test[:1], mnist.y_test[:1])
    return tmp_path / "mine"


# ---- what is learned from ----


def own(count_of_each, negatives=0):
    labels = np.repeat(np.array([*range(10), 255], np.uint8), [*count_of_each, negatives])
    images = np.broadcast_to(np.arange(len(labels), dtype=np.uint8)[:, None, None], (len(labels), 28, 28))
    return OwnImages.of(images, labels, seed=0)


def test_a_fifth_of_each_digit_is_held_out_where_there_are_enough():
    images = own([5] * 9 + [12], negatives=7)
    assert images.held_out and np.bincount(images.validation[1]).tolist() == [1] * 9 + [2]
    assert np.bincount(images.labels[images.labels < 10]).tolist() == [4] * 9 + [10] and np.sum(images.labels == 255) == 7
    assert not set(images.images[:, 0, 0]) & set(images.validation[0][:, 0, 0])


@pytest.mark.parametrize("count_of_each, negatives", [([0, 1] + [0] * 8, 0), ([4] * 10, 3), ([49] + [0] * 9, 1)])
def test_few_images_are_all_learned_from(count_of_each, negatives):
    images = own(count_of_each, negatives)
    assert not images.held_out and len(images.images) == sum(count_of_each) + negatives
    assert np.bincount(images.validation[1], minlength=10).tolist() == count_of_each  # no negatives


@pytest.mark.parametrize("count", [3, 2000])
def test_own_images_are_repeated_and_none_is_left_out(count):
    mnist = np.zeros((700, 28, 28), np.uint8), np.zeros(700, np.uint8)
    own = np.zeros((count, 28, 28), np.uint8)
    own[:, 0, :2] = np.arange(count, dtype=np.uint16).view(np.uint8).reshape(count, 2)  # no two alike
    given = OwnImages(own, np.ones(count, np.uint8), (own, np.ones(count, np.uint8)), held_out=False)
    data = TrainingData.of("mine", "", mnist, mnist, given)
    mixed = data.images[data.labels == 1]
    assert len(data.images) - len(mixed) == 700 and len(mixed) == max(count, 300)
    assert len(np.unique(mixed[:, 0, :2], axis=0)) == count


# ---- a fine-tuning from start to end ----


@pytest.mark.slow
def test_another_hand_is_learned_and_mnist_is_not_forgotten(trained, trained_path, mnist, tmp_path):
    """Six of the ten digits, ten images each, written upside down."""
    turned = mnist.x_test[:, ::-1, ::-1]
    chosen = np.concatenate([np.flatnonzero(mnist.y_test == digit)[:10] for digit in range(2, 8)])
    save_images(tmp_path / "mine", turned[chosen], mnist.y_test[chosen])
    process = run("train.py", "--fine-tune", trained_path, "--data", "mine", "--model", "x.keras", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("\n") == 1 and "may have learned from MNIST's validation images" in process.stderr  # --limit
    *_, own_line, sure_line, mnist_line, time, following = process.stdout.splitlines()
    assert own_line.startswith("own images read (too few to hold some out): ") and own_line.endswith(" of 48 after")
    assert re.fullmatch(r"own images read with a confidence of at least \d+ %: \d+ of 48 before, \d+ of 48 after", sure_line)
    assert mnist_line.startswith("MNIST validation accuracy: ") and time.startswith("Trained in ")
    assert following == "The model is x.keras; next: python app.py --model x.keras"

    others = np.setdiff1d(np.flatnonzero((mnist.y_test > 1) & (mnist.y_test < 8)), chosen)[:1000]

    def accuracies(model):
        answers = keras_model.predict(model, turned[others]), keras_model.predict(model, mnist.x_test[:2000])
        return [np.mean(a.argmax(axis=1) == y) for a, y in zip(answers, (mnist.y_test[others], mnist.y_test[:2000]))]

    (own_before, mnist_before), (own_after, mnist_after) = map(accuracies, (trained, keras_model.load_model(tmp_path / "x.keras")))
    assert own_after > own_before + 0.2 and mnist_after > mnist_before - 0.01
    record = files.read_json(tmp_path / "x.json")
    assert record["fine_tune"] == trained_path.name and record["fine_tune_sha256"] == files.sha256(trained_path)
    assert record["after"]["own"] > record["before"]["own"] and model_files.litert_obstacle(tmp_path / "x.keras") is None
    assert record["command"] == f"python train.py --fine-tune {trained_path} --data mine --model x.keras"


@pytest.mark.slow
def test_nothing_gained_leaves_no_model(shipped_model, mnist, tmp_path, capsys):
    """Images that the default model reads already."""
    save_images(tmp_path / "mine", mnist.x_test[:3], mnist.y_test[:3])
    process = run("train.py", "--fine-tune", "--data", "mine", "--model", "x.keras", "--epochs", "1", cwd=tmp_path)
    assert process.returncode == 1 and process.stderr == ""
    assert "own images read (too few to hold some out): 3 of 3 before, 3 of 3 after" in process.stdout
    assert "Nothing was gained" in process.stdout and os.listdir(tmp_path) == ["mine"]


@pytest.mark.slow
def test_the_images_and_the_negatives_are_learned_from(tiny_path, mnist, tmp_path):
    """With and without the negatives, other weights; the same folder again, the same weights."""
    save_images(tmp_path / "mine", mnist.x_test[:1], mnist.y_test[:1])
    shutil.copytree(tmp_path / "mine", tmp_path / "more")
    save_images(tmp_path / "more", mnist.x_test[1:2].transpose(0, 2, 1), ["no_digit"])
    for name, folder in (("first", "mine"), ("again", "mine"), ("other", "more")):
        assert tune(tiny_path, tmp_path / folder, tmp_path / f"{name}.keras", "--epochs", 1) == 0
    assert_same_weights(tmp_path / "first.keras", tmp_path / "again.keras")
    with pytest.raises(AssertionError):
        assert_same_weights(tmp_path / "first.keras", tmp_path / "other.keras")


@pytest.mark.slow
def test_an_interrupted_fine_tuning_goes_on_from_the_same_model_only(tiny_path, one_image, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    assert tune(tiny_path, one_image, tmp_path / "whole.keras", "--epochs", 2) == 0
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Report, "on_epoch_end", interrupt)
        assert tune(tiny_path, one_image, tmp_path / "x.keras", "--epochs", 2) == 130
    assert f"--fine-tune {tiny_path}" in capsys.readouterr().err
    with pytest.raises(UserError, match="ran with --fine-tune tiny.keras and this one with --fine-tune whole.keras"):
        tune(tmp_path / "whole.keras", one_image, tmp_path / "x.keras", "--epochs", 2, "--resume")
    assert tune(tiny_path, one_image, tmp_path / "x.keras", "--epochs", 2, "--resume") == 0
    assert_same_weights(tmp_path / "whole.keras", tmp_path / "x.keras")


# ---- models to start from ----


@pytest.mark.slow
def test_another_network_of_ordinary_layers(one_image, tmp_path):
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    start = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.1), layers.Dense(10, "softmax")])
    start.trainable = False
    start.save(tmp_path / "start.keras")
    assert tune(tmp_path / "start.keras", one_image, tmp_path / "x.keras", "--epochs", 1) == 0
    assert [type(layer).__name__ for layer in keras_model.load_model(tmp_path / "x.keras").layers] == [
        "Flatten",
        "Dropout",
        "Dense",
    ]


@pytest.mark.parametrize("content, words", [(None, "there is no model at"), (b"PK", "is damaged or no .keras file")])
def test_models_that_cannot_be_loaded(content, words, one_image, tmp_path):
    if content:
        (tmp_path / "start.keras").write_bytes(content)
    with pytest.raises(UserError, match=words):
        tune(tmp_path / "start.keras", one_image, tmp_path / "x.keras")


def test_a_model_that_cannot_be_calibrated(one_image, tmp_path):
    import keras
    from keras import layers

    keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10), layers.Softmax()]).save(tmp_path / "s.keras")
    with pytest.raises(UserError, match="does not end in a dense softmax layer"):
        tune(tmp_path / "s.keras", one_image, tmp_path / "x.keras")
    assert sorted(os.listdir(tmp_path)) == ["mine", "s.keras"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "--fine-tune needs --data"),
        (["--data", "mine"], "--fine-tune needs a new --model path"),
        (["--data", "mine", "--model", "y.keras"], "--fine-tune needs a new --model path"),
        (["--data", "mine", "--model", "x.keras", "--preset", "quick"], "--fine-tune takes no --preset"),
        (["--data", "mine", "--model", "x.keras", "--strategy", "mirrored"], "--fine-tune takes no --strategy"),
        (["--fine-tune", "--data", "missing", "--model", "x.keras"], "there is no data set at missing"),
    ],
)
def test_wrong_usage(arguments, words, tmp_path):
    (tmp_path / "y.keras").touch()
    process = run("train.py", "--fine-tune", "y.keras", *arguments, cwd=tmp_path)
    assert process.returncode == 2 and words in process.stderr and process.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["y.keras"]
