"""What a training runs on, behind the same few methods: one device, all GPUs of a machine, or several machines.

    devices = start("mirrored", worker, timeout=300)
    with devices.scope():
        model = build_model()
        model.compile(...)
    devices.share(model, settings, progress)
    devices.fit(model, batches, epochs=4, first_epoch=progress.epochs, callbacks=[...])
    devices.barrier()

Every replica (a GPU, or a worker without one) holds the whole network and learns from its share of each global
batch; the gradients are added up over all replicas before each step, so that the weights stay the same everywhere.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from digits.inference.keras_model import start_tensorflow  # sets, on its import, how much TensorFlow says
from digits.support import native_output
from digits.support.messages import UserError
from digits.training import checkpoint
from digits.training.distributed import cluster
from digits.training.progress import Progress, Settings

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from digits.training.recipe import Batches


class OneDevice:
    """The first GPU, or else the CPU. Keras's own loop trains.

    Attributes:
        replicas: how many devices share each batch.
        is_first: whether this process is the one that saves the model.
    """

    replicas = 1
    is_first = True

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the context in which the model is built and compiled."""
        return contextlib.nullcontext()

    def share(self, model: keras.Model, settings: Settings, progress: Progress) -> None:
        """Give the model the state in `progress`, if a training is resumed; all workers get the first one's.

        Raises:
            UserError: the state is of another network, or this worker's settings are not those of the first.
        """
        with self.scope():
            model.optimizer.build(model.trainable_variables)
        if progress.state:
            checkpoint.restore(model, progress.state)

    def fit(
        self, model: keras.Model, batches: Batches, epochs: int, first_epoch: int, callbacks: list[keras.callbacks.Callback]
    ) -> None:
        """Train the model from `first_epoch` (from 0) up to, not including, `epochs`.

        Raises:
            UserError: a batch leaves a replica without images, a worker was lost, or the replicas' weights differ.
        """
        if first_epoch < epochs:
            model.fit(
                batches.dataset(epochs, first_epoch),
                steps_per_epoch=batches.steps,
                initial_epoch=first_epoch,
                epochs=epochs,
                callbacks=callbacks,
                shuffle=False,  # the batches are shuffled already
                verbose=0,
            )

    def barrier(self) -> None:
        """Return when all workers have come here."""


class Mirrored(OneDevice):
    """All GPUs of this machine, by `tf.distribute.MirroredStrategy`. Keras's own loop trains, and cuts up each batch."""

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self.strategy = strategy
        self.replicas = strategy.num_replicas_in_sync

    def scope(self) -> contextlib.AbstractContextManager:
        return self.strategy.scope()

    def fit(
        self, model: keras.Model, batches: Batches, epochs: int, first_epoch: int, callbacks: list[keras.callbacks.Callback]
    ) -> None:
        import keras

        check_batch_size(min(batches.batch_size, len(batches.images)), self.replicas)
        agree = agreement(self.strategy, model)
        callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: agree()), *callbacks]
        super().fit(model, batches, epochs, first_epoch, callbacks)


def start(strategy: str, worker: cluster.Worker, timeout: float) -> OneDevice:
    """Import TensorFlow, wake the devices, and return them. Call it before TensorFlow has computed anything.

    Args:
        strategy: one of cluster.STRATEGIES. worker: of `cluster.worker_of`.
        timeout: how long a worker waits for the others, in seconds.

    Raises:
        UserError: this worker's port is taken, or TensorFlow cannot reach the others.
    """
    watch = cluster.Watch(worker, timeout)  # keeps the real standard error
    if strategy == "multiworker":
        cluster.wait_for_all(worker, watch)
    with native_output.silenced():
        import tensorflow as tf

        from digits.training.distributed.several_machines import SeveralMachines, connected

        devices: OneDevice
        if strategy == "multiworker":
            devices = SeveralMachines(worker, watch, connected(watch))
        elif strategy == "mirrored":
            devices = Mirrored(tf.distribute.MirroredStrategy())
        else:
            devices = OneDevice()
        start_tensorflow()
    return devices


def describe(devices: OneDevice) -> str:
    """Return in words what trains: "the CPU, 2 cores"."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        name = f"the CPU, {os.cpu_count()} cores"
    else:
        name = f"the GPU ({tf.config.experimental.get_device_details(gpus[0]).get('device_name', 'of unknown name')})"
    if devices.replicas > 1:
        return f"{name}; {devices.replicas} replicas share each batch"
    return name + (f"; {len(gpus)} GPUs are here, and --strategy mirrored uses all" if len(gpus) > 1 else "")


def check_batch_size(batch_size: int, replicas: int) -> None:
    """Refuse a global batch that leaves a replica without images. Raises UserError."""
    if (replicas - 1) * -(-batch_size // replicas) >= batch_size:  # each takes as many as the first, the last what is left
        raise UserError(
            f"a batch of {batch_size} images leaves one of {replicas} replicas without any; choose a --batch-size that "
            f"is a multiple of {replicas}, and have as many images."
        )


def agreement(strategy: tf.distribute.Strategy, model: keras.Model) -> Callable[[], None]:
    """Return a function to call at the end of each epoch, on all workers at once.

    It gives every replica the mean of the replicas' moving statistics of batch normalisation, and raises UserError where
    the weights of the replicas are not the same, bit for bit.
    """
    import tensorflow as tf

    replicas = strategy.num_replicas_in_sync
    moving = [variable for variable in model.non_trainable_variables if "float" in variable.dtype]

    def agree():
        everywhere = tf.distribute.get_replica_context().all_reduce
        for variable, mean in zip(moving, everywhere(tf.distribute.ReduceOp.MEAN, [v.value + 0 for v in moving])):
            variable.assign(mean)
        bits = tf.add_n([tf.reduce_sum(tf.cast(tf.bitcast(v.value + 0, tf.int32), tf.int64)) for v in model.trainable_variables])
        return everywhere(tf.distribute.ReduceOp.SUM, bits) == bits * replicas

    on_replicas = tf.function(lambda: strategy.run(agree), autograph=False)

    def check():
        if not all(bool(same) for same in strategy.experimental_local_results(on_replicas())):
            raise UserError(
                "the weights of the replicas differ: a machine computes wrongly, or a worker runs another version; "
                "give all workers the same packages."
            )

    return check
