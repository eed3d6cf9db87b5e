"""Train the digit recogniser and save it.

    python train.py                                    # full training on MNIST: models/mnist_cnn.keras
    python train.py --preset quick                     # a minute or so
    python train.py --limit 3000 --epochs 2 --model models/try.keras
    python train.py --data my_digits/ --model models/mine.keras
    python train.py --resume                           # go on after an interruption

Writes, each file whole or not at all: the model (.keras), and beside it, under the same name, the same network
for LiteRT (.tflite) and a record of how it was made (.json). While training runs, everything needed to go on
after an interruption is in NAME.checkpoint.npz, written after each epoch. The same seed on the same machine, with
the same package versions, gives the same weights, interrupted or not. The test images are never looked at: the
epoch kept is the one with the best validation accuracy.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
from typing import TYPE_CHECKING

from digits.inference import model_files
from digits.support import command_line
from digits.support.command_line import Parser, number
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import UserError, duration, percent, printable, shown
from digits.training.distributed import cluster

if TYPE_CHECKING:
    from data_loader import Dataset
    from digits.training.progress import Settings
    from digits.training.session import Session

# The recipes: passes over the training images, and how many synthetic digits and negatives (images of no digit)
# join them, as a share of their number. `mnist` is for comparing MNIST scores: nothing but MNIST.
PRESETS = {
    "standard": {"epochs": 20, "synthetic_share": 0.18, "negatives_share": 0.2},
    "quick": {"epochs": 4, "synthetic_share": 0.12, "negatives_share": 0.12},
    "mnist": {"epochs": 20, "synthetic_share": 0.0, "negatives_share": 0.0},
}


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line's arguments; what a preset decides is filled in."""
    parser = Parser(__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="standard", help="the recipe (default: %(default)s)")
    parser.add_argument("--epochs", type=number(int, 1, 10**9), help="passes over the training images (default: the preset's)")
    parser.add_argument(
        "--batch-size",
        type=number(int, 1, 10**9),
        default=128,
        help="images per step, over all GPUs and machines; the learning rate is not scaled with it (default: %(default)s)",
    )
    parser.add_argument(
        "--learning-rate",
        type=number(float, 1e-9, 1e9),
        default=3e-3,
        help="its highest value, after the warm-up (default: %(default)s)",
    )
    parser.add_argument("--seed", type=number(int, 0, 2**31 - 1), default=0, help="of everything random (default: %(default)s)")
    parser.add_argument(
        "--validation-size",
        type=number(int, 1, 10**9),
        metavar="N",
        help="training images held out to choose the best epoch (default: one in twelve, 5000 of MNIST's)",
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="a .npz with x_train, y_train, x_test, y_test; a folder of IDX "
        "files; or a folder with one sub-folder of images per digit (default: MNIST in data/)",
    )
    parser.add_argument(
        "--limit", type=number(int, 1, 10**9), metavar="N", help="use N of the training images, chosen at random, class by class"
    )
    parser.add_argument(
        "--model", type=pathlib.Path, default=DEFAULT_MODEL, metavar="PATH", help="where to save (default: models/mnist_cnn.keras)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the interrupted training of --model")
    parser.add_argument("--restart", action="store_true", help="start over where a training of --model was interrupted")
    parser.add_argument("--tensorboard", metavar="FOLDER", help="write the history there for TensorBoard, too")
    parser.add_argument(
        "--strategy",
        choices=cluster.STRATEGIES,
        default="none",
        help="mirrored: all GPUs of this machine; "
        "multiworker: the machines that TF_CONFIG names, see docs/distributed.md (default: %(default)s)",
    )
    parser.add_argument(
        "--worker-timeout",
        type=number(float, 0.1, 10**6),
        default=300,
        metavar="SECONDS",
        help="how long a worker waits for the others (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    if arguments.model.suffix != ".keras":
        parser.error(f"--model must end in .keras, not {printable(arguments.model.name)}")
    if arguments.resume and arguments.restart:
        parser.error("--resume and --restart exclude each other")
    arguments.epochs = arguments.epochs or PRESETS[arguments.preset]["epochs"]
    return arguments


def train(arguments: argparse.Namespace, session: Session) -> None:
    """Train as `arguments` say, and save the model with the weights of its best epoch."""
    print("Loading the data and TensorFlow ...", flush=True)
    from data_loader import load_dataset, split, subset
    from digits.training.distributed import devices
    from digits.training.progress import record

    data = load_dataset(arguments.data)
    part = subset(data.y_train, arguments.limit, arguments.seed)
    x, y = data.x_train[part], data.y_train[part]
    training, validation = split(y, arguments.validation_size or len(y) // 12, arguments.seed)
    x_validation, y_validation = x[validation], y[validation]
    settings = settings_of(arguments, data, len(validation))
    progress = session.begin(settings)

    device = devices.start(arguments.strategy, session.worker, arguments.worker_timeout)
    import keras
    import tensorflow as tf

    from digits.inference.calibration import calibrate
    from digits.training import callbacks, recipe
    from model import build_model

    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    shares = {name: PRESETS[settings.preset][name] for name in ("synthetic_share", "negatives_share")}
    images, labels = recipe.training_set(x[training], y[training], **shares, seed=settings.seed)
    batches = recipe.Batches(images, labels, settings.batch_size, settings.seed)
    with device.scope():
        model = build_model()
        model.compile(
            optimizer=recipe.optimizer(settings.learning_rate, steps=settings.epochs * batches.steps),
            loss="categorical_crossentropy",
            metrics=[recipe.accuracy],
        )
    device.share(model, settings, progress)  # where a training is resumed, or several machines train
    print(
        f"{printable(data.name)}: {len(training)} training images, {len(images) - len(training)} synthetic digits and negatives, "
        f"{len(validation)} validation images; {model.count_params()} parameters; training on {devices.describe(device)}",
        flush=True,
    )
    device.fit(
        model,
        batches,
        epochs=settings.epochs,
        first_epoch=progress.epochs,
        callbacks=[
            callbacks.BestWeights(x_validation, y_validation, progress),
            *callbacks.tensorboard(arguments.tensorboard),
            callbacks.Checkpoint(arguments.model, settings, progress),
            callbacks.Report(progress),
        ],
    )
    if device.is_first:
        best = build_model()
        best.set_weights(progress.best_weights)
        temperature = calibrate(best, x_validation, y_validation)
        model_files.save(best, arguments.model, record(settings, progress, best, temperature, device.replicas))
        print(
            f"Validation accuracy {percent(progress.best['val_accuracy'], 2)} (epoch {progress.best_epoch}), trained in "
            f"{duration(progress.seconds)}.\nThe model is {shown(arguments.model)}; next: {evaluate_command(arguments)}"
        )
    device.barrier()  # a worker that ended before all is saved would not be there for another --resume
    session.end()


def settings_of(arguments: argparse.Namespace, data: Dataset, validation_size: int) -> Settings:
    """Return what was asked for: what decides the outcome, and the command line, without --resume, that asks for it."""
    from digits.training.progress import Settings

    defaults = vars(parse_arguments(["--preset", arguments.preset]))
    options = []
    for name, value in vars(arguments).items():
        if value != defaults[name] and name not in ("preset", "resume", "restart"):
            value = os.path.abspath(value) if name in ("model", "data", "tensorboard") else value
            options += [f"--{name.replace('_', '-')}", str(value)]
    if arguments.preset != parse_arguments([]).preset:
        options = ["--preset", arguments.preset, *options]
    return Settings(
        preset=arguments.preset,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        seed=arguments.seed,
        limit=arguments.limit,
        validation_size=validation_size,
        strategy=arguments.strategy,
        data=data.name,
        data_sha256=data.checksum,
        options=options,
    )


def evaluate_command(arguments: argparse.Namespace) -> str:
    """Return the command that scores the model on the test images of its data."""
    command = ["python", "evaluate.py"]
    if arguments.data:
        command += ["--data", shown(arguments.data)]
    if arguments.model != DEFAULT_MODEL:
        command += ["--model", shown(arguments.model)]
    return shlex.join(command)


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says and return the exit status."""
    arguments = parse_arguments(argv)
    if os.path.isdir(arguments.model):  # False, too, where one may not look: then the lock says so
        raise UserError(f"{printable(arguments.model)} is a folder; name a .keras file to write.")
    worker = cluster.worker_of(arguments.strategy)
    if worker.addresses:
        cluster.keep_sigterm()  # before NumPy, which is imported next, starts threads
    from digits.training.session import Session

    with Session(arguments.model, worker, arguments.resume, arguments.restart) as session:
        train(arguments, session)
    return session.status


if __name__ == "__main__":
    command_line.run(main)
