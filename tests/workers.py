"""Processes that train together, for the tests of several devices and several machines."""

import json
import os
import subprocess
import sys

import numpy as np

from helpers import ROOT, free_ports

# What a process runs whose weights are looked at: train.py, which also saves the weights that its replicas end with.
# Arguments: the file for them, the number of logical devices into which to cut the processor, and those of train.py.
TRAIN = """
import sys
import numpy as np
import train
from digits.support import command_line, native_output
from digits.training.distributed import devices
path, count, *arguments = sys.argv[1:]
start = devices.start
def start_that_saves(*given):
    device = start(*given)
    fit, replicas = device.fit, device.strategy.experimental_local_results
    def fit_and_save(model, batches, **options):
        if "spoiled" in path:
            replicas(model.trainable_variables[0].value)[1].assign_add(model.trainable_variables[0] * 1e-6)
        fit(model, batches, **options)
        weights = zip(*[[value.numpy() for value in replicas(variable.value)] for variable in model.weights])
        np.savez(path, **{f"{i}_{j:03d}": value for i, values in enumerate(weights) for j, value in enumerate(values)})
    device.fit = fit_and_save
    return device
devices.start = start_that_saves
if int(count) > 1:
    with native_output.silenced():
        import tensorflow as tf
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                                   [tf.config.LogicalDeviceConfiguration()] * int(count))
sys.argv[0] = "train.py"
command_line.run(lambda: train.main(arguments))
"""
TIMEOUT = 600  # seconds; a hang fails the test, and does not stop the suite


def start(folder, name, options, ports=(), index=0, devices=None):
    """Start a process that trains folder/NAME.keras: train.py itself, or TRAIN on so many logical devices."""
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"}
    environment["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": [f"localhost:{port}" for port in ports]}, "task": {"type": "worker", "index": index}}
    )
    script = ["-c", TRAIN, folder / "weights" / f"{name}-{index}.npz", str(devices)] if devices else [ROOT / "train.py"]
    strategy = "multiworker" if ports else "mirrored"
    return subprocess.Popen(
        [sys.executable, *script, "--model", folder / f"{name}.keras", "--strategy", strategy, *options],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(folder, name, options, other_options=(), devices=None):
    ports = free_ports(2)
    return [start(folder, name, [*options, *(other_options if index else ())], ports, index, devices) for index in range(2)], ports


def ended(process):
    """Return (status, standard output, standard error) of a process; it is killed where it does not end."""
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, out, err


def weights_in(folder, name, index, replica=0):
    with np.load(folder / "weights" / f"{name}-{index}.npz") as archive:
        return [archive[key] for key in sorted(archive.files) if key.startswith(f"{replica}_")]


def same(first, second):
    return len(first) == len(second) > 0 and all(np.array_equal(a, b) for a, b in zip(first, second))
