"""digits/support/files.py: whole-or-nothing writes under every fault and interruption, locks, JSON, checksums."""

import contextlib
import hashlib
import itertools
import os
import signal
import sys
import threading

import pytest

from digits.support import files
from digits.support.messages import UserError
from helpers import full_disk, ordinary_user, run_code

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


def test_where_a_link_leads_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "x.txt")
    for text in ("first", "second"):
        files.write_text(tmp_path / "link.txt", text)
        assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "far" / "x.txt").read_text() == text
    assert sorted(os.listdir(tmp_path)) == ["far", "link.txt"] and os.listdir(tmp_path / "far") == ["x.txt"]


def test_old_file_stays_until_the_block_ends(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with files.atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old" and temporary.parent == path.parent
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), MemoryError(), BlockingIOError("no process")])
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
    process = run_code(code, cwd=tmp_path)
    assert process.returncode == -signal.SIGKILL and len(os.listdir(tmp_path)) == 1
    files.remove_leftovers(tmp_path / "[x].keras")
    assert os.listdir(tmp_path) == []


# ---- interruptions ----


def stopped_before_line(number, use, stop):
    """Run `use()` and call `stop()` before line `number`, from 0, of those that run in digits/support/files.py.

    Returns whether there were so many.
    """
    seen = -1

    def trace(frame, event, _):
        nonlocal seen
        if frame.f_code.co_filename != files.__file__:
            return None
        if event == "line":
            seen += 1
            if seen == number:
                stop()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        use()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return seen >= number


def press_ctrl_c():
    raise KeyboardInterrupt


def stopped_everywhere(use, stop=press_ctrl_c):
    """Yield once for each line of digits/support/files.py that `use()` runs, after it was stopped before that line."""
    for number in itertools.count():
        if not stopped_before_line(number, use, stop):
            assert number > 10
            return
        yield


def test_ctrl_c_at_every_line_of_a_write_leaves_no_litter(tmp_path):
    path = tmp_path / "x.txt"

    def use():
        path.write_text("old")
        files.write_text(path, "new")

    for _ in stopped_everywhere(use):
        assert path.read_text() in ("old", "new") and os.listdir(tmp_path) == ["x.txt"]


def test_ctrl_c_at_every_line_of_a_lock_leaves_it_free(tmp_path):
    def use():
        with files.lock(tmp_path / "x.lock", "another"):
            pass

    for _ in stopped_everywhere(use):
        use()  # raises if the interrupted one still held it
        assert os.listdir(tmp_path) == []


# ---- folders ----


def write_folder(path, text):
    with files.atomic_write(path, folder=True) as temporary:
        (temporary / "variables").mkdir()
        for name in ("a", "variables/b"):
            (temporary / name).write_text(text)


def content(path):
    """What a folder of `write_folder` holds: one text, when it is whole."""
    (text,) = {file.read_text() for file in (path / "a", path / "variables" / "b")}
    return text


def test_a_folder_replaces_a_folder_whole(tmp_path):
    path = tmp_path / "new" / "model"
    for text in ("first", "second"):
        write_folder(path, text)
        assert content(path) == text and os.listdir(path.parent) == ["model"]
    with pytest.raises(UserError, match="is a folder"):
        files.write_text(path, "text")
    with pytest.raises(UserError, match="a is a file"):
        write_folder(path / "a", "third")
    assert content(path) == "second"


def test_a_folder_on_a_full_disk_leaves_the_old_one(tmp_path):
    write_folder(tmp_path / "model", "old")
    with pytest.raises(UserError, match="model: the disk is full"), full_disk(10):
        write_folder(tmp_path / "model", "x" * 100_000)
    assert content(tmp_path / "model") == "old" and os.listdir(tmp_path) == ["model"]


def test_ctrl_c_at_every_line_leaves_the_old_folder_or_the_new_one(tmp_path):
    path = tmp_path / "model"

    def use():
        write_folder(path, "new")

    write_folder(path, "old")
    for _ in stopped_everywhere(use):
        assert content(path) in ("old", "new")
        files.remove_leftovers(path)  # of Ctrl-C while the old folder was removed
        assert os.listdir(tmp_path) == ["model"]
        write_folder(path, "old")


@pytest.mark.slow
def test_a_kill_at_any_line_leaves_the_old_folder_or_the_new_one(tmp_path):
    """Between any two lines, the name leads to a whole folder; what is left beside it can be told and removed."""
    path, found = tmp_path / "model", []
    for number in itertools.count():
        write_folder(path, "old")
        child = os.fork()
        if not child:
            stopped_before_line(number, lambda: write_folder(path, "new"), lambda: os.kill(os.getpid(), signal.SIGKILL))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        found.append(content(path))
        files.remove_leftovers(path)
        assert os.listdir(tmp_path) == ["model"]
        if not status:
            break
    assert found == sorted(found, reverse=True) and found[0] == "old" and found[-1] == "new" and len(found) > 10


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


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="a folder that exists and takes no files")
def test_lock_where_no_file_can_be_made_is_not_called_held():
    with pytest.raises(UserError, match="^cannot write /proc/x.lock"), files.lock("/proc/x.lock", "another"):
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


# ---- JSON, checksums ----


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "is not valid JSON"),
        (b"[1]", "holds a list"),
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is not valid JSON"),
    ],
)
def test_damaged_json_is_refused(content, words, tmp_path):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UserError, match=words):
        files.read_json(tmp_path / "x.json")


def test_missing_json_and_folder(tmp_path):
    for path in (tmp_path / "x.json", tmp_path):
        with pytest.raises(UserError, match="cannot read"):
            files.read_json(path)


def test_numbers_that_json_does_not_know_are_not_written(tmp_path):
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "x.json", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 1_000_000)
    assert files.sha256(tmp_path / "x") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()
