"""digits/inference/archive.py: every kind of file that is not a model is refused in one sentence, and nothing in it runs."""

import io
import json
import os
import re
import zipfile

import h5py
import keras
import numpy as np
import pytest

import model
from digits.inference import archive, keras_model
from digits.support.messages import UserError


def entries(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, change=None, **others):
    """Rewrite a .keras file: `change` its description, put `others` (name of config, metadata or weights) in."""
    contents = entries(path)
    if change:
        config = json.loads(contents["config.json"])
        change(config, {layer["name"]: layer["config"] for layer in config["config"]["layers"]})
        contents["config.json"] = json.dumps(config).encode()
    contents |= {{"weights": "model.weights.h5", "config": "config.json"}.get(name, name): value for name, value in others.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def refusal(path):
    """The sentence with which a file is refused."""
    with pytest.raises(UserError) as refused:
        keras_model.load_model(path)
    assert "\n" not in str(refused.value) and path.name in str(refused.value)
    return str(refused.value)


def test_missing_folder_pipe_and_other_endings(tmp_path):
    assert "no model at" in refusal(tmp_path / "missing.keras")
    (tmp_path / "folder.keras").mkdir()
    os.mkfifo(tmp_path / "pipe.keras")
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "x.pkl").write_bytes(b"\x80\4\x95")
    for name in ("folder.keras", "pipe.keras", "x.h5", "x.pkl"):
        assert "is not a .keras file" in refusal(tmp_path / name)


@pytest.mark.parametrize(
    "content", [b"", b"PK\5\6" + bytes(18), b"\x89HDF\r\n\x1a\n" + bytes(500), b"\x80\4\x95\1\0", os.urandom(5000)]
)
def test_what_is_no_archive(content, tmp_path):
    (tmp_path / "x.keras").write_bytes(content)
    assert refusal(tmp_path / "x.keras")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated(share, tiny_path):
    tiny_path.write_bytes(tiny_path.read_bytes()[: int(share * tiny_path.stat().st_size)])
    assert "damaged or no .keras file" in refusal(tiny_path)


def test_altered_byte_of_the_weights(tiny_path):
    content = bytearray(tiny_path.read_bytes())
    content[len(content) // 2] ^= 1
    tiny_path.write_bytes(content)
    assert "damaged" in refusal(tiny_path)


@pytest.mark.parametrize("name", ["../../outside", "/etc/outside", "model.weights.npz", "assets/vocabulary.txt", "x.pkl"])
def test_entries_that_do_not_belong(name, tiny_path):
    assert name in refusal(rewrite(tiny_path, **{name: b"payload"}))
    assert not (tiny_path.parent.parent.parent / "outside").exists()


def test_entry_twice_and_entry_missing(tiny_path):
    with zipfile.ZipFile(tiny_path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", b"{}")
    assert "does not hold exactly" in refusal(tiny_path)
    with zipfile.ZipFile(tiny_path, "w") as archive:
        archive.writestr("config.json", b"{}")
    assert "does not hold exactly" in refusal(tiny_path)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_bomb(name, tiny_path):
    contents = entries(tiny_path)
    with zipfile.ZipFile(tiny_path, "w", zipfile.ZIP_DEFLATED) as archive:
        for other in contents:
            with archive.open(other, "w") as file:
                for _ in range(80 if other == name else 0):
                    file.write(bytes(1 << 20))
    assert tiny_path.stat().st_size < 200_000
    assert "unpacks to more" in refusal(tiny_path)


def test_huge_file_is_not_read(tmp_path):
    with open(tmp_path / "x.keras", "wb") as file:
        file.truncate(100 << 30)
    assert "is larger than" in refusal(tmp_path / "x.keras")


def test_lambda_layer_is_refused_and_not_run(tmp_path):
    executed = tmp_path / "executed"
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
            keras.layers.Lambda(lambda x, folder=str(executed): (__import__("os").makedirs(folder), x)[1], output_shape=(10,)),
        ]
    )
    if executed.exists():
        executed.rmdir()  # building ran it once
    network.save(tmp_path / "x.keras")
    assert "Lambda" in refusal(tmp_path / "x.keras") and not executed.exists()


def test_lambda_is_refused_by_keras_too(tmp_path, monkeypatch):
    """Two locks: were our list of layers to miss it, Keras's safe mode refuses it."""
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
            keras.layers.Lambda(lambda x: x, output_shape=(10,)),
        ]
    )
    network.save(tmp_path / "x.keras")
    monkeypatch.setattr(keras_model, "check_archive", lambda path: None)
    assert "cannot be loaded by Keras" in refusal(tmp_path / "x.keras")


def replace_layer(name, **entry):
    def change(config, _):
        layers = config["config"]["layers"]
        layers[[layer["name"] for layer in layers].index(name)] |= entry

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (replace_layer("flatten", class_name="Custom", module="elsewhere", registered_name="Other>Custom"), "asks for Custom"),
        (replace_layer("flatten", module="os"), "asks for Flatten"),
        (
            replace_layer("flatten", class_name="StringLookup", config={"name": "flatten", "vocabulary": "/etc/passwd"}),
            "asks for StringLookup",
        ),
        (replace_layer("flatten", class_name="TorchModuleWrapper"), "asks for TorchModuleWrapper"),
        (replace_layer("flatten", class_name="function", module="builtins", config="system"), "asks for function"),
        (lambda config, layers: config.update(class_name="eval"), "describes a eval"),
        (lambda config, layers: layers["digits"].update(units=10**9), "much larger"),
        (lambda config, layers: layers["conv_1a"].update(filters=10**9), "much larger"),
        (lambda config, layers: layers["conv_1a"].update(kernel_size=[10**6, 10**6]), "much larger"),
        (lambda config, layers: layers["conv_1a"].update(filters=10**300), "much larger"),
        (lambda config, layers: layers["digits"].update(units=-1), "impossible size"),
        (lambda config, layers: layers["digits"].update(units="10"), "impossible size"),
        (lambda config, layers: layers["digits"].update(lora_rank=10**9), "additions"),
        (lambda config, layers: layers["images"].update(batch_shape=[None, 10**6, 10**6, 1]), "not a model of 28x28"),
        (lambda config, layers: layers["images"].update(batch_shape=[10**6, 28, 28, 1]), "not a model of 28x28"),
        (lambda config, layers: config["config"]["layers"].append(config["config"]["layers"][2]), "not a chain"),
        (lambda config, layers: config["config"]["layers"].clear(), "damaged|not a model|cannot be loaded"),
        (lambda config, layers: layers["conv_1a"].update(activation="no such"), "cannot be loaded by Keras"),
        (lambda config, layers: config.clear(), "damaged"),
        # Both load, and fail when the network runs: found by benchmarks/faults.py.
        (lambda config, layers: layers["conv_1a"].update(dilation_rate=[0.5, 1]), "cannot be loaded by Keras"),
        (
            lambda config, layers: next(layer for layer in config["config"]["layers"] if layer["name"] == "norm_2a")[
                "inbound_nodes"
            ][0]["kwargs"].update(mask={}),
            "cannot be loaded by Keras",
        ),
    ],
)
def test_hostile_descriptions(change, words, tiny_path):
    assert re.search(words, refusal(rewrite(tiny_path, change)))


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        b'"\\ud800"',
        b"\xff",
        b'{"class_name": {"a": 1}}',
        b'{"class_name": "Functional", "config": {"layers": 5}}',
    ],
)
def test_descriptions_that_are_none(config, tiny_path):
    assert refusal(rewrite(tiny_path, config=config))


def weights(write):
    """An HDF5 file as bytes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_in_other_files_are_not_read(tiny_path):
    for write, words in (
        (lambda file: file.__setitem__("layers", h5py.ExternalLink("/etc/other.h5", "/")), "links to elsewhere"),
        (lambda file: file.__setitem__("layers", h5py.SoftLink("/")), "links to elsewhere"),
        (lambda file: file.create_dataset("a", (4,), "u1", external=[("/etc/passwd", 0, 4)]), "in other files"),
        (lambda file: file.create_dataset("a", (1 << 40,), "f4", chunks=(1 << 20,)), "unpacks to more"),
        (lambda file: file.create_dataset("a", data=np.array([b"x"], dtype="S1")), "no numbers"),
    ):
        assert words in refusal(rewrite(tiny_path, weights=weights(write)))
    assert refusal(rewrite(tiny_path, weights=weights(lambda file: None)))
    assert "damaged" in refusal(rewrite(tiny_path, weights=b"\x80\4\x95 a pickle"))


def test_limits_leave_room_for_other_networks_of_the_kind(tmp_path):
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, padding="same", kernel_initializer="he_normal"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile("adam", "sparse_categorical_crossentropy")
    network.save(tmp_path / "x.keras")
    assert keras_model.load_model(tmp_path / "x.keras").count_params() == network.count_params()


def test_the_network_of_this_project_passes(tmp_path):
    model.build_model().save(tmp_path / "x.keras")
    archive.check_archive(tmp_path / "x.keras")
