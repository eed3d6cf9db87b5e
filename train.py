"""Train the digit recogniser and save it.

    python train.py                                    # full training on MNIST: models/mnist_cnn.keras
    python train.py --preset quick                     # a minute or so
    python train.py --limit 3000 --epochs 2 --model models/try.keras
    python train.py --data my_digits/ --model models/mine.keras
    python train.py --resume                           # go on after an interruption

Writes, each file whole or not at all: the model (.keras), and beside it, under the same name, the same network
for LiteRT (.tflite), a record of how it was made (.json) and the history, one row per epoch (.csv). While
training runs, everything needed to go on after an interruption is in NAME.checkpoint.npz, written after each
epoch. The same seed on the same machine, with the same package versions, gives the same weights, interrupted
or not. The test images are never looked at: the epoch kept is the one with the best validation accuracy.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import sys
from typing import TYPE_CHECKING

from digits.inference import record
from digits.support import command_line, files, native_output
from digits.support.command_line import Parser, number
from digits.support.constants import DEFAULT_MODEL
from digits.support.messages import UserError, printable
from digits.training.distributed import cluster, strategy

if TYPE_CHECKING:
    from data_loader import Dataset

# The recipes: passes over the training images, and how many drawn pictures of digits and of other things join
# them, as a share of their number. `mnist` is for comparing MNIST scores: nothing but MNIST.
PRESETS = {
    "standard": {"epochs": 18, "pen_digits": 0.12, "non_digits": 0.12},
    "quick": {"epochs": 4, "pen_digits": 0.12, "non_digits": 0.12},
    "mnist": {"epochs": 18, "pen_digits": 0.0, "non_digits": 0.0},
}

OUTPUTS = (".keras", ".tflite", ".csv", ".json", ".checkpoint.npz")  # what a training writes, by the model's name


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
    parser.add_argument("--limit", type=number(int, 1, 10**9), metavar="N", help="use the first N training images only")
    parser.add_argument(
        "--model", type=pathlib.Path, default=DEFAULT_MODEL, metavar="PATH", help="where to save (default: models/mnist_cnn.keras)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the interrupted training of --model")
    parser.add_argument(
        "--strategy",
        choices=strategy.STRATEGIES,
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
    arguments.epochs = arguments.epochs or PRESETS[arguments.preset]["epochs"]
    return arguments


def describe_run(arguments: argparse.Namespace, data: Dataset) -> dict:
    """Return what decides a run's outcome, as JSON's types: a run is resumed with the same or not at all."""
    return {
        "preset": arguments.preset,
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "learning_rate": arguments.learning_rate,
        "seed": arguments.seed,
        "limit": arguments.limit,
        "validation_size": arguments.validation_size,
        "strategy": arguments.strategy,
        "data": data.name,
        "data_sha256": data.checksum,
    }


def train(arguments: argparse.Namespace, worker: cluster.Worker, watch: cluster.Watch) -> int:
    """Train as `arguments` say, save the best epoch, and return the exit status."""
    print("Loading the data and TensorFlow ...", flush=True)
    from data_loader import load_dataset, split
    from digits.training import checkpoint

    options = _options(arguments)
    resume = arguments.resume and worker.is_first  # the others get what it has read
    if resume:
        state, best_weights, progress = checkpoint.load(arguments.model)
    elif command := worker.is_first and resume_command(arguments.model):
        print(
            f"There is an unfinished training of this model. It is lost when the first epoch of this one ends; to go "
            f"on with it, press Ctrl-C now and run: {command}",
            flush=True,
        )
    data = load_dataset(arguments.data)
    x_train, y_train = data.x_train[: arguments.limit], data.y_train[: arguments.limit]
    arguments.validation_size = arguments.validation_size or len(y_train) // 12
    training, validation = split(y_train, arguments.validation_size, arguments.seed)
    x_validation, y_validation = x_train[validation], y_train[validation]
    run = describe_run(arguments, data)
    if resume:
        checkpoint.refuse_other_run(progress["run"], run)
    else:
        progress = {"run": run, "history": [], "best": None, "options": options}

    from digits.inference.calibration import calibrate
    from digits.inference.keras_model import start_tensorflow
    from model import build_model

    engine = strategy.start(arguments.strategy, worker, watch)  # before anything else wakes TensorFlow
    start_tensorflow()
    import keras
    import tensorflow as tf

    from digits.training import recipe
    from digits.training.callbacks import Epochs, duration

    keras.utils.set_random_seed(arguments.seed)
    tf.config.experimental.enable_op_determinism()
    preset = PRESETS[arguments.preset]
    images, labels = recipe.training_pictures(
        x_train[training], y_train[training], preset["pen_digits"], preset["non_digits"], arguments.seed
    )
    steps = recipe.steps_per_epoch(len(images), arguments.batch_size)
    with strategy.scope(engine, watch):
        model = build_model(fused=True)
        recipe.compile_model(model, arguments.learning_rate, steps * arguments.epochs)
    path = arguments.model if worker.is_first else None
    epochs = Epochs(model, build_model() if engine else model, path, progress, x_validation, y_validation)
    if resume:
        checkpoint.restore(epochs.state, state)
        epochs.best_weights = best_weights
    if worker.addresses:
        strategy.begin_together(engine, worker, watch, epochs)
    done, progress["replicas"] = len(progress["history"]), engine.num_replicas_in_sync if engine else 1
    print(
        f"{printable(data.name)}: {len(training)} training images, {len(images) - len(training)} drawn pictures beside them, "
        f"{len(validation)} validation images; {model.count_params()} parameters"
        + (f"; {progress['replicas']} replicas share each batch" if progress["replicas"] > 1 else ""),
        flush=True,
    )

    if done < arguments.epochs:
        what = images, labels, arguments.batch_size, arguments.seed, done, arguments.epochs
        if engine:
            strategy.fit(engine, watch, model, *what, epochs.end)
        else:
            recipe.fit(model, *what, epochs.end, progress_bar=sys.stdout.isatty())
    if not worker.is_first:
        strategy.wait_for_first(engine, worker, watch)  # until it has saved: who had ended with 0 would not be started again
        return 0
    final = build_model()
    final.set_weights(epochs.best_weights)
    progress["temperature"] = calibrate(final, x_validation, y_validation)
    progress["validation"] = dict(zip(("accuracy", "loss"), recipe.score(final, x_validation, y_validation)))
    record.save(final, arguments.model, progress)
    if worker.addresses:
        strategy.wait_for_first(engine, worker, watch)
    checkpoint.path_of(arguments.model).unlink(missing_ok=True)  # last: all can go on from it until all is done
    print(
        f"Validation accuracy {progress['validation']['accuracy']:.2%} (epoch {progress['best']['epoch']}), trained in "
        f"{duration(sum(row['seconds'] for row in progress['history']))}.\n"
        f"The model is {shown(arguments.model)}; next: python evaluate.py{_model_option(arguments)}"
    )
    return 0


def shown(path: str | os.PathLike) -> str:
    """Return a path as people would type it: relative to the current folder where it lies below it."""
    absolute, folder = pathlib.Path(os.path.abspath(path)), pathlib.Path.cwd()
    return printable(absolute.relative_to(folder) if absolute.is_relative_to(folder) else path)


def _options(arguments):
    """Return the command line, without --resume, that asks for this run: what differs from the defaults."""
    defaults = vars(parse_arguments([]))
    options = []
    for name, value in vars(arguments).items():
        default = PRESETS[arguments.preset]["epochs"] if name == "epochs" else defaults[name]
        if value != default and name != "resume":
            options += [f"--{name.replace('_', '-')}", shown(value) if name == "model" else str(value)]
    return options


def resume_command(model_path: pathlib.Path) -> str | None:
    """Return the command that goes on with the interrupted training of a model, or None where there is none."""
    from digits.training import checkpoint

    try:
        progress = checkpoint.load(model_path)[2]
    except UserError:
        return None
    python = "python" if shutil.which("python") == sys.executable else shown(sys.executable)
    return shlex.join([python, shown(__file__), *progress["options"], "--resume"])


def _model_option(arguments):
    return "" if arguments.model == DEFAULT_MODEL else f" --model {shlex.quote(shown(arguments.model))}"


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says and return the exit status."""
    arguments = parse_arguments(argv)
    if os.path.isdir(arguments.model):  # False, too, where one may not look: then the lock says so
        raise UserError(f"{printable(arguments.model)} is a folder; name a .keras file to write.")

    signals = []

    def interrupt(signum, _):
        signals.append(signum)
        raise KeyboardInterrupt

    worker = cluster.worker_of(arguments.strategy)
    if worker.addresses:
        cluster.keep_sigterm()
    watch = cluster.Watch(worker, arguments.worker_timeout)
    with contextlib.ExitStack() as stack:
        if worker.is_first:
            stack.enter_context(files.lock(arguments.model.with_suffix(".lock"), f"another training of {shown(arguments.model)}"))
        else:
            stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        for suffix in OUTPUTS if worker.is_first else ():
            files.remove_leftovers(arguments.model.with_suffix(suffix))
        heeded = [signum for signum in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(signum) != signal.SIG_IGN]  # nohup
        previous = {signum: signal.signal(signum, interrupt) for signum in heeded}
        try:
            with native_output.silenced():
                return train(arguments, worker, watch)
        except BaseException as error:  # what TensorFlow makes of an interrupt while it fails for another reason, for one
            if not signals and not isinstance(error, KeyboardInterrupt):
                raise
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is being done
            print(f"\ntrain.py: stopped; {what_now(arguments.model, worker)}", file=sys.stderr)
            status = 143 if signal.SIGTERM in signals else 130
            if worker.addresses:
                cluster.end_at_once(status)
            return status
        finally:
            for signum, handler in previous.items():
                signal.signal(signum, handler)


def what_now(model_path: pathlib.Path, worker: cluster.Worker) -> str:
    """Return in words how to go on after an interruption."""
    if not worker.is_first:
        return "start all workers again, with --resume if an epoch was finished."
    if command := resume_command(model_path):
        return f"go on{', on every worker,' if worker.addresses else ''} with: {command}"
    return "no epoch was finished, so there is nothing to resume."


if __name__ == "__main__":
    command_line.run(main)
