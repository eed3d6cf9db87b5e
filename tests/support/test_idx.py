"""digits/support/idx.py: arrays there and back, and headers that lie."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from digits.support.idx import idx_bytes, read_idx
from digits.support.messages import UserError


def idx(array):
    """The bytes of an IDX file, written by the format's description."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape) + array.tobytes()


@pytest.mark.parametrize("shape", [(5,), (2, 3), (4, 28, 28), (2, 3, 4, 5)])
def test_an_array_there_and_back(shape, tmp_path):
    array = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
    assert idx_bytes(array) == idx(array)
    (tmp_path / "x").write_bytes(idx(array))
    assert np.array_equal(read_idx(tmp_path / "x"), array)


GOOD = idx(np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "not an IDX file"),
        (b"\0\0\x08", "not an IDX file"),
        (b"\0\0\x0d\1\0\0\0\0", "not an IDX file"),
        (b"\0\0\x08\0", "not an IDX file"),
        (b"\0\0\x08\xff" + b"\0" * 2000, "not an IDX file"),
        (b"<html>", "not an IDX file"),
        (GOOD[:-1], "fewer bytes than its header states (2 x 3)"),
        (GOOD + b"\0", "more bytes than its header states (2 x 3)"),
        (GOOD[:6], "not an IDX file"),
        (GOOD[:12], "fewer bytes"),
        (b"\0\0\x08\4" + b"\xff" * 16, "more than 1 GiB"),
        (b"\0\0\x08\1\x3f\xff\xff\xff", "fewer bytes"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_idx_headers_that_lie(content, words, packed, tmp_path):
    path = tmp_path / ("x.gz" if packed else "x")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(UserError) as refused:
        read_idx(path)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_idx_bomb_is_not_unpacked_beyond_its_header(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(np.zeros(5, np.uint8)) + bytes(200 << 20), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(UserError, match="more bytes"):
        read_idx(tmp_path / "x.gz")
    assert tracemalloc.get_traced_memory()[1] < 5 << 20
    tracemalloc.stop()
