"""What several test files share: small data, one short training through the command line, faults on demand."""

import contextlib
import os
import pathlib
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

import data_loader

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAINING = ["--limit", "1800", "--epochs", "4"]  # a few seconds, some 97 % on MNIST's test set


def command(script, *arguments):
    """The command line of a script of the project."""
    return [sys.executable, str(ROOT / script), *map(str, arguments)]


def run(script, *arguments, **options):
    """Run a script to its end as a user would; stdout and stderr are text."""
    return subprocess.run(command(script, *arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL, **options)


def start(script, *arguments, **options):
    """Start a script; its standard output is a pipe. Ctrl-C works even where pytest runs in the background."""
    return subprocess.Popen(
        command(script, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **options,
    )


@contextlib.contextmanager
def ordinary_user():
    """Run a block without the superuser's right to write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@contextlib.contextmanager
def full_disk(limit=0):
    """Run a block in which no file can grow beyond `limit` bytes: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def make_arrays(count, seed=0):
    """Arrays of a data set: `count` training images of MNIST, every digit in turn, and 50 test images of noise."""
    data = data_loader.load_mnist()
    indices = np.concatenate(list(zip(*(np.flatnonzero(data.y_train == digit)[: count // 10 + 1] for digit in range(10)))))
    noise = np.random.default_rng(seed).integers(0, 256, (50, 28, 28)).astype(np.uint8)
    return {
        "x_train": data.x_train[indices[:count]],
        "y_train": data.y_train[indices[:count]],
        "x_test": noise,
        "y_test": np.roll(np.arange(50) % 10, seed).astype(np.uint8),
    }


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
def small_data(tmp_path_factory):
    """Folder of three data sets, a.npz to c.npz, with the same 300 training images; the third has other test images."""
    folder = tmp_path_factory.mktemp("data")
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        np.savez_compressed(folder / f"{name}.npz", **make_arrays(300, seed))
    return folder
