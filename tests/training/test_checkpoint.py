"""digits/training/checkpoint.py: what goes in comes out, bit for bit; damaged and missing files are refused in a sentence."""

import os

import numpy as np
import pytest

from conftest import full_disk
from digits.support import messages
from digits.support.messages import UserError
from digits.training import checkpoint

STATE = [np.arange(12, dtype=np.float32).reshape(3, 4), np.array(7, np.int64), np.array([1, 2], np.uint32)]
BEST = [np.array([np.nextafter(np.float32(1), np.float32(2))]), np.zeros((2, 0), np.float32)]
PROGRESS = {"run": {"seed": 0, "limit": None}, "history": [{"loss": 0.1}], "best": None}


def test_round_trip(tmp_path):
    path = tmp_path / "name.with.dots.keras"
    checkpoint.save(path, STATE, BEST, PROGRESS)
    assert os.listdir(tmp_path) == ["name.with.dots.checkpoint.npz"]
    state, best, progress = checkpoint.load(path)
    assert progress == PROGRESS
    for given, found in zip(STATE + BEST, state + best, strict=True):
        assert given.dtype == found.dtype and given.shape == found.shape and np.array_equal(given, found)


def test_order_is_kept_for_many_arrays(tmp_path):
    state = [np.array(i) for i in range(250)]
    checkpoint.save(tmp_path / "x.keras", state, [], {})
    assert [int(value) for value in checkpoint.load(tmp_path / "x.keras")[0]] == list(range(250))


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
    checkpoint.save(tmp_path / "x.keras", STATE, BEST, PROGRESS)
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
            state, best, progress = checkpoint.load(tmp_path / "x.keras")
        except UserError:
            continue
        # What is not covered by a checksum (dates, flags) may change, what is loaded may not.
        assert progress == PROGRESS and all(np.array_equal(a, b) for a, b in zip(STATE + BEST, state + best))


def test_full_disk_keeps_the_last_checkpoint(tmp_path):
    checkpoint.save(tmp_path / "x.keras", STATE, BEST, PROGRESS)
    with pytest.raises(UserError, match="disk is full"), full_disk(5000):
        checkpoint.save(tmp_path / "x.keras", [np.zeros(100_000)], BEST, {})
    assert checkpoint.load(tmp_path / "x.keras")[2] == PROGRESS
    assert os.listdir(tmp_path) == ["x.checkpoint.npz"]


def test_restore_refuses_values_of_another_network():
    class Variable:
        def __init__(self, shape):
            self.shape, self.value = shape, None

        def assign(self, value):
            self.value = value

    variables = [Variable((3, 4)), Variable(())]
    checkpoint.restore(variables, STATE[:2])
    assert variables[0].value is STATE[0]
    for values in (STATE[:1], STATE, [STATE[1], STATE[0]]):
        with pytest.raises(messages.UserError, match="another network"):
            checkpoint.restore(variables, values)
