"""IDX, the file format of MNIST: a header with the shape, then the values (described on Y. LeCun's MNIST page)."""

import gzip
import math
import os
import pathlib
import zlib

import numpy as np

from digits.support.messages import UserError, printable, reason

MAX_ARRAY_BYTES = 1 << 30  # a million images; data files that claim or unpack to more are refused


def read_idx(path: str | os.PathLike, remedy: str = "fetch it again") -> np.ndarray:
    """Read an IDX file of unsigned bytes, plain or .gz.

    Never reads more than the header states, nor more than MAX_ARRAY_BYTES.

    Args:
        path: the file.
        remedy: what the user can do about a fault, for the message.

    Returns:
        uint8 array of the shape that the header states.

    Raises:
        UserError: unreadable, not IDX, or its length differs from what its header states.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_file():
        raise UserError(f"{printable(path)} is not a regular file; {remedy}.")
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            magic = file.read(4)
            lengths = file.read(4 * magic[3]) if len(magic) == 4 else b""
            if magic[:3] != b"\0\0\x08" or not 1 <= len(lengths) // 4 == magic[3] <= 4:
                raise UserError(f"{printable(path)} is not an IDX file of unsigned bytes; {remedy}.")
            shape = tuple(int.from_bytes(lengths[i : i + 4], "big") for i in range(0, len(lengths), 4))
            size = math.prod(shape)  # Python's integers: a header that lies cannot overflow
            if size > MAX_ARRAY_BYTES:
                raise UserError(
                    f"{printable(path)} states that it holds {' x '.join(map(str, shape))} bytes, more than "
                    f"{MAX_ARRAY_BYTES >> 30} GiB; give a smaller data set."
                )
            content = file.read(size + 1)
    except (OSError, EOFError, MemoryError, zlib.error) as error:
        raise UserError(f"cannot read {printable(path)} ({printable(reason(error))}); {remedy}.") from error
    if len(content) != size:
        raise UserError(
            f"{printable(path)} holds {'fewer' if len(content) < size else 'more'} bytes than its header "
            f"states ({' x '.join(map(str, shape))}); {remedy}."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def idx_bytes(array: np.ndarray) -> bytes:
    """Return a uint8 array as the bytes of an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()
