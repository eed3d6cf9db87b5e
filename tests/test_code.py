"""The code itself: its format, faults that can be seen without running it, types, and which module imports which."""

import ast
import importlib.util
import subprocess
import sys

import pytest

from helpers import ROOT, modules_after_help

SCRIPTS = sorted(path.stem for path in ROOT.glob("*.py"))
USES = {  # each room of digits/ uses itself and these
    "support": [],
    "inference": ["support"],
    "reading": ["support", "inference"],
    "training": ["support", "inference", "reading"],
    "figures": ["support", "inference", "reading"],
    "web": ["support", "inference", "reading", "figures"],
}
WITHOUT_TENSORFLOW = {"support", "reading", "figures", "web"}


@pytest.mark.parametrize("tool", [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]], ids=" ".join)
def test_tools_are_content(tool):
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def imports_of(path):
    """Return the dotted names of everything that a module of the project imports, inside functions as well."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names |= {f"{source}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", sorted(ROOT.glob("digits/**/*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_room_uses_only_what_stands_below_it(path):
    imported = [name.split(".") for name in imports_of(path)]
    assert not {name[0] for name in imported} & {*SCRIPTS, "tests", "benchmarks"}, "digits/ imports nothing of the top level"
    room = path.relative_to(ROOT).parts[1]
    if room == "__init__.py":  # the way in for other programs
        return
    assert {name[1] for name in imported if name[0] == "digits"} <= {room, *USES[room]}
    if room in WITHOUT_TENSORFLOW:
        assert not {name[0] for name in imported} & {"keras", "tensorflow"}


def test_imports_are_seen_wherever_they_stand(tmp_path, monkeypatch):
    """What `imports_of` reads: so that the test above can fail."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    module = tmp_path / "digits" / "support" / "x.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "def f():\n    import train, keras.layers\n    from ..reading import ink\n    from . import files\n    from model import a"
    )
    assert imports_of(module) == {"train", "keras.layers", "digits.reading.ink", "digits.support.files", "model.a"}


def test_the_top_level_holds_only_what_a_person_looks_for():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml", ".gitignore"}
    requirements = {"requirements.txt", "requirements-dev.txt", "requirements-notebooks.txt"}
    assert {path for path in tracked if "/" not in path} == texts | requirements | {f"{script}.py" for script in SCRIPTS}


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in ("model", "data_loader")])
def test_help_imports_nothing_slow(script):
    printed, imported = modules_after_help(script)
    assert printed.startswith("usage:")
    assert not imported & {"numpy", "tensorflow", "keras", "matplotlib", "sklearn", "cv2", "PIL", "h5py", "tqdm"}
