"""A few hundred damaged files through the code that the commands run; benchmarks/faults.py tries thousands."""

import random

import pytest

import data_loader
from benchmarks import faults
from digits.support import idx
from digits.support.messages import UserError
from helpers import make_arrays


def test_damaged_images(trained_path):
    assert not +faults.fuzz("images", 150, 1, trained_path)


def test_damaged_models(trained_path):
    assert not +faults.fuzz("models", 60, 1, trained_path)


@pytest.mark.parametrize("name", ["mine.npz", "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz"])
def test_damaged_data_sets(name, tmp_path):
    import gzip

    import numpy as np

    arrays = make_arrays(20)
    if name == "mine.npz":
        np.savez_compressed(tmp_path / name, **arrays)
    else:
        for key, (file, _) in data_loader.MNIST_FILES.items():
            content = idx.idx_bytes(arrays[key])
            (tmp_path / (file + name[23:])).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    path = tmp_path / name
    content = path.read_bytes()
    refused = 0
    for number in range(60):
        path.write_bytes(faults.mutate(content, random.Random(number)))
        try:
            data = data_loader.load_dataset(path if name == "mine.npz" else tmp_path)
            assert data.x_train.shape[1:] == (28, 28) and len(data.x_train) == len(data.y_train)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error) and str(error).isprintable()
    assert refused > 10


def test_a_fault_would_be_counted(trained_path, monkeypatch):
    monkeypatch.setattr("predict.main", lambda _: 1 / 0)
    assert faults.try_files("images", 0, 3, 1, trained_path) == {"tracebacks": 3}


def test_too_much_memory_would_be_counted(trained_path, monkeypatch, capfd):
    monkeypatch.setattr(faults, "MEMORY_BYTES", 1e6)
    faults.main(["--worker", "images", "0", "1", str(trained_path)])
    assert '"over 1.5 GB": 1' in capfd.readouterr().out
