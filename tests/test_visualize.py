"""visualize.py: the figures it writes, what it draws in them, and its refusals."""

import shutil

import numpy as np
import pytest
from PIL import Image

import data_loader
import visualize
from digits.support import files, messages
from helpers import history, run


@pytest.fixture(scope="module")
def arguments(tiny, tmp_path_factory):
    """A command line for a small network, with a record beside it and 100 test images."""
    folder = tmp_path_factory.mktemp("model")
    tiny.save(folder / "tiny.keras")
    files.write_json(folder / "tiny.json", {"history": history(0.95, 0.97)})
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28)).astype(np.uint8)
    labels = (np.arange(100) % 10).astype(np.uint8)
    np.savez(folder / "noise.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return ["--model", str(folder / "tiny.keras"), "--data", str(folder / "noise.npz")]


@pytest.mark.slow
def test_writes_every_figure(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    folder = tmp_path / "new" / "figures"
    assert visualize.main([*arguments, "--output-dir", str(folder), "--image", "17"]) == 0
    assert sorted(path.stem for path in folder.iterdir()) == sorted(visualize.FIGURES)
    for path in folder.iterdir():
        with Image.open(path) as figure:
            assert figure.format == "PNG" and min(figure.size) > 250
            assert np.asarray(figure.convert("L")).std() > 5  # not blank
    assert capsys.readouterr().out.count("wrote ") == len(visualize.FIGURES)


def test_draws_the_digit_that_was_asked_for(arguments):
    data = data_loader.load_dataset(arguments[-1])
    figure = visualize.draw("feature_maps", visualize.Inputs(arguments[1], arguments[-1], index=17))
    assert np.array_equal(figure.axes[0].images[0].get_array(), data.x_test[17])
    assert figure.texts[0].get_text().endswith(f"this {data.y_test[17]}")


def test_digits_of_several_classes_are_drawn_of_data_that_are_sorted_by_class(arguments, mnist, monkeypatch):
    order = np.argsort(mnist.y_train, kind="stable")
    inputs = visualize.Inputs(arguments[1])
    inputs.data = mnist._replace(x_train=mnist.x_train[order], y_train=mnist.y_train[order])
    monkeypatch.setattr(visualize, "draw_augmentation", lambda images: images)
    drawn = visualize.draw("augmentation", inputs)
    assert len({mnist.y_train[(mnist.x_train == image).all(axis=(1, 2)).argmax()] for image in drawn}) == len(drawn)


def test_draws_the_named_figures_only(arguments, tmp_path, capsys):
    assert visualize.main([*arguments, "--output-dir", str(tmp_path), "filters", "training_curves", "filters"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filters.png", "training_curves.png"]
    assert capsys.readouterr().out.split() == [
        "wrote",
        str(tmp_path / "filters.png"),
        "wrote",
        str(tmp_path / "training_curves.png"),
    ]


@pytest.mark.slow
def test_nothing_but_the_result_appears(arguments, tmp_path):
    """By the command line, where TensorFlow starts; each of these figures starts it in another way."""
    for name in ("augmentation", "filters"):
        done = run("visualize.py", name, *arguments, "--output-dir", tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote {tmp_path / name}.png\n", "")


def test_unknown_name_is_refused_with_the_known_ones(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        visualize.main([*arguments, "--output-dir", str(tmp_path / "figures"), "filters", "fliters"])
    message = capsys.readouterr().err
    assert end.value.code == 2 and "no figure named fliters" in message and "saliency" in message
    assert not (tmp_path / "figures").exists()


def test_an_option_that_no_figure_needs_is_refused(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        visualize.main([*arguments, "--output-dir", str(tmp_path / "figures"), "predictions", "--image", "5"])
    assert end.value.code == 2 and "--image is not for what is to be drawn; it is for feature_maps" in capsys.readouterr().err
    assert not (tmp_path / "figures").exists()


def test_figures_whose_files_are_missing_are_left_out_and_named(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(visualize, "DEFAULT_MODEL", tmp_path / "nowhere.keras")
    assert visualize.main([*arguments[2:], "--output-dir", str(tmp_path)]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["augmentation.png", "samples.png"]
    printed = capsys.readouterr()
    assert printed.out.count("wrote ") == 2
    left_out = printed.err.splitlines()
    assert len(left_out) == len(visualize.FIGURES) - 2 and all("nowhere" in line for line in left_out)
    assert any(line.startswith("visualize.py: left out training_curves: there is no record") for line in left_out)


def test_what_is_asked_for_by_name_is_not_left_out(arguments, tmp_path):
    lonely = tmp_path / "lonely.keras"
    shutil.copy(arguments[1], lonely)
    with pytest.raises(messages.UserError, match="no record of a training"):
        visualize.main(["training_curves", "--model", str(lonely), "--output-dir", str(tmp_path / "figures")])
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    "changed, message",
    [
        (["--image", "100"], "from 0 to 99"),
        (["--image", "-1"], "from 0 to 99"),
        (["--model", "nowhere.keras"], "there is no model"),
        (["--data", "nowhere.npz"], "there is no data set"),
        (["--photo", "nowhere.jpg"], "nowhere.jpg does not exist"),
        (["--output-dir", __file__], "is a file, not a folder"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(changed, message, arguments, tmp_path):
    with pytest.raises(messages.UserError, match=message):
        visualize.main([*arguments, "--output-dir", str(tmp_path / "figures"), *changed])
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize("backend", ["agg", "no-such-backend"])
def test_show_without_a_display_is_refused_before_any_work(backend, arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", backend)
    result = run("visualize.py", *arguments, "--show", "--output-dir", tmp_path)
    assert result.returncode == 2 and "no window can be opened here" in result.stderr
    assert "Traceback" not in result.stderr and list(tmp_path.iterdir()) == []


def test_show_opens_a_window_for_each_figure(arguments, tmp_path, monkeypatch):
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr(visualize, "check_display", lambda: None)
    monkeypatch.setattr(pyplot, "show", lambda: shown.extend(pyplot.get_figlabels()))
    assert visualize.main([*arguments, "--show", "--output-dir", str(tmp_path), "samples", "filters"]) == 0
    pyplot.close("all")
    assert shown == ["samples", "filters"]
