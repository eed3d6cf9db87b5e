"""Train on several machines: `tf.distribute.MultiWorkerMirroredStrategy` behind the methods of `devices.OneDevice`.

The training loop is the custom one of TensorFlow's guide (https://www.tensorflow.org/tutorials/distribute/custom_training)
and not Keras's `fit`, which fails under this strategy in Keras 3 (seen in 3.15.1 with TensorFlow 2.21.0;
https://github.com/keras-team/keras/issues/20585). It drives the same callbacks.
"""

from __future__ import annotations

import contextlib
import faulthandler
import subprocess
import sys
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from digits.support.constants import NUM_CLASSES, PROJECT
from digits.support.messages import UserError
from digits.training import checkpoint
from digits.training.distributed import cluster
from digits.training.distributed.devices import OneDevice, agreement, check_batch_size
from digits.training.progress import Progress, Settings
from digits.training.recipe import Batches

_kept: list = []  # the strategy: one that is freed after an error prints a traceback of its own


class SeveralMachines(OneDevice):
    """The workers that TF_CONFIG names.

    Args:
        worker: this process. watch: its limit on waiting for the others.
        strategy: of `connected`.
    """

    def __init__(self, worker: cluster.Worker, watch: cluster.Watch, strategy: tf.distribute.Strategy) -> None:
        self.worker, self.watch, self.strategy = worker, watch, strategy
        self.is_first = worker.is_first
        self.replicas = self.strategy.num_replicas_in_sync

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        with self.watch, self.strategy.scope():  # each new variable is sent by the first worker
            yield

    def share(self, model: keras.Model, settings: Settings, progress: Progress) -> None:
        with self.scope():
            model.optimizer.build(model.trainable_variables)
        with self.watch:
            text = np.frombuffer(checkpoint.to_json(settings, progress).encode(), np.uint8).astype(np.int32)
            (length,) = self._from_first([np.array(len(text), np.int32)])
            (text,) = self._from_first([np.resize(text, int(length))])
            first, begun = checkpoint.from_json(text.astype(np.uint8).tobytes().decode())
            self._refuse_other_settings(first, settings)
            progress.history = begun.history
            if progress.history:
                progress.state = progress.state or [variable.numpy() for variable in checkpoint.variables(model)]
                progress.state = self._from_first(progress.state)
                checkpoint.restore(model, progress.state)

    def fit(
        self, model: keras.Model, batches: Batches, epochs: int, first_epoch: int, callbacks: list[keras.callbacks.Callback]
    ) -> None:
        """As `OneDevice.fit`. The callbacks run on the first worker only; the others wait for it.

        Each replica varies its share of the images itself. Batch normalisation takes the statistics of a replica's share
        in each step; the moving statistics that are kept are the mean over the replicas, taken at the end of each epoch.
        """
        check_batch_size(min(batches.batch_size, len(batches.images)), self.replicas)
        train_step, results = training_step(self.strategy, self.watch, model, batches)
        agree = agreement(self.strategy, model)
        on_first = keras.callbacks.CallbackList(
            callbacks if self.is_first else [], model=model, epochs=epochs, steps=batches.steps, verbose=0
        )
        with self.watch:
            shares = iter(shared(self.strategy, batches, epochs, first_epoch))
        on_first.on_train_begin()
        for epoch in range(first_epoch, epochs):
            on_first.on_epoch_begin(epoch)
            for step in range(batches.steps):
                on_first.on_train_batch_begin(step)
                with self.watch:
                    train_step(shares)
                on_first.on_train_batch_end(step)
            with self.watch:
                agree()
                logs = results()
            on_first.on_epoch_end(epoch, logs)
        on_first.on_train_end()

    def barrier(self) -> None:
        with self.watch:
            self._from_first([np.zeros(1, np.int32)])

    def _from_first(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Return the first worker's arrays on every worker. All give arrays of the same shapes and dtypes (no uint8)."""
        if len(self.worker.addresses) < 2:
            return arrays
        with self.strategy.scope():  # a new variable gets the first worker's value everywhere
            return [tf.Variable(array, trainable=False).numpy() for array in arrays]

    def _refuse_other_settings(self, first: Settings, mine: Settings) -> None:
        difference = first.difference(mine)
        if isinstance(difference, str):
            raise UserError(f"worker {self.worker.index} has {difference} than the first; give all the same files.")
        if difference:
            raise UserError(
                f"the first worker was started {difference[0]}, and this one, worker {self.worker.index}, {difference[1]}; start "
                "all with the same."
            )


def connected(watch: cluster.Watch) -> tf.distribute.Strategy:
    """Return the strategy once all workers are connected. Raises UserError."""
    # Python, and with it the watch's thread, stands still while TensorFlow connects. faulthandler's limit works all the
    # same; where it ends the process, what it writes wakes cluster.py in another process, which says whose fault it is.
    with subprocess.Popen(
        [sys.executable, "-m", cluster.__name__, str(watch.timeout)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stderr=watch.standard_error,
    ) as speaker:
        assert speaker.stdin
        faulthandler.dump_traceback_later(watch.timeout, exit=True, file=speaker.stdin)
        try:
            with watch:
                _kept.append(tf.distribute.MultiWorkerMirroredStrategy())
        finally:
            faulthandler.cancel_dump_traceback_later()
    return _kept[-1]


def training_step(
    strategy: tf.distribute.Strategy, watch: cluster.Watch, model: keras.Model, batches: Batches
) -> tuple[Callable[[Iterator], None], Callable[[], dict[str, float]]]:
    """Return two functions: one learns from the next of the `shared` batches; one returns the epoch's logs and begins anew.

    The logs are those of Keras's `fit`: "loss" and "accuracy", over all images of the epoch.
    """
    replicas = strategy.num_replicas_in_sync
    with watch, strategy.scope():
        sums = tf.Variable(
            tf.zeros(3), trainable=False, synchronization=tf.VariableSynchronization.ON_READ, aggregation=tf.VariableAggregation.SUM
        )  # of the loss, of the right answers, of the digits

    def learn(images, labels, step, weights):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        images, targets = batches.prepare(images, labels, tf.cast(step[0], tf.int32) * replicas + replica)
        with tf.GradientTape() as tape:
            probabilities = model(images, training=True)
            loss = tf.reduce_sum(weights * keras.losses.categorical_crossentropy(targets, probabilities))
        # The optimizer adds the gradients up over the replicas.
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        is_digit = labels < NUM_CLASSES
        right = is_digit & (tf.argmax(probabilities, axis=1) == tf.cast(labels, tf.int64))
        sums.assign_add([loss, tf.reduce_sum(tf.cast(right, tf.float32)), tf.reduce_sum(tf.cast(is_digit, tf.float32))])

    def results():
        loss, right, digits = sums.read_value().numpy()
        sums.assign(tf.zeros(3), read_value=False)  # to read it back would ask all workers
        return {"loss": float(loss / batches.steps), "accuracy": float(right / max(digits, 1))}

    return tf.function(lambda shares: strategy.run(learn, args=next(shares)), autograph=False), results


def shared(strategy: tf.distribute.Strategy, batches: Batches, epochs: int, first_epoch: int) -> tf.distribute.DistributedDataset:
    """Return the batches of a training, in the order of `Batches.dataset`, cut up: every replica gets its share of each.

    Yields:
        (images uint8, labels uint8, step int64, weight float32), each with one entry per image; the weights of a global
        batch add up to 1, however it is cut up.
    """
    images, labels = tf.constant(batches.images), tf.constant(batches.labels)

    @tf.autograph.experimental.do_not_convert
    def one_batch(step, indices):
        count = tf.size(indices)
        weights = tf.fill([count], 1 / tf.cast(count, tf.float32))
        return tf.gather(images, indices), tf.gather(labels, indices), tf.fill([count], step), weights

    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # repeat() never runs its second round. It tells TensorFlow that there is no end, before each step of
    # which the workers would otherwise ask one another whether it has come.
    indices = batches.indices(epochs, first_epoch).repeat()
    return strategy.experimental_distribute_dataset(
        indices.map(one_batch, num_parallel_calls=2, deterministic=True).prefetch(4).with_options(options)
    )
