"""Fixtures that several test files share: MNIST, one short training, a small untrained network."""

import subprocess

import numpy as np
import pytest

import data_loader
from helpers import ROOT, TRAINING, make_arrays, run

pytest_plugins = ["served"]  # the page's server and a browser


def pytest_collection_modifyitems(items):
    """Tests on the model of the short training are slow: the first of them waits for it."""
    for item in items:
        if "training" in item.fixturenames:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shipped_model():
    """Skips a test about the model of the repository where a training has taken its place."""
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "models/mnist_cnn.keras"], cwd=ROOT, capture_output=True, text=True
    ).stdout
    if changed:  # nothing where there is no git
        pytest.skip("another model is in models/; `git checkout -- models/` brings back the one that came with the repository")


@pytest.fixture(scope="session")
def mnist():
    """MNIST as shipped."""
    return data_loader.load_mnist()


@pytest.fixture(scope="session")
def training(tmp_path_factory):
    """One short training through the command line: (subprocess.CompletedProcess, path of the model)."""
    path = tmp_path_factory.mktemp("training") / "short.keras"
    return run("train.py", *TRAINING, "--model", path, cwd=ROOT), path


@pytest.fixture(scope="session")
def trained_path(training):
    """Path of the model of the short training."""
    assert training[0].returncode == 0, training[0].stderr
    return training[1]


@pytest.fixture(scope="session")
def trained(trained_path):
    """The model of the short training, loaded."""
    from digits.inference import keras_model

    return keras_model.load_model(trained_path)


@pytest.fixture(scope="session")
def tiny():
    """A small untrained network of this project's kind, whose answers are not all alike. Do not change it."""
    import keras

    from model import build_model

    keras.utils.set_random_seed(1)
    model = build_model(blocks=((4, 6), (8,)))
    last = model.get_layer("digits")
    last.set_weights([10 * weights for weights in last.get_weights()])
    return model


@pytest.fixture
def tiny_path(tiny, tmp_path):
    """Path of the small network."""
    tiny.save(tmp_path / "tiny.keras")
    return tmp_path / "tiny.keras"


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Folder of three data sets, a.npz to c.npz, with the same 300 training images; the third has other test images."""
    folder = tmp_path_factory.mktemp("data")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        np.savez_compressed(folder / f"{name}.npz", **make_arrays(300, seed))
    return folder
