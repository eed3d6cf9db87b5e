"""Fixtures of the tests on several devices."""

import numpy as np
import pytest

from helpers import make_arrays


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """train.py's options: 2 epochs of 2 steps, global batch 128."""
    path = tmp_path_factory.mktemp("data") / "a.npz"
    np.savez_compressed(path, **make_arrays(300))
    return ["--data", path, "--epochs", "2", "--preset", "mnist", "--worker-timeout", "300"]
