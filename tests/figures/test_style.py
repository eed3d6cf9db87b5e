"""digits/figures/style.py: figures need no display, keep the project's style, and are written whole."""

import os

import matplotlib
import pytest
from PIL import Image

from digits.figures import style
from digits.support.messages import UserError
from helpers import ROOT, full_disk, run_code


@style.styled
def figure():
    one = style.new_figure(3, 2, "a title", "a note")
    style.add_axes(one, 0.5, 0.5, 2, 0.7).plot([0, 1], [0, 1])
    return one


def test_no_display_and_no_pyplot_are_needed(tmp_path):
    code = (
        "import sys\nfrom digits.figures import dataset, network, reading, results, style, training\n"
        "style.save(style.new_figure(3, 2, 'title'), sys.argv[1])\nprint('matplotlib.pyplot' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    done = run_code(code, tmp_path / "x.png", env={**environment, "PYTHONPATH": str(ROOT)})
    assert (done.stdout, done.stderr) == ("False\n", "")
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (3 * style.DPI, 2 * style.DPI)


def test_a_full_disk_leaves_the_old_figure(tmp_path):
    style.save(figure(), tmp_path / "x.png")
    before = (tmp_path / "x.png").read_bytes()
    with pytest.raises(UserError, match=r"x.png: the disk is full"), full_disk(100):
        style.save(figure(), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == before and os.listdir(tmp_path) == ["x.png"]


def test_users_matplotlib_settings_do_not_show_and_stay():
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "axes.spines.top": True}):
        drawn = figure()
        assert matplotlib.rcParams["font.size"] == 30
    assert drawn.axes[0].get_facecolor()[:3] == (1, 1, 1) and not drawn.axes[0].spines["top"].get_visible()
    assert drawn.get_facecolor() == (1, 1, 1, 1)  # opaque: it stays readable on a dark page
