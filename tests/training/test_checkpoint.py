"""digits/training/checkpoint.py: what goes in comes out, bit for bit; damaged and missing files are refused in a sentence."""

import dataclasses
import os

import numpy as np
import pytest

from digits.support.messages import UserError
from digits.training import checkpoint
from digits.training.progress import Progress, Settings
from helpers import full_disk

SETTINGS = Settings(
    preset="quick",
    epochs=4,
    batch_size=128,
    learning_rate=3e-3,
    seed=0,
    limit=None,
    validation_size=5000,
    strategy="none",
    data="MNIST",
    data_sha256="0" * 64,
    options=["--preset", "quick"],
)
PROGRESS = Progress(
    history=[{"epoch": 1, "loss": 0.1}],
    state=[
        np.array([np.nextafter(np.float32(1), np.float32(2))]),
        np.zeros((2, 0), np.float32),
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.array(7, np.int64),
        np.array([1, 2], np.uint32),
    ],
)


def same(first, second):
    """Whether two Progress hold the same, bit for bit."""
    pairs = list(zip(first.state, second.state, strict=True))
    return first.history == second.history and all(
        a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b) for a, b in pairs
    )


def test_round_trip(tmp_path):
    path = tmp_path / "name.with.dots.keras"
    checkpoint.save(path, SETTINGS, PROGRESS)
    assert os.listdir(tmp_path) == ["name.with.dots.checkpoint.npz"]
    settings, progress = checkpoint.load(path)
    assert settings == SETTINGS and settings.options == SETTINGS.options and same(progress, PROGRESS)


def test_order_is_kept_for_many_arrays(tmp_path):
    checkpoint.save(tmp_path / "x.keras", SETTINGS, Progress(state=[np.array(i) for i in range(250)]))
    assert [int(value) for value in checkpoint.load(tmp_path / "x.keras")[1].state] == list(range(250))


@pytest.mark.parametrize(
    "change, difference",
    [
        ({}, None),
        ({"options": ["--preset=quick"]}, None),
        ({"seed": 5}, ("with --seed 0", "with --seed 5")),
        ({"limit": 300}, ("without --limit", "with --limit 300")),
        ({"data": "a\nb"}, ("on MNIST", "on a\\nb")),
        ({"data_sha256": "1" * 64}, "other data (their checksum differs)"),
        ({"fine_tune": "a.keras"}, ("without --fine-tune", "with --fine-tune a.keras")),
        ({"fine_tune_sha256": "1" * 64}, "another model to start from (its checksum differs)"),
    ],
)
def test_differences_are_named(change, difference):
    assert SETTINGS.difference(dataclasses.replace(SETTINGS, **change)) == difference


def test_missing(tmp_path):
    with pytest.raises(UserError, match="no interrupted training of .*x.keras to resume"):
        checkpoint.load(tmp_path / "x.keras")


@pytest.mark.parametrize("content", [b"", b"PK\3\4 not a zip", b"\x93NUMPY\1\0", b"\x80\4\x95", None])
def test_damaged(content, tmp_path):
    path = tmp_path / "x.checkpoint.npz"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match="x.checkpoint.npz is damaged"):
        checkpoint.load(tmp_path / "x.keras")


def test_an_array_in_place_of_an_archive(tmp_path):
    with open(tmp_path / "x.checkpoint.npz", "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load(tmp_path / "x.keras")


def test_pickles_are_not_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    np.savez(tmp_path / "x.checkpoint.npz", progress=np.array([Bomb()], dtype=object))
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load(tmp_path / "x.keras")
    assert not (tmp_path / "executed").exists()


def test_every_cut_and_every_altered_byte_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "x.checkpoint.npz"
    checkpoint.save(tmp_path / "x.keras", SETTINGS, PROGRESS)
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(120):
        damaged = bytearray(content)
        if random.random() < 0.5:
            damaged = damaged[: random.integers(len(content))]
        else:
            damaged[random.integers(len(content))] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        try:
            settings, progress = checkpoint.load(tmp_path / "x.keras")
        except UserError:
            continue
        # What is not covered by a checksum (dates, flags) may change, what is loaded may not.
        assert settings == SETTINGS and same(progress, PROGRESS)


def test_full_disk_keeps_the_last_checkpoint(tmp_path):
    checkpoint.save(tmp_path / "x.keras", SETTINGS, PROGRESS)
    with pytest.raises(UserError, match="disk is full"), full_disk(5000):
        checkpoint.save(tmp_path / "x.keras", SETTINGS, Progress(state=[np.zeros(100_000)]))
    assert same(checkpoint.load(tmp_path / "x.keras")[1], PROGRESS)
    assert os.listdir(tmp_path) == ["x.checkpoint.npz"]


def test_restore_refuses_values_of_another_network():
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    values = [np.full(variable.shape, 2.0) for variable in checkpoint.variables(model)]
    checkpoint.restore(model, values)
    assert all(np.all(variable.numpy() == 2) for variable in checkpoint.variables(model))
    for others in (values[:1], [*values, values[0]], values[::-1]):
        with pytest.raises(UserError, match="another network"):
            checkpoint.restore(model, others)


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    np.savez(tmp_path / "x.checkpoint.npz", progress=np.array('{"run": {}, "history": []}'))
    with pytest.raises(UserError, match="another version of train.py wrote it"):
        checkpoint.load(tmp_path / "x.keras")
