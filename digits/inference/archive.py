"""Refuse a `.keras` file that cannot be a model of this project, before Keras opens it.

    check_archive("models/mnist_cnn.keras")      # raises messages.UserError, or returns nothing

A `.keras` file is a zip archive of a description in JSON and of weights in HDF5. Keras's safe mode keeps code
out of it, but would still build whatever the description asks for: layers that read other files, or a million
million weights. Here a file is read with limits on every size, and passes only if it describes what train.py
can make: a chain of ordinary layers on 28x28 pixels, with a moderate number of weights.
"""

import io
import json
import math
import os
import pathlib
import zipfile

import h5py

from digits.support.messages import UserError, first_line, printable

MAX_BYTES = 64 << 20  # ours is under 3 MB: whatever unpacks to more is not a model of this project
MAX_CONFIG_BYTES = 1 << 20
MAX_WEIGHTS = MAX_BYTES // 4  # float32
MAX_VALUES = 1 << 19  # of one layer's output for one image

ENTRIES = ["config.json", "metadata.json", "model.weights.h5"]
MODELS = {"Functional", "Sequential"}
LAYERS = {
    "InputLayer",
    "Rescaling",
    "Conv2D",
    "DepthwiseConv2D",
    "Dense",
    "BatchNormalization",
    "MaxPooling2D",
    "AveragePooling2D",
    "GlobalMaxPooling2D",
    "GlobalAveragePooling2D",
    "ReLU",
    "Activation",
    "Softmax",
    "Flatten",
    "Dropout",
    "SpatialDropout2D",
}
PARTS = {"DTypePolicy", "GlorotUniform", "GlorotNormal", "HeNormal", "HeUniform", "Zeros", "Ones", "L2", "__keras_tensor__"}
MODULES = {
    None,
    "keras",
    "keras.layers",
    "keras.initializers",
    "keras.regularizers",
    "keras.models",
    "keras.src.models.functional",
    "keras.src.models.sequential",
}


def check_archive(path: str | os.PathLike) -> None:
    """Refuse what is not a `.keras` file of this project.

    Raises:
        UserError: missing, damaged, or not such a file: says which, and what to do.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise UserError(f"there is no model at {printable(path)}; train one with `python train.py`.")
    if not path.is_file() or path.suffix != ".keras":
        raise UserError(f"{printable(path)} is not a .keras file; give a model that train.py wrote.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _Unfit(f"is larger than the {MAX_BYTES >> 20} MiB that a digit model can need")
        with zipfile.ZipFile(path) as archive:
            config, weights = _read_entries(archive)
        _check_model(config)
        _check_weights(weights)
    except _Unfit as error:
        raise UserError(f"{printable(path)} {error}; give a model that train.py wrote.") from error
    except Exception as error:  # zip, JSON and HDF5 fail on hostile files in as many ways as they have fields
        raise UserError(
            f"{printable(path)} is damaged or no .keras file ({first_line(error)}); restore it, or "
            "train again with `python train.py`."
        ) from error


class _Unfit(Exception):
    """Why a file is not a model of this project: a sentence without its subject."""


def _read_entries(archive):
    """Return the description (dict) and the bytes of the weights, both within bounds and with right checksums."""
    entries = {entry.filename: entry for entry in archive.infolist()}
    if sorted(entry.filename for entry in archive.infolist()) != ENTRIES:
        others = sorted(set(entries) - set(ENTRIES))
        raise _Unfit(
            f"holds {printable(others[0][:100])}, which is no part of a digit model"
            if others
            else f"does not hold exactly {', '.join(ENTRIES)}"
        )
    if any(entry.file_size > (MAX_BYTES if name.endswith(".h5") else MAX_CONFIG_BYTES) for name, entry in entries.items()):
        raise _Unfit("unpacks to more than a digit model can need")
    contents = {name: archive.read(name) for name in ENTRIES}  # checks each entry's checksum, too
    if not isinstance(json.loads(contents["metadata.json"]).get("keras_version"), str):
        raise _Unfit("does not say which Keras wrote it")
    return json.loads(contents["config.json"]), contents["model.weights.h5"]


def _check_model(config):
    """Refuse a description of anything but a chain of ordinary layers, of bounded size, on 28x28 pixels."""
    if config["class_name"] not in MODELS:
        raise _Unfit(f"describes a {printable(str(config['class_name'])[:100])} in place of a model")
    config["compile_config"] = None  # of the training; not used when a model is loaded to be run
    _check_classes(config)
    layers, previous = config["config"]["layers"], None
    channels = values = weights = 0
    for layer in layers:
        kind, settings = layer["class_name"], layer["config"]
        if kind not in LAYERS or (kind == "InputLayer") != (previous is None):
            raise _Unfit("does not describe a chain of layers that begins with its input")
        if previous and config["class_name"] == "Functional" and _sources(layer["inbound_nodes"]) != [previous]:
            raise _Unfit("describes layers that are not a chain")
        previous = settings["name"]
        # Upper bounds: convolutions and pooling never enlarge an image.
        if kind == "InputLayer":
            if settings.get("batch_shape", settings.get("batch_input_shape")) != [None, 28, 28, 1]:
                raise _Unfit("is not a model of 28x28 pixels")
            channels, values = 1, 28 * 28
        elif kind == "Conv2D":
            weights += math.prod(_sizes(settings["kernel_size"])) * channels * _size(settings["filters"])
            channels = settings["filters"]
            values = 28 * 28 * channels
        elif kind == "DepthwiseConv2D":
            channels *= _size(settings["depth_multiplier"])
            weights += math.prod(_sizes(settings["kernel_size"])) * channels
            values = 28 * 28 * channels
        elif kind == "Dense":
            weights += channels * _size(settings["units"])
            values = values // channels * settings["units"]
            channels = settings["units"]
        elif kind == "Flatten":
            channels = values
        if settings.get("lora_rank") or settings.get("quantization_config"):
            raise _Unfit("describes a layer with additions (LoRA, quantisation) that a digit model does not have")
        if weights > MAX_WEIGHTS or values > MAX_VALUES:
            raise _Unfit("describes a network much larger than a digit model can need")


def _check_classes(part):
    """Refuse every class that is not on the lists above, anywhere in a description."""
    if isinstance(part, dict):
        if "class_name" in part:
            known = part["class_name"] in MODELS | LAYERS | PARTS and part.get("module") in MODULES
            if not known:
                raise _Unfit(f"asks for {printable(str(part['class_name'])[:100])}, which no digit model of this project has")
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            _check_classes(inner)


def _sources(nodes):
    """Return the names of the layers whose outputs a layer takes."""
    if isinstance(nodes, dict):
        if nodes.get("class_name") == "__keras_tensor__":
            return [nodes["config"]["keras_history"][0]]
        nodes = list(nodes.values())
    return [name for node in nodes for name in _sources(node)] if isinstance(nodes, list) else []


def _size(value):
    if type(value) is not int or value < 1:
        raise _Unfit("describes a layer of impossible size")
    return value


def _sizes(values):
    return [_size(value) for value in (values if isinstance(values, list) else [values])]


def _check_weights(content):
    """Refuse weights that are not plain arrays within the file, or claim more than the bounds."""
    sizes = []

    # h5py visits everything until one of these returns something else than None.
    def fault_of_link(name, link):
        return None if isinstance(link, h5py.HardLink) else "holds weights that are links to elsewhere"

    def fault_of_array(name, item):
        if not isinstance(item, h5py.Dataset):
            return None
        sizes.append(item.nbytes)
        return (
            "holds weights that lie in other files"
            if item.is_virtual or item.external
            else "holds weights that are no numbers"
            if item.dtype.kind not in "fiub"
            else "unpacks to more than a digit model can need"
            if sum(sizes) > MAX_BYTES
            else None
        )

    with h5py.File(io.BytesIO(content), "r") as file:
        fault = file.visititems_links(fault_of_link) or file.visititems(fault_of_array)
    if fault:
        raise _Unfit(fault)
