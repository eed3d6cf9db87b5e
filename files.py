"""Whole-or-nothing file writes, locks, hashes and JSON records.

    with files.atomic_write("models/mnist_cnn.keras") as temporary:
        model.save(temporary)                      # the old file stays until this block ends well

Nothing here knows what is in a file. Every script turns a `UserError` into one sentence on standard
error and exit status 2 (`run`).
"""

import contextlib
import errno
import glob
import hashlib
import json
import os
import pathlib
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn


class UserError(Exception):
    """Something the user can put right: one sentence that names the file, the fault and the remedy."""


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
    """Return a share of 1 as percent with so many decimals; only 1 itself is 100 %."""
    return "100 %" if share == 1 else f"{min(100 - 10**-places, 100 * share):.{places}f} %"


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script's `main(argv=None) -> int` as a process: messages for people, exit status for shells.

    A `UserError` becomes one sentence and status 2, and so do a package that is not installed and what the operating
    system refuses (output to a full disk); Ctrl-C is status 130; a reader that closes the pipe early (`| head`) ends the
    script quietly.
    """
    name = os.path.basename(sys.argv[0])
    sys.stdout, sys.stderr = sys.stdout or open(os.devnull, "w"), sys.stderr or open(os.devnull, "w")  # noqa: SIM115  closed: `>&-`
    try:
        status = main()
        sys.stdout.flush()
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        status = 2
    except ModuleNotFoundError as error:
        print(
            f"{name}: error: the package {error.name} is not installed for {printable(sys.executable)}; activate the "
            "environment (`source .venv/bin/activate`), or run `pip install -r requirements.txt`.",
            file=sys.stderr,
        )
        status = 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        _discard_output()
        status = 128 + getattr(signal, "SIGPIPE", 13)
    except OSError as error:
        where = f"{printable(error.filename)}: " if isinstance(error.filename, str) else ""
        print(f"{name}: error: {where}{reason(error)}.", file=sys.stderr)
        _discard_output()
        status = 2
    sys.exit(status)


def _discard_output():
    """Send what is left of standard output nowhere: Python flushes it at exit, and would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def reason(error: BaseException) -> str:
    """Return the operating system's words for an OSError, in lower case ("no space left on device")."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return "the disk is full or a size limit was reached"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text if text[1:2].isupper() else text[:1].lower() + text[1:]) or type(error).__name__


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Give a temporary path beside `path`; when the block ends well, move it to `path` in one step.

    The bytes are on the disk (fsync) before the rename, so a reader, a crash or a power cut sees the old
    file or the new one, never half of one. When the block raises, the temporary file is removed.

    Args:
        path: the file to write; its folder is created.

    Yields:
        pathlib.Path of an empty file in the same folder, whose name ends as `path` does (Keras insists on `.keras`).

    Raises:
        UserError: the folder or the file cannot be written (full disk, permissions).
    """
    path = pathlib.Path(path)
    # Named before it is made: an interruption between the two leaves nothing behind.
    temporary = _temporary_name(path, secrets.token_hex(4))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise UserError(f"{printable(path)} is a folder; name a file to write instead.")
        temporary.touch(exist_ok=False)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise UserError(
            f"cannot write {printable(path)}: {reason(error)}; free some space, or choose a place you may write to."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(path: str | os.PathLike) -> None:
    """Remove what killed processes left of `atomic_write(path)`. Call it only where no other process writes `path`."""
    path = pathlib.Path(path)
    for leftover in path.parent.glob(str(_temporary_name(pathlib.Path(glob.escape(path.name)), "[0-9a-f]" * 8))):
        with contextlib.suppress(OSError):
            leftover.unlink(missing_ok=True)


def _temporary_name(path, token):
    return path.with_name(f".{path.name}-{token}{path.suffix}")


def _sync_folder(folder):
    """Make a rename durable where the system can (Windows cannot open folders)."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(path: str | os.PathLike) -> None:
    """Make the folder `path`, and those above it, where there is none. Raises UserError."""
    try:
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write into {printable(path)}: {reason(error)}; choose another folder.") from error


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all. Raises UserError."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike, record: dict) -> None:
    """Write `record` to `path` as readable JSON, whole or not at all. Raises UserError."""
    write_text(path, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike) -> dict:
    """Return the JSON object in `path` as a dict.

    Raises:
        UserError: the file is missing, unreadable, or holds no JSON object.
    """
    try:
        record = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{printable(path)} is not a JSON record ({type(error).__name__}); restore it or train again.") from error
    if not isinstance(record, dict):
        raise UserError(f"{printable(path)} is not a JSON record (it holds a {type(record).__name__}); restore it or train again.")
    return record


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def lock(path: str | os.PathLike, purpose: str) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` for the length of the block.

    The operating system drops the lock when the process ends, however it ends: a crash leaves at most an
    empty file behind, never a lock.

    Args:
        path: the lock file (created, and removed when the block ends).
        purpose: who else would hold it, for the message ("another training of models/x.keras").

    Raises:
        UserError: another process holds the lock, or the file cannot be made.
    """
    path = pathlib.Path(path)
    with _open_locked(path, purpose):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _open_locked(path, purpose):
    """Return `path` as an open file that this process has locked."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+b")  # noqa: SIM115  open as long as the lock is held
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {reason(error)}; choose a place you may write to.") from error
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if isinstance(error, (BlockingIOError, PermissionError)):
            raise UserError(f"{purpose} is running; wait for it to end, or choose another --model.") from error
        raise UserError(f"cannot lock {printable(path)}: {reason(error)}; choose a place on another disk.") from error
    # The holder before us may have removed the file since we opened it. Then the next to come would lock another
    # file of this name, and both would go ahead: only a lock on the file that all can find counts.
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            return file
    file.close()
    return _open_locked(path, purpose)
