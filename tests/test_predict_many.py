"""predict.py on many files: processes, order, streaming, interruptions, nothing left behind, progress."""

import io
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

import pytest
from PIL import Image

import data_loader
import predict
from digits.reading import many_images
from digits.support import constants

COMMAND = [sys.executable, os.path.abspath(predict.__file__), "--model", str(constants.DEFAULT_MODEL)]


def records_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return a folder with 330 digits, every 50th of them no image."""
    images = data_loader.load_mnist().x_test
    folder = tmp_path_factory.mktemp("many")
    for number in range(330):
        if number % 50 == 7:
            (folder / f"{number}.png").write_text("no image")
        else:
            Image.fromarray(images[number]).save(folder / f"{number}.png")
    return folder


def test_processes_give_the_same_in_the_same_order(many, capsys, monkeypatch):
    def read():
        status = predict.main(["--model", str(constants.DEFAULT_MODEL), "--format", "jsonl", str(many)])
        said = capsys.readouterr()
        assert status == 1 and "7 of 330" in said.err
        return records_of(said.out)

    records = read()
    assert [os.path.basename(record["file"]) for record in records] == [f"{number}.png" for number in range(330)]
    assert [number for number, record in enumerate(records) if record["error"]] == list(range(7, 330, 50))
    monkeypatch.setattr(many_images, "FEW_BATCHES", 1000)  # all in this process
    assert read() == records


def test_each_record_is_passed_on_when_it_is_done(many, monkeypatch):
    passed_on = []

    class Output(io.StringIO):
        def flush(self):
            passed_on.append(self.getvalue().count("\n"))

    monkeypatch.setattr("sys.stdout", Output())
    predict.main(["--model", str(constants.DEFAULT_MODEL), *[str(many / f"{number}.png") for number in range(5)]])
    assert set(range(1, 6)) <= set(passed_on)


def start(many, *arguments):
    """Start the command on the same folder many times over, as a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, *arguments, *[many] * 30],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # and with Ctrl-C, even where pytest has none
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_output_appears_before_the_end_and_an_interruption_leaves_it_valid(many):
    for option in ("jsonl", "json"):
        process = start(many, "--format", option)
        lines = [process.stdout.readline() for _ in range(40)]
        assert process.poll() is None  # streaming: most is still to be done
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does: every process of the group
        whole = "".join(lines) + process.stdout.read()
        assert process.wait(60) == 130 and process.stderr.read().splitlines() == ["predict.py: interrupted"]
        records = json.loads(whole) if option == "json" else records_of(whole)
        assert 39 <= len(records) < 9000 and os.path.basename(records[11]["file"]) == "11.png"


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_behind(many, how):
    process = start(many)
    process.stdout.readline()
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        children = file.read().split()
    assert children
    process.send_signal(how)
    process.communicate(timeout=60)
    end = time.monotonic() + 30
    while any(os.path.exists(f"/proc/{child}") for child in children):
        assert time.monotonic() < end, "a worker outlived the command"
        time.sleep(0.1)


def test_sigterm_leaves_nothing_half_written(many, tmp_path):
    process = start(many, "--output", tmp_path / "answers.csv")
    end = time.monotonic() + 60
    while not os.listdir(tmp_path):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    process.terminate()
    assert process.wait(60) == 143 and os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")
def test_a_killed_worker_is_told_with_the_image_to_go_on_from(many):
    process = start(many, "--format", "jsonl")
    lines = [process.stdout.readline()]
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        for child in file.read().split():
            if b"spawn_main" in pathlib.Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
    lines += process.stdout.readlines()
    message = process.stderr.read().splitlines()[-1]
    assert process.wait(60) == 2
    assert f"{many / str(len(lines) % 330)}.png (out of memory" in message  # the first that has no answer


@pytest.mark.parametrize("option", ["--format", "--output"])
def test_progress_bar_only_on_a_terminal(many, tmp_path, option):
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    arguments = ["--format", "jsonl"] if option == "--format" else ["--output", tmp_path / "out.jsonl"]
    with open(tmp_path / ("out.jsonl" if option == "--format" else "nothing"), "w") as out:
        process = subprocess.Popen([*COMMAND, *arguments, many], stdout=out, stderr=end)
    os.close(end)
    shown = b""
    try:
        while chunk := os.read(terminal, 65536):
            shown += chunk
    except OSError:  # how Linux ends a terminal
        pass
    text = (tmp_path / "out.jsonl").read_text()
    assert process.wait() == 1 and len(records_of(text)) == 330
    assert b"330/330" in shown and "%|" not in text
