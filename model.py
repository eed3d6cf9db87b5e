"""The network: a small convolutional classifier of 28x28 handwritten digits, and how it is saved and loaded.

python model.py          # print the layers of the default network

model = build_model()                             # a fresh network
model = load_model("models/mnist_cnn.keras")      # a trained one
probabilities = model.predict(images[..., None])  # (N, 10); images: (N, 28, 28), 0 = paper to 255 = ink
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import pathlib
import tempfile
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import quiet
from command_line import Parser
from files import UserError, printable, run
from model_archive import check_archive

if TYPE_CHECKING:
    import keras
    import numpy as np

MODEL_PATH = pathlib.Path(__file__).resolve().parent / "models" / "mnist_cnn.keras"
INPUT_SHAPE = (28, 28, 1)
NUM_CLASSES = 10

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's notes to developers; what fails raises an exception


def start_tensorflow() -> None:
    """Import Keras and TensorFlow, and wake the devices, without their notes to developers on standard error."""
    with quiet.native_output():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.zeros(1)


def build_model(
    blocks: Sequence[Sequence[int]] = ((32,), (64, 128), (192,)), dropout: float = 0.3, fused: bool = False
) -> keras.Model:
    """Build the CNN: blocks of convolutions with max pooling between them, then one dense softmax layer.

    The first convolution is 5x5, the others 3x3: on full-size pictures one wide look costs less than two narrow
    ones. None is padded: a digit lies inside a margin of four pixels, and each row and column less is time saved. Every
    convolution is followed by batch normalisation (Ioffe & Szegedy 2015, arXiv 1502.03167) and ReLU; where a block ends,
    they come after the pooling, on a quarter of the values.

    Args:
        blocks: for each block, the number of filters of its convolutions.
        dropout: share of the last features hidden during training (Srivastava et al. 2014, JMLR 15), 0 to 1.
        fused: normalise with layers.FusedBatchNormalization: the same variables, quicker training.

    Returns:
        Uncompiled keras.Model: (N, 28, 28, 1) float32 pixels, 0 to 255, to (N, 10) float32 probabilities.
    """
    from keras import Input, Model, layers

    normalisation = layers.BatchNormalization
    if fused:
        from layers import FusedBatchNormalization as normalisation
    x = images = Input(INPUT_SHAPE, name="images")
    x = layers.Rescaling(1 / 255, name="scale_to_0_1")(x)
    for number, block in enumerate(blocks, 1):
        for position, filters in enumerate(block, 1):
            letter = "abcdefgh"[position - 1]
            x = layers.Conv2D(filters, 5 if letter == "a" and number == 1 else 3, use_bias=False, name=f"conv_{number}{letter}")(x)
            if position == len(block) and number < len(blocks):
                x = layers.MaxPooling2D(name=f"pool_{number}")(x)
            x = normalisation(momentum=0.9, name=f"norm_{number}{letter}")(x)
            x = layers.ReLU(name=f"relu_{number}{letter}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    return Model(images, layers.Dense(NUM_CLASSES, activation="softmax", name="digits")(x), name="mnist_cnn")


def best_temperature(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the temperature that fits best, and the mean cross-entropy (nats) that it leads to.

    Args:
        probabilities: (N, 10) float32. labels: (N,) integers, 0 to 9.

    Returns:
        (temperature, loss), floats.
    """
    import numpy as np

    logits = np.log(np.maximum(probabilities, 1e-12))
    right = logits[np.arange(len(labels)), labels]

    def loss(temperature):
        return float(np.mean(np.log(np.exp(logits / temperature).sum(axis=1)) - right / temperature))

    temperature = min(np.geomspace(0.2, 3, 200), key=loss)
    return float(temperature), loss(temperature)


def calibrate(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Make the model's probabilities honest: divide its logits, for good, by the temperature that fits best.

    Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv 1706.04599, section
    4.2) on images that were not trained on. It goes into the last layer's weights and costs nothing later.

    Args:
        model: from `build_model`; changed in place.
        images: (N, 28, 28) pixels, 0 to 255. labels: (N,) integers, 0 to 9.

    Returns:
        The temperature (float): above 1 where the model was too sure, below 1 where it was too careful.
    """
    temperature, _ = best_temperature(predict(model, images), labels)
    layer = model.get_layer("digits")
    layer.set_weights([weights / temperature for weights in layer.get_weights()])
    return temperature


def predict(model: keras.Model, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Return the probabilities (N, 10) float32 of images (N, 28, 28), pixels 0 to 255.

    Raises:
        UserError: an answer is not a number.
    """
    import numpy as np

    probabilities = model.predict(images[..., None].astype("float32"), batch_size=batch_size, verbose=0)
    if not np.isfinite(probabilities).all():
        raise UserError("the model's answers are not numbers (its weights are damaged); train it again.")
    return probabilities


def load_model(path: str | os.PathLike = MODEL_PATH) -> keras.Model:
    """Load a trained model in Keras's safe mode, in which a file cannot bring code of its own.

    Args:
        path: a `.keras` file.

    Returns:
        keras.Model: (N, 28, 28, 1) pixels, 0 to 255, to (N, 10) probabilities.

    Raises:
        UserError: missing, unreadable, damaged, unsafe, or not a model of 28x28 digits.
    """
    path = pathlib.Path(path)
    check_archive(path)
    start_tensorflow()
    import keras
    import numpy as np

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
        if shapes == ((None, *INPUT_SHAPE), (None, NUM_CLASSES)):
            model(np.zeros((1, *INPUT_SHAPE), np.float32))  # some damaged settings show only when the network runs
    except Exception as error:  # a hostile or foreign file fails in as many ways as there are layers
        raise UserError(
            f"{printable(path)} cannot be loaded by Keras {keras.__version__} ({type(error).__name__}: "
            f"{_first_line(error)}); train it again with `python train.py`."
        ) from error
    if shapes != ((None, *INPUT_SHAPE), (None, NUM_CLASSES)):
        raise UserError(
            f"{printable(path)} is not a model of 28x28 digits: it maps {shapes[0]} to {shapes[1]}; give a model that "
            "train.py wrote."
        )
    return model


def save_model(model: keras.Model, path: str | os.PathLike) -> None:
    """Save a model as a `.keras` file that older versions of Keras can read, too.

    Keras writes down every setting of every layer, and refuses those that it does not know: what 3.15 saves, 3.12
    cannot load. Settings that have Keras's default value are therefore left out.
    """
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["config.json"] = json.dumps(_without_defaults(json.loads(contents["config.json"]))).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)


def _without_defaults(part):
    """Return a part of a model's description without the settings that have their default value."""
    import keras

    if isinstance(part, list):
        return [_without_defaults(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    part = {key: _without_defaults(value) for key, value in part.items()}
    home = {"keras.layers": keras.layers, "keras.initializers": keras.initializers}.get(part.get("module"))
    if home and part["class_name"] != "Rescaling":  # which asks for all of its settings
        arguments = inspect.signature(getattr(home, part["class_name"]).__init__).parameters
        part["config"] = {
            key: value for key, value in part["config"].items() if key not in arguments or arguments[key].default != value
        }
    return part


def export_litert(model: keras.Model, path: str | os.PathLike) -> None:
    """Write the network for LiteRT (TensorFlow Lite) to `path`: float32, any batch size, the same outputs.

    Raises:
        UserError: TensorFlow cannot convert it, which happens when the folder for temporary files is full.
    """
    import tensorflow as tf

    # Not model.export(path, format="litert"), which does the same but only from Keras 3.13 on.
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the addresses of the weights
        try:
            content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
        except Exception as error:  # on a full disk it fails with a TypeError about something else
            raise UserError(
                f"cannot write the LiteRT form of the model ({type(error).__name__}: {_first_line(error)}); see "
                f"whether {tempfile.gettempdir()} is full."
            ) from error
    pathlib.Path(path).write_bytes(content)


def _first_line(error):
    return printable((str(error).strip().splitlines() or [""])[0][:200])


def main(argv: list[str] | None = None) -> int:
    """Print the default network."""

    Parser(__doc__).parse_args(argv)
    start_tensorflow()
    build_model().summary()
    return 0


if __name__ == "__main__":
    run(main)
