"""Two worker processes on this machine that train one network, and all that can become of one of them."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from digits.support import files
from helpers import ROOT, free_ports
from workers import TIMEOUT, ended, same, start, start_two, weights_in


@pytest.fixture(scope="module")
def two_workers(options, tmp_path_factory):
    """A training by two processes: (folder, what `ended` says of each)."""
    folder = tmp_path_factory.mktemp("two")
    return folder, [ended(process) for process in start_two(folder, "x", options, devices=1)[0]]


@pytest.mark.distributed
def test_two_workers_end_with_the_same_weights(two_workers):
    folder, ends = two_workers
    assert [status for status, _, _ in ends] == [0, 0], ends
    assert same(weights_in(folder, "x", 0), weights_in(folder, "x", 1))


@pytest.mark.distributed
def test_only_the_first_worker_writes_and_prints(two_workers):
    folder, ((_, out, err), (_, *other)) = two_workers
    assert "epoch 2/2" in out and err == "" and other == ["", ""]
    assert sorted(os.listdir(folder)) == ["weights", "x.json", "x.keras", "x.tflite"]
    record = files.read_json(folder / "x.json")
    assert (record["strategy"], record["replicas"], record["batch_size"]) == ("multiworker", 2, 128)
    assert "--strategy multiworker" in record["command"]


@pytest.mark.distributed
def test_a_killed_worker_ends_the_other_and_both_go_on_with_resume(two_workers, options, tmp_path):
    (first, second), ports = start_two(tmp_path, "x", options)
    for line in first.stdout:
        if line.startswith("epoch 1"):
            break
    second.send_signal(signal.SIGKILL)
    second.communicate()
    status, _, err = ended(first)
    assert status == 2 and err.count("\n") == 1 and "--resume" in err
    assert f"worker 1 (localhost:{ports[1]}) ended" in err
    assert sorted(os.listdir(tmp_path)) == ["weights", "x.checkpoint.npz"]
    ends = [ended(process) for process in start_two(tmp_path, "x", [*options, "--resume"], devices=1)[0]]
    assert [status for status, _, _ in ends] == [0, 0], ends
    assert "epoch 1/2" not in ends[0][1] and "epoch 2/2" in ends[0][1]
    assert same(weights_in(tmp_path, "x", 1), weights_in(two_workers[0], "x", 0))  # as if nothing had happened


@pytest.mark.distributed
def test_sigterm_ends_a_worker(options, tmp_path):
    """What Slurm and Kubernetes send, and what TensorFlow, once it knows of other workers, only takes note of."""
    (first, second), ports = start_two(tmp_path, "x", [*options, "--epochs", "1000"])
    for line in first.stdout:
        if line.startswith("epoch 1"):
            break
    second.send_signal(signal.SIGTERM)
    status, _, err = ended(second)
    assert status == 143 and err == "\ntrain.py: stopped; start all workers again, with --resume if an epoch was finished.\n"
    status, _, err = ended(first)
    assert status == 2 and f"worker 1 (localhost:{ports[1]}) ended" in err


@pytest.mark.distributed
def test_a_stopped_worker_is_named(options, tmp_path):
    """It does not end, and the system still takes connections for it."""
    (first, second), ports = start_two(tmp_path, "x", [*options, "--epochs", "1000"])
    for line in first.stdout:
        if line.startswith("epoch 1"):
            break
    first.send_signal(signal.SIGSTOP)
    status, _, err = ended(second)
    first.kill()
    first.communicate()
    assert status == 2 and err.count("\n") == 1
    assert f"worker 0 (localhost:{ports[0]}) ended, never came or cannot be reached" in err


SHARES = """
import json
import numpy as np, tensorflow as tf
from digits.training import recipe
from digits.training.distributed import several_machines
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 3)
engine = tf.distribute.MirroredStrategy()
for count, batch_size in ((50, 20), (21, 64)):
    images, labels = np.zeros((count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8)
    batches = recipe.Batches(images, labels, batch_size, seed=5)
    shared = iter(several_machines.shared(engine, batches, epochs=3, first_epoch=1))
    for step, indices in batches.indices(epochs=3, first_epoch=1):
        _, seen, steps, weights = ([replica.numpy().tolist() for replica in engine.experimental_local_results(part)]
                                   for part in next(shared))
        assert sum(seen, []) == indices.numpy().tolist() and set(sum(steps, [])) == {int(step)}
        assert abs(sum(sum(weights, [])) - 1) < 1e-6
        print(json.dumps([len(replica) for replica in seen]))
"""


@pytest.mark.distributed
def test_replicas_share_each_batch_of_a_training_on_one_device():
    done = subprocess.run(
        [sys.executable, "-c", SHARES],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[7, 7, 6]"] * 4 + ["[7, 7, 7]"] * 2  # 50 images: two batches of 20 an epoch


@pytest.mark.distributed
def test_workers_with_other_options_are_refused(options, tmp_path):
    (_, _, first), (status, _, err) = [ended(process) for process in start_two(tmp_path, "x", options, ["--seed", "5"])[0]]
    assert status == 2 and "with --seed 0, and this one, worker 1, with --seed 5" in err
    assert "worker 1" in first and os.listdir(tmp_path) == ["weights"]


@pytest.mark.distributed
def test_a_missing_worker_is_named_in_time(options, tmp_path):
    ports = free_ports(2)
    status, out, err = ended(start(tmp_path, "x", [*options[:-1], "5"], ports))
    assert f"Waiting for worker 1 (localhost:{ports[1]}), up to 5 s" in out
    assert status == 2 and err.count("\n") == 1 and "Traceback" not in err
    assert f"worker 1 (localhost:{ports[1]}) ended, never came" in err and "for 5 s (--worker-timeout)" in err


@pytest.mark.distributed
def test_a_worker_that_is_lost_while_all_connect_is_named(options, tmp_path):
    ports = free_ports(2)
    with socket.create_server(("", ports[1])) as other:
        process = start(tmp_path, "x", [*options[:-1], "5"], ports)
        other.accept()[0].close()  # it came, and is gone
    status, _, err = ended(process)
    assert status == 1 and err.count("\n") == 1 and f"worker 1 (localhost:{ports[1]}) ended" in err
