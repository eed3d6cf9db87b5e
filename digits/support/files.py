"""Whole-or-nothing file writes, locks, checksums and JSON files.

with files.atomic_write("models/mnist_cnn.keras") as temporary:
    model.save(temporary)                      # the old file stays until this block ends well
"""

import contextlib
import glob
import hashlib
import json
import os
import pathlib
import secrets
import shutil
from collections.abc import Iterator

from digits.support.messages import UserError, printable, reason


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, folder: bool = False) -> Iterator[pathlib.Path]:
    """Give a temporary path beside `path`; when the block ends well, move it to `path` in one step.

    The bytes are on the disk (fsync) before the rename, so a reader, a crash or a power cut sees the old
    file or the new one, never half of one. When the block raises, the temporary file is removed.

    Args:
        path: the file to write; the folder that holds it is created.
        folder: write a folder of files instead.

    Yields:
        pathlib.Path of an empty file (or folder) beside it, whose name ends as `path` does (Keras insists on `.keras`).

    Raises:
        UserError: the file cannot be written (full disk, permissions).
    """
    path, given = pathlib.Path(os.path.realpath(path)), pathlib.Path(path)  # where a link leads is written, not the link
    # Named before it is made: an interruption between the two leaves nothing behind.
    temporary = _temporary_name(path, secrets.token_hex(4))
    try:
        make_folder(given.parent)
        if path.exists() and path.is_dir() != folder:
            raise UserError(f"{printable(given)} is a {'file' if folder else 'folder'}; choose another name.")
        temporary.mkdir() if folder else temporary.touch(exist_ok=False)
        yield temporary
        for written in filter(pathlib.Path.is_file, (temporary, *temporary.rglob("*"))):
            with open(written, "rb+") as file:
                os.fsync(file.fileno())
        if path.is_dir():
            _swap(temporary, path)
        else:
            os.replace(temporary, path)
        _sync_folder(path.parent)
    except (BrokenPipeError, BlockingIOError):  # of something else in the block: a closed pipe, a process that does not start
        raise
    except OSError as error:
        raise UserError(
            f"cannot write {printable(given)}: {reason(error)}; free some space, or choose a place you may write to."
        ) from error
    finally:
        _remove(temporary)


def remove_leftovers(path: str | os.PathLike) -> None:
    """Remove what killed processes left of `atomic_write(path)`. Call it only where no other process writes `path`."""
    path = pathlib.Path(os.path.realpath(path))
    for leftover in path.parent.glob(str(_temporary_name(pathlib.Path(glob.escape(path.name)), "[0-9a-f]" * 8))):
        _remove(leftover)


def _temporary_name(path, token):
    return path.with_name(f".{path.name}-{token}{path.suffix}")


def _remove(path):
    """Remove a file, or a folder with all that is in it, if there is one."""
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _swap(first, second):
    """Swap the names of two folders in one step, so that neither name is missing at any moment.

    A rename cannot replace a folder that holds files, and between two renames the name is missing. Linux can swap.

    Raises:
        UserError: this system cannot.
    """
    import ctypes

    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE, see man 2 renameat2
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
        if swap(here, os.fsencode(first), here, os.fsencode(second), exchange):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    except (AttributeError, TypeError, OSError) as error:  # macOS and Windows have no such function
        raise UserError(f"{printable(second)} cannot be replaced in one step here; remove it first.") from error


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
    except FileExistsError as error:
        raise UserError(f"{printable(path)} is a file, not a folder; choose another name.") from error
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {reason(error)}; choose a place you may write to.") from error


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all. Raises UserError."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike, values: dict) -> None:
    """Write `values` to `path` as a readable JSON object, whole or not at all. Raises UserError."""
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike) -> dict:
    """Return the JSON object in `path` as a dict.

    Raises:
        UserError: the file is missing, unreadable, or holds no JSON object.
    """
    try:
        values = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {printable(path)}: {reason(error)}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{printable(path)} is not valid JSON ({type(error).__name__}); restore it or make it again.") from error
    if not isinstance(values, dict):
        raise UserError(f"{printable(path)} holds a {type(values).__name__} and not a JSON object; restore it or make it again.")
    return values


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def lock(path: str | os.PathLike, purpose: str) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` while the block runs.

    The operating system drops the lock when the process ends, however it ends: a crash leaves at most an
    empty file behind, never a lock.

    Args:
        path: the lock file.
        purpose: what else could hold it, for the message ("another training of models/x.keras").

    Raises:
        UserError: another process holds the lock, the file cannot be made, or it holds something.
    """
    import filelock

    try:
        make_folder(pathlib.Path(path).parent)
        with open(path, "ab") as file:  # filelock takes some folders in which no file can be made for a lock that is held
            if file.tell():
                raise UserError(f"{printable(path)} is no lock file, for it is not empty; move it, or choose another name.")
        held = filelock.FileLock(path, timeout=0)
        held.acquire()
    except filelock.Timeout as error:
        raise UserError(f"{purpose} is running; wait for it to end, or choose another name.") from error
    except (OSError, NotImplementedError) as error:
        raise UserError(f"cannot write {printable(path)}: {reason(error)}; choose a place you may write to.") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps the file; whoever waits for it notices that it is gone
            os.unlink(path)
        held.release()
