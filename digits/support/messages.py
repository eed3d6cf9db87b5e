"""Text for people: faults, file names, shares and durations, as a terminal can show them."""

import errno
import os
import pathlib


class UserError(Exception):
    """A fault that the user can correct: one sentence that names the file, what is wrong and what to do."""


def printable(text: str | os.PathLike) -> str:
    """Return `text` with control characters escaped, so that a file name cannot steer a terminal."""
    text = os.fspath(text)
    if text.isprintable():
        return text

    def escape(character):
        if 0xDC80 <= ord(character) <= 0xDCFF:  # a byte of a file name that is not UTF-8 (PEP 383)
            return f"\\x{ord(character) - 0xDC00:02x}"
        return character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()

    return "".join(map(escape, text))


def percent(share: float, places: int = 1) -> str:
    """Return a share, 0 to 1, as percent with `places` decimals ("99.75 %"); only 1 itself is 100 %."""
    return "100 %" if share == 1 else f"{min(100 - 10**-places, 100 * share):.{places}f} %"


def reason(error: BaseException) -> str:
    """Return the operating system's words for an OSError, in lower case ("no space left on device")."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return "the disk is full or a size limit was reached"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text if text[1:2].isupper() else text[:1].lower() + text[1:]) or type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, as it can be shown on a terminal, at most 200 characters."""
    return printable((str(error).strip().splitlines() or [""])[0][:200])


def duration(seconds: float) -> str:
    """Return seconds in words: "9 min 20 s"."""
    return f"{int(seconds // 60)} min {int(seconds % 60)} s" if seconds >= 60 else f"{seconds:.0f} s"


def shown(path: str | os.PathLike) -> str:
    """Return a path as people would type it: relative to the current folder if it lies below."""
    absolute, folder = pathlib.Path(os.path.abspath(path)), pathlib.Path.cwd()
    return printable(absolute.relative_to(folder) if absolute.is_relative_to(folder) else path)
