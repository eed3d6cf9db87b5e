"""digits/support/command_line.py: exit statuses, one sentence for each fault, options that are numbers."""

import os
import pathlib
import subprocess
import sys

import pytest

from digits.support.command_line import Parser, number, options_of, quoted
from helpers import ROOT


def run_script(path, **streams):
    """Run a script that uses the project."""
    streams = streams or {"capture_output": True}
    return subprocess.run([sys.executable, path], env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, **streams)


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
    script.write_text(f"from digits.support import command_line, messages\ndef main():\n    {body}\ncommand_line.run(main)\n")
    process = run_script(script)
    assert (process.returncode, process.stderr) == (status, error)


def test_commands_are_quoted_as_the_shell_of_the_system_takes_them(monkeypatch):
    words = ["train.py", "--model", "my models/a.keras"]
    assert quoted(words) == "train.py --model 'my models/a.keras'"
    monkeypatch.setattr(os, "name", "nt")
    assert quoted(words) == 'train.py --model "my models/a.keras"'


@pytest.mark.parametrize(
    "line", ["evaluate.py --output-dir=", "train.py --tensorboard=", "visualize.py --model=", "export.py --model="]
)
def test_an_empty_path_is_refused(line, tmp_path):
    done = subprocess.run([sys.executable, *str(ROOT / line).split()], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "the path is empty" in done.stderr and os.listdir(tmp_path) == []


def test_bugs_keep_their_traceback(tmp_path):
    script = tmp_path / "x.py"
    script.write_text("from digits.support import command_line\ncommand_line.run(lambda: 1 / 0)\n")
    process = run_script(script)
    assert process.returncode == 1 and "ZeroDivisionError" in process.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")
def test_output_to_a_full_disk(tmp_path):
    script = tmp_path / "x.py"
    script.write_text("from digits.support import command_line\ncommand_line.run(lambda: print('hello') or 0)\n")
    with open("/dev/full", "w") as full:
        process = run_script(script, stdout=full, stderr=subprocess.PIPE)
    assert (process.returncode, process.stderr) == (2, "x.py: error: the disk is full or a size limit was reached.\n")


@pytest.mark.parametrize("script", ["train.py", "evaluate.py", "predict.py x.png", "visualize.py", "export.py --format litert"])
def test_missing_packages_are_told_in_one_sentence(script, tmp_path):
    """As where the environment is not active; -S: without the installed packages."""
    arguments = [sys.executable, "-S", *str(ROOT / script).split()]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "the package " in done.stderr and "pip install -r requirements.txt" in done.stderr and os.listdir(tmp_path) == []


def test_numbers_outside_their_range_are_refused(capsys):
    parser = Parser("A script.")
    parser.add_argument("--epochs", type=number(int, 1, 10))
    parser.add_argument("--rate", type=number(float, 0.5, 2))
    assert vars(parser.parse_args(["--epochs", "3", "--rate", "1e0"])) == {"epochs": 3, "rate": 1.0}
    for arguments in (["--epochs", "0"], ["--epochs", "1.5"], ["--rate", "nan"], ["--rate", "many"]):
        with pytest.raises(SystemExit) as end:
            parser.parse_args(arguments)
        said = capsys.readouterr().err
        assert end.value.code == 2 and said.count("\n") == 1 and repr(arguments[1]) in said


def test_options_that_give_the_same_again_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = Parser("A script.")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--start", nargs="?", type=pathlib.Path, const=pathlib.Path("/a b"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args(["--seed", "0", "--data", "x", "--start", "--batch-size", "64", "--resume"])
    words = options_of(arguments, parser, without=["resume"])
    assert words == ["--batch-size", "64", "--data", str(tmp_path / "x"), "--start", "/a b"]
    monkeypatch.chdir("/")
    assert options_of(parser.parse_args(words), parser) == words
