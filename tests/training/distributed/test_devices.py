"""digits/training/distributed/devices.py: which devices train, and that every kind of loop learns alike."""

import socket

import numpy as np
import pytest

from digits.support.messages import UserError
from digits.training.distributed import cluster, devices


def test_a_taken_port_is_named():
    with socket.create_server(("", 0)) as taken:
        worker = cluster.Worker((f"localhost:{taken.getsockname()[1]}", "localhost:1"), 0)
        with pytest.raises(
            UserError, match=f"localhost:{taken.getsockname()[1]} in TF_CONFIG, cannot be used: address already in use"
        ):
            devices.start("multiworker", worker, timeout=60)


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
