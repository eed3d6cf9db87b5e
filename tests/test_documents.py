"""README.md and docs/: the commands do what is printed below them, the options exist, the links lead somewhere."""

import contextlib
import functools
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import export
import visualize
from digits.support import constants
from digits.training.distributed import cluster
from helpers import ROOT, command, run

DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(path for folder in ("docs", "data", "models", "benchmarks", ".github") for path in ROOT.glob(f"{folder}/**/*.md")),
    *ROOT.glob(".github/**/*.yml"),
]
README = (ROOT / "README.md").read_text()
EXPORT = (ROOT / "docs" / "export.md").read_text()
SHELL = {"console", "sh"}


def blocks(text, *languages):
    """The fenced code blocks of a document in these languages."""
    return [body for language, body in re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if language in languages]


def prose(text):
    """A document without its fenced code blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@functools.cache
def options_of(script):
    """The options that a script of the project names in its help."""
    done = run(script, "--help")
    assert done.returncode == 0, f"{script} --help: {done.stderr}"
    return set(re.findall(r"^  (?:-h, )?(--[a-z][a-z-]*)", done.stdout, re.MULTILINE))


def same(printed, expected):
    """Whether two texts agree word by word; numbers may differ by what another processor rounds otherwise."""

    def agree(first, second):
        with contextlib.suppress(ValueError):
            first, second = (float(word.strip("(),%}]")) for word in (first, second))
            return abs(first - second) <= 1e-3 * abs(second) + 2e-4
        return first == second

    words, others = printed.split(), expected.split()
    return len(words) == len(others) and all(map(agree, words, others))


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like a fresh clone to the scripts, into which they may write."""
    (tmp_path / "images").symlink_to(ROOT / "images")
    return tmp_path


def sessions():
    """(command, output below it) of the README's console blocks."""
    for block in blocks(README, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            yield part.split("\n", 1)


@pytest.mark.slow
@pytest.mark.parametrize("line, expected", [session for session in sessions() if "train.py" not in session[0]])
def test_commands_print_what_the_readme_shows(line, expected, folder, shipped_model):
    python, script, *arguments = line.split()
    assert python == "python"
    done = run(script, *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    begin, _, end = expected.partition("...\n")  # which stands for what is left out
    lines = done.stdout.splitlines(keepends=True)
    assert same("".join(lines[: begin.count("\n")]), begin), done.stdout
    assert same("".join(lines[len(lines) - end.count("\n") :]), end), done.stdout
    assert end or len(lines) == begin.count("\n"), done.stdout
    for name in re.findall(r"^wrote (.*)", expected, re.MULTILINE):
        assert (folder / name).stat().st_size > 0


def test_training_prints_what_the_readme_shows(training):
    """The short training's lines have the form of the README's, whose numbers are of the whole training."""

    def form(text):
        times = re.sub(r"\d+ min \d+ s|\d+ s", "TIME", text.split("\nThe model is")[0])
        return [re.sub(r"\d+(\.\d+)?", "N", line) for line in times.splitlines()]

    shown = form(next(expected for line, expected in sessions() if line == "python train.py"))
    printed = form(training[0].stdout)
    assert [line for line in shown if line != "..."] == [*printed[:5], *printed[-2:]]


def test_reading_from_python(folder, shipped_model):
    """The README's lines for a program of one's own, as a process of their own."""
    code = blocks(README, "python")[0]
    expected = " ".join(re.findall(r"print\(.*# (.*)", code)).replace("...", "")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(expected), done.stdout


@pytest.mark.slow
def test_three_lines_each_run_the_exported_models(folder, mnist, monkeypatch):
    """The lines of docs/export.md for LiteRT, ONNX Runtime and TensorFlow, with the shipped model exported as it says."""
    (folder / "models").mkdir()
    (folder / "models" / "mnist_cnn.tflite").symlink_to(constants.DEFAULT_MODEL.with_suffix(".tflite"))
    monkeypatch.chdir(folder)
    for kind, name in (("onnx", "mnist_cnn.onnx"), ("saved_model", "mnist_cnn_saved_model")):
        with contextlib.redirect_stdout(io.StringIO()):
            assert export.main(["--format", kind, "--output", f"models/{name}"]) == 0
    for name, size in re.findall(r"^\| `\S+` \| `(mnist_cnn\S+?)/?` \| ([\d.]+) MB", EXPORT, re.MULTILINE):
        if (path := folder / "models" / name).exists():  # all but the 8-bit one
            written = sum(file.stat().st_size for file in ([path] if path.is_file() else path.rglob("*")))
            assert float(size) == pytest.approx(written / 1e6, abs=0.01), name
    images = mnist.x_test[:30]
    parts = next(block for block in blocks(EXPORT, "python") if "onnxruntime" in block).split("\n\n")
    assert len(parts) == 3
    for part in parts:
        names = {"pixels": images[..., None].astype("float32")}
        exec(part, names)
        assert (names["probabilities"].argmax(axis=1) == mnist.y_test[:30]).all()


@pytest.mark.parametrize("name", ["standard", "mnist", "quick"])
def test_results_are_those_of_the_tables(name):
    """What README says of several seeds, against benchmarks/results."""
    table = (ROOT / "benchmarks" / "results" / f"accuracy_{name}.md").read_text()
    values = {row: float(re.search(rf"^\| \*\*{row}\*\* \| ([\d.]+)", table, re.MULTILINE)[1]) for row in ("mean", "min", "max")}
    line = next(line for line in README.splitlines() if f"results/accuracy_{name}.md" in line)
    mean, low, high = re.search(r"mean \**([\d.]+) %\** \(([\d.]+) to ([\d.]+)", line).groups()
    assert (mean, low, high) == (f"{values['mean']:.2f}", f"{values['min']:.2f}", f"{values['max']:.2f}")


def test_results_of_the_shipped_model_are_what_evaluate_prints():
    printed = next(expected for line, expected in sessions() if line == "python evaluate.py")
    rows = [line for line in README.splitlines() if line.endswith("| `python evaluate.py` |")]
    assert len(rows) == 3
    for row in rows:
        assert re.search(r"[\d.]+(?= ?%)", row)[0] in re.findall(r"[\d.]+(?= ?%)", printed), row
    misread = re.search(r"\d+ of 10,000 misread", printed)[0]
    assert misread in rows[0]


def test_images_are_listed_where_they_are_looked_for():
    docstring = re.findall(r"^    (\w+)  +\w", visualize.__doc__ or "", re.MULTILINE)
    section = README[README.index("## Look: ") : README.index("## Learn: ")]
    named = [name for name in re.findall(r"`(\w+)`", section) if name != "NAME"]
    assert docstring == list(visualize.FIGURES) and sorted(named) == sorted(visualize.FIGURES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "reading.png",
        "reading_stages.png",
        "architecture.png",
        "training_curves.png",
        "confusion_matrix.png",
        "reliability.png",
        "feature_maps.png",
    ],
)
def test_images_of_the_readme_are_what_is_drawn_now(name, folder, shipped_model):
    if name == "reading.png":
        assert run("predict.py", "images/examples/number.jpg", "--annotate", ".", cwd=folder).returncode == 0
    else:
        assert visualize.main([name[:-4].replace("_stages", ""), "--output-dir", str(folder)]) == 0
    (path,) = folder.glob("*.png")
    drawn, shown = Image.open(path), Image.open(ROOT / "images" / name)
    assert drawn.size == shown.size
    same_version = drawn.info.get("Software") == shown.info.get("Software")  # others draw letters otherwise
    different = np.abs(np.asarray(drawn.convert("L"), int) - np.asarray(shown.convert("L"), int)) > 64
    assert different.mean() < (5e-4 if same_version else 0.05)


def test_ci_runs_the_test_command_of_the_readme():
    line = next(line for block in blocks(README, "sh") for line in block.splitlines() if "pytest" in line)
    assert (ROOT / ".ci" / "run").read_text().strip().endswith(f"\n{line}")
    assert line in (ROOT / "CONTRIBUTING.md").read_text()
    assert "bash .ci/run" in (ROOT / ".github" / "workflows" / "tests.yml").read_text()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_exist(path):
    """In each command `python SCRIPT ...`, and in the sections that are about one script."""
    text, found = path.read_text(), []
    for script, rest in re.findall(r"python3? ((?:benchmarks/)?\w+\.py)((?:\\\n|[^`\n|>])*)", text):
        found += [(script, option) for option in re.findall(r"(?<=\s)--[a-z][a-z-]*", rest)]
        options_of(script)  # the script exists, and says how it is used
    for script, section in re.findall(r"^## [^\n]*`(\w+\.py)`\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE):
        found += [
            (script, option) for span in re.findall(r"`(--[^`]+)`", section) for option in re.findall(r"--[a-z][a-z-]*", span)
        ]
    if path == ROOT / "README.md":  # elsewhere in it, an option may be any script's
        scripts = {path.name for path in ROOT.glob("*.py")} - {"model.py", "data_loader.py"}
        every = set().union(*map(options_of, scripts))
        spans = re.findall(r"`(--[^`]+)`", prose(text))
        assert {option for span in spans for option in re.findall(r"--[a-z][a-z-]*", span)} <= every
        assert every - {"--help", "--worker-timeout"} <= set(re.findall(r"--[a-z][a-z-]*", text))  # that one: docs/distributed.md
    for script, option in found:
        assert option in options_of(script), f"{path.name}: {script} has no {option}"
    assert path != ROOT / "README.md" or len(found) > 30


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    text = prose(path.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith(("http://", "https://")):
            file, _, anchor = target.partition("#")
            goal = path.parent / file if file else path
            assert goal.exists(), f"{path.name}: {target}"
            assert not anchor or anchor in anchors(goal.read_text()), f"{path.name}: {target}"


def anchors(text):
    """The anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_contents_name_every_section():
    listed = re.findall(r"\]\(#([\w-]+)\)", README[README.index("**Contents**") : README.index("## Quick start")])
    assert listed == anchors(README)[1:]


def test_the_layout_names_every_script_and_room():
    layout = next(block for block in blocks(README, "text") if "what a person runs" in block)
    assert set(re.findall(r"\w+\.py", layout)) == {path.name for path in ROOT.glob("*.py")}
    rooms = [path.name for path in (ROOT / "digits").iterdir() if (path / "__init__.py").exists()]
    assert sorted(re.findall(r"^  (\w+)/", layout, re.MULTILINE)) == sorted(rooms)


def test_readme_is_read_in_ten_minutes():
    assert len(README.splitlines()) <= 250
    assert all(len(line) <= 100 for block in blocks(README, "console") for line in block.splitlines())


def test_packages_are_named_with_their_reason():
    table = README[README.index("## Dependencies, and why") : README.index("## Licence and thanks")]
    for requirements in ROOT.glob("requirements*.txt"):
        for package in re.findall(r"^([a-z][\w-]*)", requirements.read_text(), re.MULTILINE):
            assert re.search(rf"^\|.*\b{package}\b.*\|.*\|$", table, re.MULTILINE), f"{package} of {requirements.name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shell_and_python_lines_are_well_formed(path):
    for block in blocks(path.read_text(), "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    for block in blocks(path.read_text(), "python"):
        compile(block, path.name, "exec")
        for module, names in re.findall(r"from (\w+) import ([\w, ]+)", block):
            if (ROOT / f"{module}.py").exists():
                assert all(hasattr(__import__(module), name) for name in re.findall(r"\w+", names)), block


def test_slurm_lines_describe_the_cluster(tmp_path):
    """With stand-ins for Slurm's commands: three nodes, of which this is the second, and a checkpoint to go on from."""
    block = next(block for block in blocks((ROOT / "docs" / "distributed.md").read_text(), "sh") if "scontrol" in block)
    stand_ins = {
        "scontrol": 'test "$*" = "show hostnames node[1-3]" && printf "node1\\nnode2\\nnode3\\n"',
        "srun": 'test "$1" = --kill-on-bad-exit=1 && shift && SLURM_PROCID=1 exec "$@"',
        "python": 'printf "%s\\n%s\\n" "$TF_CONFIG" "$*"',
    }
    for name, text in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "big.checkpoint.npz").touch()
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node[1-3]"}
    done = subprocess.run(["bash"], input=block, cwd=tmp_path, env=environment, capture_output=True, text=True)
    config, arguments = done.stdout.splitlines()
    assert cluster.worker_of("multiworker", config) == cluster.Worker(("node1:12345", "node2:12345", "node3:12345"), 1)
    assert json.loads(config)["task"]["type"] == "worker"
    assert arguments.startswith("train.py --strategy multiworker") and arguments.endswith("models/big.keras --resume")


def test_two_terminals_describe_one_cluster():
    block = blocks((ROOT / "docs" / "distributed.md").read_text(), "sh")[0]
    places = [cluster.worker_of("multiworker", text) for text in re.findall(r"TF_CONFIG='(.*)'", block)]
    assert len(places) == 2 and places[0].addresses == places[1].addresses and len(places[0].addresses) == 2


def test_the_help_of_every_script_is_its_docstring():
    for script in ("train.py", "evaluate.py", "predict.py", "visualize.py", "export.py", "app.py"):
        first = (ROOT / script).read_text().splitlines()[0].strip('"')
        assert first in subprocess.run(command(script, "--help"), capture_output=True, text=True).stdout
