"""What several test files share: running scripts, encoding images, faults on demand, small data."""

import contextlib
import io
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys
import zlib

import numpy as np

import data_loader

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRAINING = ["--limit", "1800", "--epochs", "4"]  # a few seconds, some 97 % on MNIST's test set


# ---- processes ----


def command(script, *arguments):
    """Return the command line of a script of the project."""
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


def run_code(code, *arguments, **options):
    """Run Python code that can import the project, in a process of its own; stdout and stderr are text."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(arguments, **{"env": environment, "capture_output": True, "text": True, **options})


def modules_after_help(script):
    """Run `SCRIPT --help`; return what it prints, and the names of all modules that were imported for it."""
    code = (
        f"import sys, {script}\ntry: {script}.main(['--help'])\nexcept SystemExit: pass\n"
        "sys.stdout.flush(), print(*sys.modules, file=sys.stderr)"
    )
    done = run_code(code)
    return done.stdout, set(done.stderr.split())


def free_ports(count):
    """Return the numbers of ports that nobody listens to."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


# ---- faults ----


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


# ---- models ----


def weights_of(path):
    """Return the weights of a model, a list of arrays."""
    from digits.inference import keras_model

    return keras_model.load_model(path).get_weights()


def assert_same_weights(first, second):
    """Check that the models at two paths have the same weights, bit for bit."""
    first, second = weights_of(first), weights_of(second)
    assert len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second))


# ---- images and data ----


def encoded(image, kind="PNG", **options):
    """Return a PIL image as the bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width, height, depth=8, colour=0, data=b""):
    """Return a PNG with any header."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def make_arrays(count, seed=0):
    """Return the arrays of a data set: `count` training images of MNIST, every digit in turn, and 50 test images of noise."""
    data = data_loader.load_mnist()
    indices = np.concatenate(list(zip(*(np.flatnonzero(data.y_train == digit)[: count // 10 + 1] for digit in range(10)))))
    noise = np.random.default_rng(seed).integers(0, 256, (50, 28, 28)).astype(np.uint8)
    return {
        "x_train": data.x_train[indices[:count]],
        "y_train": data.y_train[indices[:count]],
        "x_test": noise,
        "y_test": np.roll(np.arange(50) % 10, seed).astype(np.uint8),
    }


def history(*accuracies):
    """Return the history in a model's record, one epoch for each validation accuracy."""
    return [
        {
            "epoch": number,
            "accuracy": accuracy - 0.05,
            "loss": 0.4 / number,
            "val_accuracy": accuracy,
            "val_loss": 0.2 / number,
            "learning_rate": 0.001 / number,
            "seconds": 3.5,
        }
        for number, accuracy in enumerate(accuracies, 1)
    ]
