"""Whole-or-nothing file writes, locks, hashes and JSON records.

    with files.atomic_write("models/mnist_cnn.keras") as temporary:
        model.save(temporary)                      # the old file stays until this block ends well

Nothing here knows what is in a file.
"""

import contextlib
import glob
import hashlib
import json
import os
import pathlib
import secrets
from collections.abc import Iterator

from digits.support.messages import UserError, printable, reason


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
        raise UserError(
            f"{printable(path)} is not JSON of this project's ({type(error).__name__}); restore it or train again."
        ) from error
    if not isinstance(record, dict):
        raise UserError(f"{printable(path)} holds no JSON object (but a {type(record).__name__}); restore it or train again.")
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
        path: the lock file.
        purpose: who else would hold it, for the message ("another training of models/x.keras").

    Raises:
        UserError: another process holds the lock, or the file cannot be made.
    """
    import filelock

    try:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        held = filelock.FileLock(path, timeout=0)
        held.acquire()
    except filelock.Timeout as error:
        raise UserError(f"{purpose} is running; wait for it to end, or choose another --model.") from error
    except (OSError, NotImplementedError) as error:
        raise UserError(f"cannot lock {printable(path)}: {reason(error)}; choose a place you may write to.") from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps the file; whoever waits for it notices that it is gone
            os.unlink(path)
        held.release()
