"""visualize.py: the pictures it writes, what it puts into them, and its refusals."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import data_loader
import visualize
from digits.figures import material
from digits.support import messages

ROOT = data_loader.MNIST_FOLDER.parent
HISTORY = """epoch,accuracy,loss,val_accuracy,val_loss,learning_rate,seconds
1,0.9,0.4,0.95,0.2,0.001,3.5
2,0.95,0.2,0.97,0.1,0,3
"""


@pytest.fixture(scope="module")
def model():
    """An untrained network of two small blocks."""
    import keras

    from model import build_model

    keras.utils.set_random_seed(1)
    return build_model(blocks=((4, 6), (8,)))


@pytest.fixture(scope="module")
def arguments(model, tmp_path_factory):
    """A command line for the network, with a history beside it and 100 test images."""
    folder = tmp_path_factory.mktemp("model")
    model.save(folder / "tiny.keras")
    (folder / "tiny.csv").write_text(HISTORY)
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28)).astype(np.uint8)
    labels = (np.arange(100) % 10).astype(np.uint8)
    np.savez(folder / "noise.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return ["--model", str(folder / "tiny.keras"), "--data", str(folder / "noise.npz")]


def test_writes_every_picture(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    folder = tmp_path / "new" / "pictures"
    assert visualize.main([*arguments, "--output-dir", str(folder), "--image", "17"]) == 0
    assert sorted(path.stem for path in folder.iterdir()) == sorted(visualize.FIGURES)
    for path in folder.iterdir():
        with Image.open(path) as picture:
            assert picture.format == "PNG" and min(picture.size) > 250
            assert np.asarray(picture.convert("L")).std() > 5  # not blank
    assert capsys.readouterr().out.count("wrote ") == len(visualize.FIGURES)


def test_draws_the_digit_that_was_asked_for(model, arguments):
    data = data_loader.load_dataset(arguments[-1])
    figure = visualize.draw_feature_maps(material.Material(arguments[1], arguments[-1], index=17))
    assert np.array_equal(figure.axes[0].images[0].get_array(), data.x_test[17])
    assert figure.texts[0].get_text().endswith(f"this {data.y_test[17]}")


def test_draws_the_named_pictures_only(arguments, tmp_path, capsys):
    assert visualize.main([*arguments, "--output-dir", str(tmp_path), "filters", "training_curves", "filters"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filters.png", "training_curves.png"]
    assert capsys.readouterr().out.split() == [
        "wrote",
        str(tmp_path / "filters.png"),
        "wrote",
        str(tmp_path / "training_curves.png"),
    ]


def test_unknown_name_is_refused_with_the_known_ones(arguments, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        visualize.main([*arguments, "--output-dir", str(tmp_path / "pictures"), "filters", "fliters"])
    message = capsys.readouterr().err
    assert end.value.code == 2 and "no picture named fliters" in message and "saliency" in message
    assert not (tmp_path / "pictures").exists()


def test_what_lacks_its_files_is_left_out_and_named(arguments, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(visualize, "MODEL_PATH", tmp_path / "nowhere.keras")
    assert visualize.main([*arguments[2:], "--output-dir", str(tmp_path)]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["augmentation.png", "samples.png"]
    printed = capsys.readouterr()
    assert printed.out.count("wrote ") == 2
    left_out = printed.err.splitlines()
    assert len(left_out) == len(visualize.FIGURES) - 2 and all("nowhere" in line for line in left_out)
    assert any(line.startswith("visualize.py: left out training_curves: there is no training history") for line in left_out)


def test_what_is_asked_for_by_name_is_not_left_out(arguments, tmp_path):
    lonely = tmp_path / "lonely.keras"
    shutil.copy(arguments[1], lonely)
    with pytest.raises(messages.UserError, match="no training history"):
        visualize.main(["training_curves", "--model", str(lonely), "--output-dir", str(tmp_path / "pictures")])
    assert not (tmp_path / "pictures").exists()


def test_reads_history(tmp_path):
    (tmp_path / "history.csv").write_text(HISTORY)
    history = material.read_history(tmp_path / "history.csv")
    assert history["epoch"] == [1, 2] and history["val_accuracy"] == [0.95, 0.97] and history["seconds"] == [3.5, 3]


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "python train.py"),
        ("", "is not a training history"),
        ("epoch,accuracy\n", "is not a training history"),
        ("epoch,accuracy\n1\n", "is not a training history"),
        ("epoch,accuracy\n1,good\n", "is not a training history"),
        ("epoch,accuracy\n1,0.5,0.6\n", "is not a training history"),
        ("epoch,accuracy\n1,0.5\n", "lacks learning_rate, loss, val_accuracy, val_loss"),
        (HISTORY.replace("0.97", "nan"), "is not a training history"),
        (b"\xff\xfe\0\0", "is not a training history"),
    ],
)
def test_bad_histories_are_refused(content, message, tmp_path):
    path = tmp_path / "history.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(messages.UserError, match=message) as refusal:
        material.read_history(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    "changed, message",
    [
        (["--image", "100"], "from 0 to 99"),
        (["--image", "-1"], "from 0 to 99"),
        (["--model", "nowhere.keras"], "there is no model"),
        (["--data", "nowhere.npz"], "there is no data set"),
        (["--photo", "nowhere.jpg"], "nowhere.jpg does not exist"),
        (["--output-dir", __file__], "cannot write"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(changed, message, arguments, tmp_path):
    with pytest.raises(messages.UserError, match=message):
        visualize.main([*arguments, "--output-dir", str(tmp_path / "pictures"), *changed])
    assert not (tmp_path / "pictures").exists()


@pytest.mark.parametrize("backend", ["agg", "no-such-backend"])
def test_show_without_a_display_is_refused_before_any_work(backend, arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", backend)
    command = [sys.executable, "visualize.py", *arguments, "--show", "--output-dir", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert result.returncode == 2 and "no window can be opened here" in result.stderr
    assert "Traceback" not in result.stderr and list(tmp_path.iterdir()) == []


def test_show_opens_a_window_for_each_picture(arguments, tmp_path, monkeypatch):
    from matplotlib import pyplot

    shown = []
    monkeypatch.setattr(visualize, "check_display", lambda: None)
    monkeypatch.setattr(pyplot, "show", lambda: shown.extend(pyplot.get_figlabels()))
    assert visualize.main([*arguments, "--show", "--output-dir", str(tmp_path), "samples", "filters"]) == 0
    pyplot.close("all")
    assert shown == ["samples", "filters"]


def test_help_imports_nothing_slow():
    code = (
        "import sys, visualize\ntry: visualize.main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'tensorflow', 'matplotlib', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert "--show" in result.stdout and result.stdout.splitlines()[-1] == "[]"
