"""digits/support/messages.py: names, shares, durations and reasons as people read them."""

import errno

import pytest

from digits.support import messages


@pytest.mark.parametrize(
    "name", ["a\x1b[31mred", "bell\a", "line\nline", "tab\t", "right\u202eleft", "\x9b2J", "bad\udcff", "del\x7f"]
)
def test_printable_steers_no_terminal(name):
    shown = messages.printable(name)
    assert shown.isprintable() and shown.encode("utf-8")
    assert shown != name


@pytest.mark.parametrize("name", ["plain.png", "with space", "ümlaut", "数字", "🙂.png", "back\\slash"])
def test_printable_leaves_names_alone(name):
    assert messages.printable(name) == name


def test_reason_is_in_words():
    assert "full" in messages.reason(OSError(errno.ENOSPC, "No space left on device"))
    assert "full" in messages.reason(OSError(errno.EFBIG, "File too large"))
    assert messages.reason(PermissionError(errno.EACCES, "Permission denied")) == "permission denied"
    assert messages.reason(ValueError()) == "ValueError"


def test_only_everything_is_a_hundred_percent():
    assert [messages.percent(share) for share in (1, 0.99999, 0.9949, 0.5, 0)] == ["100 %", "99.9 %", "99.5 %", "50.0 %", "0.0 %"]
    assert [messages.percent(share, 2) for share in (1, 0.99999, 0.9975)] == ["100 %", "99.99 %", "99.75 %"]


def test_durations():
    assert [messages.duration(seconds) for seconds in (0.4, 59, 60, 560)] == ["0 s", "59 s", "1 min 0 s", "9 min 20 s"]


def test_paths_below_the_current_folder_are_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert messages.shown(tmp_path / "models" / "x.keras") == "models/x.keras"
    assert messages.shown("/elsewhere/x.keras") == "/elsewhere/x.keras"
