"""The notebooks run from top to bottom, and what they show on GitHub is what they show when run."""
import pathlib

import nbclient
import nbformat
import pytest

import model

FOLDER = pathlib.Path(model.__file__).parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def printed(notebook):
    """What each code cell prints, and how many pictures it shows."""
    return [("".join(output.get("text", "") for output in cell.outputs),
             sum("image/png" in output.get("data", {}) for output in cell.outputs))
            for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_shows_what_it_did_when_it_was_saved(path):
    notebook = nbformat.read(path, as_version=4)
    saved = printed(notebook)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(FOLDER)}}).execute()
    assert printed(notebook) == saved, f"save its outputs: jupyter execute --inplace notebooks/{path.name}"


def test_there_is_a_notebook_to_start_with():
    assert "getting_started" in [path.stem for path in NOTEBOOKS]
