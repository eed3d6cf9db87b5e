"""Keep what native libraries write to standard error from users: LiteRT's and TensorFlow's start-up notes and
libtiff's remarks about damaged files have no other switch, and a picture could choose what they say.

    with quiet.native_output():
        model = keras.saving.load_model(path)     # Python's exceptions come through as ever
"""

import contextlib
import os
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_depth = 0  # how many blocks are under way, in whichever threads
_saved = None  # the real standard error meanwhile; None when the process has none


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Send the process's standard error (file descriptor 2) nowhere for the length of the block."""
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
