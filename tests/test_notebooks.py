"""The notebooks run from top to bottom, and what they show on GitHub is what they show when run."""

import pathlib
import re
import subprocess
import sys

import nbclient
import nbformat
import pytest

import model

FOLDER = pathlib.Path(model.__file__).parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def printed(notebook):
    """What each code cell prints, and how many images it shows. (How a training comes out is drawn, not printed: it
    differs in the last digits from machine to machine.)"""
    return [
        (
            "".join(output.get("text", "") for output in cell.outputs),
            sum("image/png" in output.get("data", {}) for output in cell.outputs),
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_shows_what_it_did_when_it_was_saved(path, shipped_model):
    notebook = nbformat.read(path, as_version=4)
    saved = printed(notebook)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(FOLDER)}}).execute()
    assert printed(notebook) == saved, f"save its outputs: jupyter execute --inplace notebooks/{path.name}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_copied_to_colab_it_finds_the_clone_beside_it(path, tmp_path):
    (tmp_path / "digits-repository").symlink_to(FOLDER.parent)
    first = next(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
    finding = first.partition("sys.path.insert(0, str(PROJECT))")
    code = (
        "".join(finding[:2]).replace("%matplotlib inline", "")
        + "\nimport importlib.util\nprint(importlib.util.find_spec('model').origin)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [str(tmp_path / "digits-repository" / "model.py")], done.stderr


def test_the_notebooks_lead_from_one_to_the_next():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_explore_the_data",
        "02_train_a_cnn",
        "03_evaluate_and_understand",
        "04_your_own_handwriting",
    ]
    for path, following in zip(NOTEBOOKS, [*NOTEBOOKS[1:], None]):
        prose = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        assert "At the end you will know" in prose[0] and "## Things to try" in prose[-1]
        assert following is None or f"({following.name})" in prose[-1]
        for link in re.findall(r"\]\((?!http)([^)]*)\)", "\n".join(prose)):
            assert (FOLDER / link).exists(), link


def test_every_code_cell_was_run_in_order_and_none_failed():
    for path in NOTEBOOKS:
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), path.name
        assert not any(output.output_type == "error" or output.get("name") == "stderr" for cell in cells for output in cell.outputs)
