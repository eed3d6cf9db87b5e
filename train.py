"""Train the digit recogniser and save it.

    python train.py                                    # full training on MNIST: models/mnist_cnn.keras
    python train.py --preset quick                     # two minutes or so
    python train.py --limit 3000 --epochs 2 --model models/try.keras
    python train.py --data my_digits/ --model models/mine.keras
    python train.py --fine-tune --data my_digits/ --model models/mine.keras    # train the default model on your handwriting
    python train.py --resume                           # go on after an interruption

Writes, each file whole or not at all: the model (.keras), and beside it, under the same name, the same network
for LiteRT (.tflite) and a record of how it was made (.json). While training runs, everything needed to go on
after an interruption is in NAME.checkpoint.npz, written after each epoch. The same seed on the same machine, with
the same package versions, gives the same weights, interrupted or not. The test images are never looked at.

--fine-tune needs a handful of images, and not of every digit; negatives go into the sub-folder no_digit/. They are mixed
with MNIST, so that the model forgets little. If it reads no more of your images than before, and is sure of no more, it is not
saved, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from digits.inference import model_files
from digits.support import command_line
from digits.support.command_line import Parser, number
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import UserError, duration, percent, printable, shown
from digits.training.distributed import cluster

if TYPE_CHECKING:
    import keras

    from digits.training.session import Session
    from digits.training.training_data import TrainingData

# The recipes: passes over the training images, the highest learning rate, and how many synthetic digits and negatives
# (images of no digit) join them, as a share of their number. `mnist` is for comparing MNIST scores: nothing but MNIST.
PRESETS = {
    "standard": {"epochs": 18, "learning_rate": 3e-3, "synthetic_share": 0.12, "negatives_share": 0.12},
    "quick": {"epochs": 4, "learning_rate": 3e-3, "synthetic_share": 0.12, "negatives_share": 0.12},
    "mnist": {"epochs": 18, "learning_rate": 3e-3, "synthetic_share": 0.0, "negatives_share": 0.0},
}
# Of a fine-tuning: an epoch is of so many of MNIST's images, and takes seconds.
FINE_TUNING = {"epochs": 8, "learning_rate": 5e-4, "synthetic_share": 0.12, "negatives_share": 0.12, "mnist_images": 5400}


def make_parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(__doc__)
    add, count = parser.add_argument, number(int, 1, 10**9)
    path: dict[str, Any] = {"type": command_line.path, "metavar": "PATH"}
    add("--preset", choices=PRESETS, help="the recipe (default: standard)")
    add("--fine-tune", nargs="?", const=DEFAULT_MODEL, **path, help="start from this trained model (default: the default model)")
    add("--data", **path, help="a .npz, a folder of IDX files, or one with a sub-folder of images per digit (default: MNIST)")
    add("--limit", type=count, metavar="N", help="use N of the training images, chosen at random, class by class")
    add(
        "--validation-size",
        type=count,
        metavar="N",
        help="images held out, to tell how well it reads and to calibrate it (default: one in twelve)",
    )
    add("--epochs", type=count, metavar="N", help="passes over the training images (default: the recipe's)")
    add("--batch-size", type=count, default=128, metavar="N", help="images per step, over all devices (default: %(default)s)")
    rate = "its highest value, after the warm-up; it is not scaled with the batch size (default: the recipe's)"
    add("--learning-rate", type=number(float, 1e-9, 1e9), metavar="RATE", help=rate)
    add("--seed", type=number(int, 0, 2**31 - 1), default=0, metavar="N", help="of all random numbers (default: %(default)s)")
    add("--model", default=DEFAULT_MODEL, **path, help="where to save (default: models/mnist_cnn.keras)")
    add("--resume", action="store_true", help="go on with the interrupted training of --model")
    add("--restart", action="store_true", help="start over where a training of --model was interrupted")
    add("--tensorboard", type=command_line.path, metavar="FOLDER", help="write the history there for TensorBoard, too")
    strategy = "mirrored: all GPUs of this machine; multiworker: several machines, see docs/distributed.md (default: %(default)s)"
    add("--strategy", choices=cluster.STRATEGIES, default="none", help=strategy)
    waiting = "how long a worker waits for the others (default: %(default)s)"
    add("--worker-timeout", type=number(float, 0.1, 10**6), default=300, metavar="SECONDS", help=waiting)
    return parser


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line's arguments; what a recipe decides is filled in, and `options` are the words that ask for all."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.model.suffix != ".keras":
        parser.error(f"--model must end in .keras, not {printable(arguments.model.name)}")
    if arguments.resume and arguments.restart:
        parser.error("--resume and --restart exclude each other")
    if arguments.fine_tune:
        if not arguments.data:
            parser.error("--fine-tune needs --data: your own images")
        if os.path.realpath(arguments.model) in map(os.path.realpath, (DEFAULT_MODEL, arguments.fine_tune)):
            parser.error("--fine-tune needs a new --model path: not that of the model to start from, nor the default model's")
        for name in ("preset", "limit", "validation_size", "strategy"):  # it has its own; and it takes a minute on one device
            if getattr(arguments, name) != parser.get_default(name):
                parser.error(f"--fine-tune takes no --{name.replace('_', '-')}")
    arguments.options = command_line.options_of(arguments, parser, without=("resume", "restart"))
    arguments.preset = arguments.preset or ("fine-tuning" if arguments.fine_tune else "standard")
    for name, value in (FINE_TUNING if arguments.fine_tune else PRESETS[arguments.preset]).items():
        setattr(arguments, name, getattr(arguments, name, None) or value)
    return arguments


def load(arguments: argparse.Namespace) -> TrainingData:
    """Load the data and hold the validation images out; with --fine-tune, mix one's own with MNIST's. Raises UserError."""
    from data_loader import load_dataset, load_mnist, split, subset
    from digits.inference.archive import check_archive
    from digits.training.training_data import OwnImages, TrainingData

    if arguments.fine_tune:
        check_archive(arguments.fine_tune)
    data = load_dataset(arguments.data, complete=not arguments.fine_tune)
    if arguments.fine_tune:
        own, (x, y, *_) = OwnImages.of(data.x_train, data.y_train, arguments.seed), load_mnist()
        rest, validation = split(y, len(y) // 12, seed=0)  # the default model has not learned from these
        training = rest[subset(y[rest], arguments.mnist_images, arguments.seed)]
    else:
        own, (x, y, *_) = None, data
        part = subset(y, arguments.limit, arguments.seed)
        training, validation = split(y[part], arguments.validation_size or len(part) // 12, arguments.seed)
        training, validation = part[training], part[validation]
    return TrainingData.of(data.name, data.checksum, (x[training], y[training]), (x[validation], y[validation]), own)


def train(arguments: argparse.Namespace, session: Session) -> None:
    """Train as `arguments` say, and save the model."""
    print("Loading the data and TensorFlow ...", flush=True)
    from digits.training.distributed import devices
    from digits.training.progress import Settings, record

    data = load(arguments)
    settings = Settings.of(arguments, data)
    progress = session.begin(settings)

    device = devices.start(settings.strategy, session.worker, arguments.worker_timeout)
    import keras
    import tensorflow as tf

    from digits.training import callbacks, fine_tuning, recipe
    from model import build_model

    keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    shares = arguments.synthetic_share, arguments.negatives_share
    images, labels = recipe.training_set(data.images, data.labels, *shares, settings.seed)
    batches = recipe.Batches(images, labels, settings.batch_size, settings.seed)
    with device.scope():
        model = fine_tuning.start_model(arguments.fine_tune, data) if arguments.fine_tune else build_model()
        model.compile(
            optimizer=recipe.optimizer(settings.learning_rate, steps=settings.epochs * batches.steps),
            loss="categorical_crossentropy",
            metrics=[recipe.accuracy],
        )
    device.share(model, settings, progress)  # where a training is resumed, or several machines train
    print(data.summary(added=len(images) - len(data.images)))
    print(f"{model.count_params()} parameters, training on {devices.describe(device)}", flush=True)
    after_each_epoch = [
        callbacks.Validation(*data.validation, progress, data.own.validation if data.own else None),
        *callbacks.tensorboard(arguments.tensorboard),
        callbacks.Checkpoint(arguments.model, settings, progress),
        callbacks.Report(progress),
    ]
    device.fit(model, batches, epochs=settings.epochs, first_epoch=progress.epochs, callbacks=after_each_epoch)
    if device.is_first:
        trained = callbacks.copy_of(model)  # on one device
        session.status = save(trained, arguments, data, record(settings, progress, trained, device.replicas))
    device.barrier()  # a worker that ended before all is saved would not be there for another --resume
    session.end()


def save(model: keras.Model, arguments: argparse.Namespace, data: TrainingData, record: dict) -> int:
    """Calibrate and save the model, say how well it reads, and return the exit status: 1 if fine-tuning gained nothing."""
    from digits.inference.calibration import calibrate
    from digits.inference.keras_model import load_model
    from digits.training import fine_tuning

    target = shown(arguments.model)
    record["temperature"] = calibrate(model, *data.validation)
    if data.own:
        before, after = (fine_tuning.measure(which, data) for which in (load_model(arguments.fine_tune), model))
        print(fine_tuning.report(before, after, data.own))
        if not fine_tuning.has_gained(before, after):
            print(f"Nothing was gained, so {target} is not written.")
            return 1
        record |= {"before": before._asdict(), "after": after._asdict()}
    model_files.save(model, arguments.model, record)
    read = "Trained" if data.own else f"Validation accuracy {percent(record['validation']['accuracy'], 2)}, trained"
    print(f"{read} in {duration(record['duration_seconds'])}.\nThe model is {target}; next: {next_command(arguments)}")
    return 0


def next_command(arguments: argparse.Namespace) -> str:
    """Return the command that scores the model on the test images of its data; after fine-tuning, the page."""
    command = ["python", "app.py" if arguments.fine_tune else "evaluate.py"]
    if arguments.data and not arguments.fine_tune:
        command += ["--data", shown(arguments.data)]
    if arguments.model != DEFAULT_MODEL:
        command += ["--model", shown(arguments.model)]
    return command_line.quoted(command)


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
