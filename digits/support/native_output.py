"""Silence what native libraries write to standard error.

    with native_output.silenced():
        model = keras.saving.load_model(path)     # Python's exceptions still come through

The start-up notes of LiteRT and TensorFlow, and libtiff's remarks about damaged files, have no other switch; and the
author of an image could choose what libtiff says.
"""

import contextlib
import os
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_depth = 0  # number of blocks under way, in all threads
_saved = None  # the real standard error meanwhile; None when the process has none


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Send the process's standard error (file descriptor 2) nowhere while the block runs."""
    global _depth, _saved
    with _lock:
        _depth += 1
        if _depth == 1:
            with contextlib.suppress(OSError):
                _saved = os.dup(2)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 2)
                os.close(nowhere)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0 and _saved is not None:
                os.dup2(_saved, 2)
                os.close(_saved)
                _saved = None
