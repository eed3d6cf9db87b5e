"""The code itself: its format, faults that can be seen without running it, types, and which module may import which."""

import ast
import subprocess
import sys

import pytest

from conftest import ROOT

SCRIPTS = {"train", "evaluate", "predict", "visualize", "export"}
MODULES = sorted(ROOT.glob("*.py"))


@pytest.mark.parametrize("tool", [["ruff", "format", "--check", "."], ["ruff", "check", "."], ["mypy"]], ids=" ".join)
def test_tools_are_content(tool):
    done = subprocess.run([sys.executable, "-m", *tool], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_no_module_imports_a_script(path):
    """So that each part can be used, tried and tested without those above it."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        imported |= {name.name for name in node.names} if isinstance(node, ast.Import) else set()
        imported |= {node.module} if isinstance(node, ast.ImportFrom) else set()
    assert not imported & SCRIPTS
