"""digits/training/distributed: two worker processes on this machine, two replicas in one process, and all that can be missing."""

import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest

import train
from digits.support import files
from digits.support.messages import UserError
from digits.training.distributed import cluster, devices
from helpers import ROOT, free_ports, make_arrays

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


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """train.py's options: 2 epochs of 2 steps, global batch 128."""
    path = tmp_path_factory.mktemp("data") / "a.npz"
    np.savez_compressed(path, **make_arrays(300))
    return ["--data", path, "--epochs", "2", "--preset", "mnist", "--worker-timeout", "300"]


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


@pytest.fixture(scope="module")
def two_workers(options, tmp_path_factory):
    """A training by two processes: (folder, what `ended` says of each)."""
    folder = tmp_path_factory.mktemp("two")
    return folder, [ended(process) for process in start_two(folder, "x", options, devices=1)[0]]


def weights_in(folder, name, index, replica=0):
    with np.load(folder / "weights" / f"{name}-{index}.npz") as archive:
        return [archive[key] for key in sorted(archive.files) if key.startswith(f"{replica}_")]


def same(first, second):
    return len(first) == len(second) > 0 and all(np.array_equal(a, b) for a, b in zip(first, second))


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


@pytest.mark.distributed
def test_two_replicas_in_one_process_end_with_the_same_weights(options, tmp_path):
    status, out, err = ended(start(tmp_path, "m", options, devices=2))
    assert status == 0 and "2 replicas share each batch" in out and "epoch 2/2" in out, err
    assert same(weights_in(tmp_path, "m", 0, 0), weights_in(tmp_path, "m", 0, 1))
    assert files.read_json(tmp_path / "m.json")["replicas"] == 2


@pytest.mark.distributed
def test_replicas_that_differ_are_noticed(options, tmp_path):
    status, _, err = ended(start(tmp_path, "spoiled", options, devices=2))
    assert status == 2 and "the weights of the replicas differ" in err and not (tmp_path / "spoiled.keras").exists()


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


def test_a_taken_port_is_named():
    with socket.create_server(("", 0)) as taken:
        worker = cluster.Worker((f"localhost:{taken.getsockname()[1]}", "localhost:1"), 0)
        with pytest.raises(
            UserError, match=f"localhost:{taken.getsockname()[1]} in TF_CONFIG, cannot be used: address already in use"
        ):
            devices.start("multiworker", worker, timeout=60)


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "is not set"),
        ("{", "is not JSON"),
        ("[]", "lacks"),
        ("{}", "lacks"),
        ('{"cluster": {"worker": ["a:1"]}}', "lacks"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "x"}}', "no whole number"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "no place for worker 1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}', "no place for worker -1"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', "no place for chief 0"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1e400}}', "no whole number"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0.7}}', "no whole number"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": ["worker"], "index": 0}}', "no place for"),
        ('{"cluster": {"worker": ["a..b:1"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["::1:1"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a:70000"]}, "task": {"type": "worker", "index": 0}}', "not host:port"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}}', "twice"),
        ('{"cluster": {"ps": ["b:1"], "worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}', "job 'ps'"),
    ],
)
def test_malformed_tf_config_is_refused(text, words, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=f"TF_CONFIG .*{words}"):
        train.main(["--strategy", "multiworker", "--model", str(tmp_path / "x.keras")])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "count, replicas, words",
    [
        (0, 1, "the CPU, "),
        (1, 1, "the GPU (Fast 9000)"),
        (4, 1, "the GPU (Fast 9000); 4 GPUs are here, and --strategy mirrored uses all"),
        (4, 4, "the GPU (Fast 9000); 4 replicas share each batch"),
    ],
)
def test_what_trains_is_told(count, replicas, words, monkeypatch):
    import tensorflow as tf

    device = devices.OneDevice()
    device.replicas = replicas
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU"] * count)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"device_name": "Fast 9000"})
    assert devices.describe(device).startswith(words)


def test_the_chief_is_the_first_worker():
    jobs = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    places = [
        cluster.worker_of("multiworker", json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}}))
        for kind, index in (("chief", 0), ("worker", 0), ("worker", 1))
    ]
    assert [(place.addresses, place.index, place.is_first) for place in places] == [
        (("a:1", "b:1", "c:1"), 0, True),
        (("a:1", "b:1", "c:1"), 1, False),
        (("a:1", "b:1", "c:1"), 2, False),
    ]


@pytest.mark.parametrize(
    "batch_size, replicas, fits", [(128, 2, True), (128, 3, True), (21, 2, True), (1, 2, False), (9, 4, False), (3, 3, True)]
)
def test_every_replica_gets_images(batch_size, replicas, fits):
    if fits:
        devices.check_batch_size(batch_size, replicas)
    else:
        with pytest.raises(UserError, match=f"--batch-size that is a multiple of {replicas}"):
            devices.check_batch_size(batch_size, replicas)


@pytest.mark.slow
@pytest.mark.parametrize("count", [150, 21])  # whole batches of 50 images; one short one
def test_one_replica_learns_as_keras_does(count, mnist):
    """The loop for several machines against Keras's fit: the same weights, and the same calls of the callbacks."""
    import tensorflow as tf

    from digits.training.distributed.several_machines import SeveralMachines

    worker = cluster.Worker()
    several = SeveralMachines(worker, cluster.Watch(worker, 60), tf.distribute.OneDeviceStrategy("/cpu:0"))
    first, first_logs = learned_weights(devices.OneDevice(), mnist, count)
    second, second_logs = learned_weights(several, mnist, count)
    assert all(np.allclose(a, b, atol=1e-4) for a, b in zip(first, second))
    assert [epoch for epoch, _ in first_logs] == [epoch for epoch, _ in second_logs] == [0, 1]
    for (_, a), (_, b) in zip(first_logs, second_logs):
        assert a == pytest.approx(b, abs=1e-3)


def learned_weights(device, mnist, count):
    """Train a small network for two epochs. Returns its weights, and what the callbacks were told."""
    import keras

    import model
    from digits.training import recipe

    keras.utils.set_random_seed(0)
    batches = recipe.Batches(mnist.x_train[:count], mnist.y_train[:count], batch_size=50, seed=0)
    with device.scope():
        network = model.build_model(blocks=((4,), (4,)))
        network.compile(recipe.optimizer(0.01, 6), "categorical_crossentropy", metrics=[recipe.accuracy])
        network.optimizer.build(network.trainable_variables)
    logs = []
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, values: logs.append((epoch, values)))
    device.fit(network, batches, epochs=2, first_epoch=0, callbacks=[note])
    return network.get_weights(), logs
