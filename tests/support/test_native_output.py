"""digits/support/native_output.py: what native code writes to standard error is hidden while a block runs, and only then."""

import os
import threading

import pytest

from digits.support.native_output import silenced
from helpers import run_code


def native(text):
    """Write as a C library does, past Python's sys.stderr."""
    os.write(2, text.encode() + b"\n")


def test_hidden_inside_and_seen_before_and_after(capfd):
    native("before")
    with silenced():
        native("inside")
        with silenced():
            native("nested")
        native("inside again")
    native("after")
    assert capfd.readouterr().err == "before\nafter\n"


def test_an_exception_ends_the_silence(capfd):
    with pytest.raises(ValueError, match="from the block"), silenced():
        raise ValueError("from the block")
    native("after")
    assert capfd.readouterr().err == "after\n"


def test_blocks_of_several_threads_end_in_any_order(capfd):
    inside, leave = threading.Barrier(2), threading.Event()

    def other():
        with silenced():
            inside.wait()
            leave.wait()

    thread = threading.Thread(target=other)
    thread.start()
    with silenced():
        inside.wait()
    native("the other thread is still silenced")
    leave.set()
    thread.join()
    native("after")
    assert capfd.readouterr().err == "after\n"


def test_a_process_without_standard_error():
    code = (
        "import os\nos.close(2)\nfrom digits.support.native_output import silenced\n"
        "for _ in range(2):\n    with silenced(): print('inside')\n"
    )
    assert run_code(code).stdout == "inside\ninside\n"
