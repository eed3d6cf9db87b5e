"""digits/support/files.py: whole-or-nothing writes under every fault and interruption, locks, exit statuses, printable names."""

import contextlib
import errno
import itertools
import os
import signal
import subprocess
import sys
import threading

import pytest

from conftest import ROOT, full_disk, ordinary_user
from digits.support import files, messages
from digits.support.messages import UserError

# ---- atomic_write ----


def test_write_creates_folders_and_follows_the_umask(tmp_path):
    path = tmp_path / "new" / "folder" / "x.json"
    before = os.umask(0o027)
    try:
        files.write_json(path, {"ä": 1})
    finally:
        os.umask(before)
    assert files.read_json(path) == {"ä": 1}
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(path.parent) == ["x.json"]


def test_old_file_stays_until_the_block_ends(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with files.atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old" and temporary.parent == path.parent
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), MemoryError()])
def test_whatever_is_raised_in_the_block_leaves_the_old_file_and_no_litter(error, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(type(error)), files.atomic_write(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["x.txt"]


def test_bytes_are_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, original=original: (calls.append(name), original(*a))[1])
    files.write_text(tmp_path / "x.txt", "text")
    assert calls == ["fsync", "replace", "fsync"]  # the file, its name, the folder


def test_full_disk(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(UserError, match="x.txt: the disk is full"), full_disk(10):
        files.write_text(path, "x" * 100_000)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["x.txt"]


def test_read_only_folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o555)
    with pytest.raises(UserError, match="permission denied"), ordinary_user():
        files.write_text(folder / "x.txt", "text")
    with pytest.raises(UserError, match="permission denied"), ordinary_user(), files.lock(folder / "x.lock", "another"):
        pass
    assert os.listdir(folder) == []


@pytest.mark.parametrize("name", ["folder.txt", "file/x.txt", "n" * 250 + ".txt", "new\nline/" + "n" * 250])
def test_impossible_places_are_refused_in_a_sentence(name, tmp_path):
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError) as refused:
        files.write_text(tmp_path / name, "text")
    assert "\n" not in str(refused.value)
    assert set(os.listdir(tmp_path)) <= {"file", "folder.txt", "new\nline"}


def test_leftovers_of_killed_processes_are_removed_and_nothing_else(tmp_path):
    keep = ["x.keras", ".x.keras-short.keras", ".x-b.keras-0123abcd.keras", ".xx.keras-0123abcd.keras", ".x.keras-0123abcd.csv"]
    for name in [*keep, ".x.keras-0123abcd.keras"]:
        (tmp_path / name).touch()
    files.remove_leftovers(tmp_path / "x.keras")
    assert sorted(os.listdir(tmp_path)) == sorted(keep)
    files.remove_leftovers(tmp_path / "missing folder" / "x[1].keras")


def test_what_sigkill_leaves_is_a_leftover(tmp_path):
    code = (
        "import os, signal\nfrom digits.support import files\n"
        "with files.atomic_write('[x].keras') as temporary:\n    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert process.returncode == -signal.SIGKILL and len(os.listdir(tmp_path)) == 1
    files.remove_leftovers(tmp_path / "[x].keras")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("script", ["train.py", "evaluate.py", "predict.py x.png", "visualize.py", "export.py --format litert"])
def test_missing_packages_are_told_in_one_sentence(script, tmp_path):
    """As where the environment is not active; -S: without the installed packages."""
    arguments = [sys.executable, "-S", *str(ROOT / script).split()]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "the package " in done.stderr and "pip install -r requirements.txt" in done.stderr and os.listdir(tmp_path) == []


def lines_of_files(use):
    """Interrupt `use()` before each line that it runs in digits/support/files.py, one after the other; yield the line numbers."""
    for number in itertools.count():
        if (line := interrupt_at(number, use)) is None:
            return
        yield line


def interrupt_at(number, use):
    """Press Ctrl-C before line `number`, counted from 0, of those that `use()` runs in digits/support/files.py. Returns where that is, or None."""
    seen, at = -1, None

    def trace(frame, event, _):
        nonlocal seen, at
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            seen += 1
            if seen == number:
                at = frame.f_lineno
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        use()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return at


def test_interruption_at_every_line_of_a_write_leaves_no_litter(tmp_path):
    path = tmp_path / "x.txt"

    def use():
        path.write_text("old")
        files.write_text(path, "new")

    lines = 0
    for _ in lines_of_files(use):
        assert path.read_text() in ("old", "new") and os.listdir(tmp_path) == ["x.txt"]
        lines += 1
    assert lines > 10


def test_interruption_at_every_line_of_a_lock_leaves_it_free(tmp_path):
    def use():
        with files.lock(tmp_path / "x.lock", "another"):
            pass

    lines = 0
    for _ in lines_of_files(use):
        use()  # raises if the interrupted one still held it
        assert os.listdir(tmp_path) == []
        lines += 1
    assert lines > 10


# ---- lock ----


def test_lock_is_exclusive_and_leaves_nothing(tmp_path):
    path = tmp_path / "x.lock"
    with files.lock(path, "another training of x"):
        with pytest.raises(UserError, match="^another training of x is running"), files.lock(path, "another training of x"):
            pass
        assert path.exists()  # the refused one did not remove it
        with pytest.raises(UserError), files.lock(path, "another training of x"):
            pass
    assert os.listdir(tmp_path) == []
    path.touch()  # what a killed process leaves
    with files.lock(path, "another"):
        pass


def test_lock_lets_one_thread_in_at_a_time(tmp_path):
    inside, most, entered = [], [], []

    def work():
        for _ in range(300):
            with contextlib.suppress(UserError), files.lock(tmp_path / "x.lock", "another"):
                inside.append(1)
                most.append(len(inside))
                entered.append(1)
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and len(entered) > 100


def test_lock_where_a_pipe_stands(tmp_path):
    os.mkfifo(tmp_path / "x.lock")
    with pytest.raises(UserError, match="cannot write"), files.lock(tmp_path / "x.lock", "another"):
        pass


# ---- records ----


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is not a JSON record"),
        (b"[1]", "it holds a list"),
        (b"{", "is not a JSON record"),
        (b"\xff\xfe", "is not a JSON record"),
        (b"[" * 100_000, "is not a JSON record"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is not a JSON record"),
    ],
)
def test_damaged_records_are_refused(content, words, tmp_path):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=words):
        files.read_json(tmp_path / "x.json")


def test_missing_record_and_folder(tmp_path):
    for path in (tmp_path / "x.json", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            files.read_json(path)


def test_numbers_that_json_does_not_know_are_not_written(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 1_000_000)
    import hashlib

    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


# ---- run, printable, reason ----


@pytest.mark.parametrize(
    "body, status, error",
    [
        ("return 0", 0, ""),
        ("return 1", 1, ""),
        ("raise messages.UserError('no such thing.')", 2, "x.py: error: no such thing.\n"),
        ("raise KeyboardInterrupt", 130, "x.py: interrupted\n"),
        ("raise BrokenPipeError", 141, ""),
        ("open('/missing')", 2, "x.py: error: /missing: no such file or directory.\n"),
    ],
)
def test_exit_statuses(body, status, error, tmp_path):
    script = tmp_path / "x.py"
    script.write_text(
        f"from digits.support import command_line, messages\ndef main():\n    {body}\ncommand_line.run(main)\n"
    )
    process = subprocess.run([sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (status, error)


def test_bugs_keep_their_traceback(tmp_path):
    script = tmp_path / "x.py"
    script.write_text("from digits.support import command_line\ncommand_line.run(lambda: 1 / 0)\n")
    process = subprocess.run([sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert process.returncode == 1 and "ZeroDivisionError" in process.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_output_to_a_full_disk(tmp_path):
    script = tmp_path / "x.py"
    script.write_text("from digits.support import command_line\ncommand_line.run(lambda: print('hello') or 0)\n")
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [sys.executable, script], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (process.returncode, process.stderr) == (2, "x.py: error: the disk is full or a size limit was reached.\n")


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
