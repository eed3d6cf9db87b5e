"""What sharing a training costs: the step time of one worker and of two on this machine, each on a core of its own.

    python benchmarks/distributed.py                                             # some minutes
    python benchmarks/distributed.py --rounds 1 --table benchmarks/results/distributed.md

One worker learns from 64 images a step; two learn from 128, 64 each. What the second takes longer is the exchange of
gradients over the loopback, and the waiting for one another. The two are run in turn. From the measured step and the
bytes of a ring all-reduce follows what a real network would allow.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
import tables
from digits.support import command_line, messages
from digits.support.command_line import Parser

SHARE, EPOCHS = 64, 4  # images of a worker in a step; epochs, of which the first, with the compilation, does not count
NETWORKS = {"1 Gbit/s Ethernet": 1e9, "10 Gbit/s Ethernet": 1e10, "100 Gbit/s InfiniBand": 1e11}


def work(steps):
    """Train as the worker that TF_CONFIG says, and print the seconds of a step, median over the epochs that count."""
    import numpy as np

    from digits.training.distributed import cluster, devices

    device = devices.start("multiworker", cluster.worker_of("multiworker"), timeout=600)
    import keras

    from digits.training import recipe
    from model import build_model

    batch_size = SHARE * device.replicas
    images = np.random.default_rng(0).integers(0, 256, (steps * batch_size, 28, 28)).astype(np.uint8)
    batches = recipe.Batches(images, (np.arange(len(images)) % 10).astype(np.uint8), batch_size, seed=0)
    with device.scope():
        model = build_model()
        model.compile(recipe.optimizer(3e-3, steps * EPOCHS), "categorical_crossentropy")
        model.optimizer.build(model.trainable_variables)
    ends: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    device.fit(model, batches, EPOCHS, 0, [clock])
    gradient_bytes = sum(4 * int(np.prod(variable.shape)) for variable in model.trainable_variables)
    print(json.dumps([statistics.median(np.diff(ends)) / steps if device.is_first else None, gradient_bytes]))


def measure(workers, steps):
    """Return (seconds per step, bytes of the gradients) of a training by that many workers."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(workers)]
    addresses = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    cores = sorted(os.sched_getaffinity(0))
    processes = [
        subprocess.Popen(
            ["taskset", "-c", str(cores[index]), sys.executable, __file__, "--work", "--steps", str(steps)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                **os.environ,
                "CUDA_VISIBLE_DEVICES": "-1",
                "TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}),
            },
        )
        for index in range(workers)
    ]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise messages.UserError("a worker of the benchmark failed; run it with fewer other programs beside it.")
    return json.loads(outputs[0].splitlines()[-1])


def main(argv=None):
    parser = Parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each is run (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=60, help="in each of the timed epochs (default: %(default)s)")
    tables.add_option(parser)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)  # be one of the workers
    arguments = parser.parse_args(argv)
    if arguments.work:
        work(arguments.steps)
        return 0
    if len(os.sched_getaffinity(0)) < 2:
        raise messages.UserError("two workers need two cores.")
    one, two = [], []
    for _ in range(arguments.rounds):
        seconds, gradient_bytes = measure(1, arguments.steps)
        one.append(seconds)
        two.append(measure(2, arguments.steps)[0])
        print(f"one worker {1e3 * one[-1]:.1f} ms, two workers {1e3 * two[-1]:.1f} ms", flush=True)
    alone, together = statistics.median(one), statistics.median(two)
    lines = [
        f"{tables.made_by(__file__, '--rounds', arguments.rounds, '--steps', arguments.steps)}, one core for each worker.",
        "",
        "| | median ms per step | images per second |",
        "|---|---|---|",
        f"| one worker, {SHARE} images a step | {1e3 * alone:.1f} | {SHARE / alone:.0f} |",
        f"| two workers, {2 * SHARE} images a step | {1e3 * together:.1f} | {2 * SHARE / together:.0f} |",
        "",
        f"Communication and waiting: {1e3 * (together - alone):.1f} ms, {100 - 100 * alone / together:.0f} % of a step of two "
        f"workers (single rounds: {', '.join(f'{100 - 100 * a / b:.0f} %' for a, b in zip(one, two))}). "
        f"The gradients are {gradient_bytes / 1e6:.2f} MB.",
        "",
        "What that predicts: a ring all-reduce sends 2 (n - 1) / n times the gradients out of each of n workers "
        "(here n = 16), on top of the time measured on the loopback, which stands for latency and TensorFlow's own work.",
        "",
        "| network | ms on the wire | step, ms | efficiency with 64 images per worker and step | with 1024 |",
        "|---|---|---|---|---|",
    ]
    for name, bits_per_second in NETWORKS.items():
        wire = 2 * 15 / 16 * 8 * gradient_bytes / bits_per_second
        step, long_step = together + wire, 1024 / SHARE * alone + together - alone + wire
        efficiency, with_more = 100 * alone / step, 100 * 1024 / SHARE * alone / long_step
        lines.append(f"| {name} | {1e3 * wire:.1f} | {1e3 * step:.1f} | {efficiency:.0f} % | {with_more:.0f} % |")
    text = "\n".join(lines) + "\n"
    tables.publish(text, arguments.table)
    return 0


if __name__ == "__main__":
    command_line.run(main)
