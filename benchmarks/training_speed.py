"""How quick training is: our quick recipe against a classic example, and the processor's arithmetic against its peak.

    python benchmarks/training_speed.py                # about ten minutes
    python benchmarks/training_speed.py --rounds 1

The example is the network and recipe of keras.io's "Simple MNIST convnet" (34,826 parameters, batch 128, 15
epochs, a tenth of the images held out). Both train in turn, round after round, in processes of their own, so
that a machine that slows down slows down both; wall times are of the whole process.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import tables
from digits.support import command_line
from digits.support.command_line import Parser

MULTIPLY_ADDS = 2  # floating-point operations of one multiplication and addition


def train_example(epochs=15):
    """Train the classic example and print its test accuracy."""
    import keras
    from keras import layers

    from data_loader import load_dataset

    data = load_dataset()
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        data.x_train[..., None].astype("float32"), data.y_train, batch_size=128, epochs=epochs, validation_split=0.1, verbose=0
    )
    accuracy = model.evaluate(data.x_test[..., None].astype("float32"), data.y_test, verbose=0)[1]
    print(f"accuracy {accuracy:.4f}")


def seconds(command):
    """Return (wall seconds, standard output) of a command that must succeed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return time.perf_counter() - start, done.stdout


def convolution_peak():
    """Return the float32 GFLOP/s that TensorFlow's convolution reaches here on a large, even case."""
    import tensorflow as tf

    x, kernel = tf.random.normal((128, 28, 28, 128)), tf.random.normal((3, 3, 128, 128))
    convolve = tf.function(lambda: tf.reduce_sum(tf.nn.conv2d(x, kernel, 1, "SAME")))
    convolve()
    times = []
    for _ in range(9):
        start = time.perf_counter()
        convolve().numpy()
        times.append(time.perf_counter() - start)
    return 128 * 28 * 28 * 128 * 128 * 9 * MULTIPLY_ADDS / min(times) / 1e9


def step_speed(batch_size=128, steps=60):
    """Return (milliseconds per training step, milliseconds of augmentation per batch, GFLOP/s) of our network."""
    import numpy as np
    import tensorflow as tf

    from digits.training import recipe
    from digits.training.augmentation import augment
    from model import build_model

    model = build_model()
    model.compile(recipe.optimizer(1e-3, 1000), "categorical_crossentropy")
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (batch_size, 28, 28, 1)), tf.float32)
    targets = tf.one_hot(tf.range(batch_size) % 10, 10)
    redraw = tf.function(augment)
    times = {"step": [], "augment": []}
    for _ in range(steps):
        for name, work in (
            ("step", lambda: model.train_on_batch(images, targets)),
            ("augment", lambda: redraw(images, tf.constant([0, 1]))),
        ):
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    step, augmentation = (statistics.median(times[name][5:]) for name in ("step", "augment"))
    operations = 0
    for layer in model.layers:
        if "conv" in layer.name:
            _, height, width, filters = layer.output.shape
            operations += height * width * filters * int(np.prod(layer.kernel.shape[:3]))
    # Forward once; backward twice: with respect to the inputs and to the weights.
    return 1e3 * step, 1e3 * augmentation, 3 * MULTIPLY_ADDS * operations * batch_size / step / 1e9


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each is trained (default: %(default)s)")
    tables.add_option(parser)
    parser.add_argument("--example", action="store_true", help=argparse.SUPPRESS)  # one training of the example
    arguments = parser.parse_args(argv)
    if arguments.example:
        train_example()
        return 0
    ours, example, accuracy = [], [], 0.0
    model = ROOT / "reports" / "training_speed.keras"
    for _ in range(arguments.rounds):
        wall, output = seconds([sys.executable, __file__, "--example"])
        example.append(wall)
        accuracy = float(output.split()[-1])
        wall, _ = seconds([sys.executable, "train.py", "--preset", "quick", "--model", str(model), "--restart"])
        ours.append(wall)
        print(f"example {example[-1]:.0f} s, ours {ours[-1]:.0f} s", flush=True)
    ratios = [a / b for a, b in zip(ours, example)]
    rows = [
        f"{statistics.median(values):{form}} | {min(values):{form}} | {max(values):{form}}"
        for values, form in ((example, ".0f"), (ours, ".0f"), (ratios, ".2f"))
    ]
    peak = convolution_peak()
    step, augmentation, speed = step_speed()
    text = f"""{tables.made_by(__file__, "--rounds", arguments.rounds)}

| | median | min | max |
|---|---|---|---|
| keras.io's example (test accuracy {100 * accuracy:.2f} %), seconds | {rows[0]} |
| `train.py --preset quick`, seconds | {rows[1]} |
| ratio, pair by pair | {rows[2]} |

One training step of 128 images: {step:.1f} ms, {speed:.0f} GFLOP/s in the convolutions; the peak of a large float32 convolution
here is {peak:.0f} GFLOP/s. Augmentation: {augmentation:.1f} ms more for each batch, on another thread.
"""
    tables.publish(text, arguments.table)
    return 0


if __name__ == "__main__":
    command_line.run(main)
