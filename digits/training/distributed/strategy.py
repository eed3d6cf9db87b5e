"""Train on several GPUs or several machines: tf.distribute, TensorFlow's own engine, behind `train.py --strategy`.

    python train.py --strategy mirrored          # all GPUs of this machine
    python train.py --strategy multiworker       # on each machine, with TF_CONFIG set: see docs/distributed.md

Every replica (a GPU, or a worker without one) holds the whole network and learns from its share of each global
batch; the gradients are added up over all replicas before each step, so that the weights stay the same everywhere.

The training loop is the custom one of TensorFlow's guide (https://www.tensorflow.org/tutorials/distribute/custom_training)
and not Keras's `fit`, which fails under MultiWorkerMirroredStrategy in Keras 3 (seen in 3.15.1 with TensorFlow 2.21.0;
https://github.com/keras-team/keras/issues/20585): it uses nothing of Keras but models, losses and optimizers.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from digits.support.messages import UserError
from digits.training.distributed import cluster

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from digits.training.callbacks import Epochs

STRATEGIES = ("none", "mirrored", "multiworker")
_kept: list = []  # the multiworker strategy: one that is freed after an error prints a traceback of its own


def start(name: str, worker: cluster.Worker, watch: cluster.Watch) -> tf.distribute.Strategy | None:
    """Return the tf.distribute.Strategy `name`, or None for "none". Call it before TensorFlow has computed anything.

    Raises:
        UserError: this worker's port is taken, or TensorFlow cannot reach the others.
    """
    import tensorflow as tf

    if name == "mirrored":
        return tf.distribute.MirroredStrategy()
    if name == "none":
        if (count := len(tf.config.list_physical_devices("GPU"))) > 1:
            print(f"{count} GPUs are here, and one is used; --strategy mirrored uses all.", flush=True)
        return None
    cluster.wait_for_all(worker, watch)
    # Python, and with it the watch's thread, stands still while TensorFlow connects. faulthandler's limit works all the
    # same; where it ends the process, what it writes wakes digits/training/distributed/cluster.py, which says whose fault it is.
    with subprocess.Popen(
        [sys.executable, cluster.__file__, str(watch.timeout)], stdin=subprocess.PIPE, stderr=watch.standard_error
    ) as speaker:
        assert speaker.stdin
        faulthandler.dump_traceback_later(watch.timeout, exit=True, file=speaker.stdin)
        try:
            with watch:
                _kept.append(tf.distribute.MultiWorkerMirroredStrategy())
        finally:
            faulthandler.cancel_dump_traceback_later()
    return _kept[-1]


def scope(strategy: tf.distribute.Strategy | None, watch: cluster.Watch) -> contextlib.ExitStack:
    """Return the context in which the model and its optimizer are built; it does nothing where there is no strategy."""
    stack = contextlib.ExitStack()
    if strategy:
        stack.enter_context(watch)  # each new variable is sent by the first worker
        stack.enter_context(strategy.scope())
    return stack


def begin_together(strategy: tf.distribute.Strategy, worker: cluster.Worker, watch: cluster.Watch, epochs: Epochs) -> None:
    """Give every worker the first one's progress and variables, those of a resumed training among them.

    Args:
        epochs: `callbacks.Epochs` of this worker; changed in place.

    Raises:
        UserError: this worker was started with other options or data than the first.
    """
    import numpy as np

    from digits.training import checkpoint

    with watch:
        text = np.frombuffer(json.dumps(epochs.progress).encode(), np.uint8).astype(np.int32)
        (length,) = from_first(strategy, worker, [np.array(len(text), np.int32)])
        (text,) = from_first(strategy, worker, [np.resize(text, int(length))])
        progress = json.loads(text.astype(np.uint8).tobytes())
        difference = checkpoint.first_difference(progress["run"], epochs.progress["run"])
        if difference == checkpoint.OTHER_DATA:
            raise UserError(f"this worker, {worker.index}, has {difference} than the first; give all the same files.")
        if difference:
            raise UserError(
                f"the first worker was started {difference[0]}, and this one, worker {worker.index}, {difference[1]}; start "
                "all with the same."
            )
        epochs.progress.update(progress)
        checkpoint.restore(epochs.state, from_first(strategy, worker, [variable.numpy() for variable in epochs.state]))
        if progress["best"]:
            epochs.best_weights = from_first(strategy, worker, epochs.best_weights or epochs.model.get_weights())


def from_first(strategy: tf.distribute.Strategy, worker: cluster.Worker, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the first worker's arrays on every worker. All give arrays of the same shapes and dtypes (no uint8)."""
    import tensorflow as tf

    if len(worker.addresses) < 2:
        return arrays
    with strategy.scope():  # a new variable gets the first worker's value everywhere
        return [tf.Variable(array, trainable=False).numpy() for array in arrays]


def wait_for_first(strategy: tf.distribute.Strategy, worker: cluster.Worker, watch: cluster.Watch) -> None:
    """Return when the first worker has come here, too, such as after it has saved. Raises UserError when it is lost before."""
    import numpy as np

    with watch:
        from_first(strategy, worker, [np.zeros(1, np.int32)])


def check_batch_size(strategy: tf.distribute.Strategy, batch_size: int) -> None:
    """Refuse a global batch that leaves a replica without images. Raises UserError."""
    replicas = strategy.num_replicas_in_sync
    if (replicas - 1) * -(-batch_size // replicas) >= batch_size:  # each takes as many as the first, the last what is left
        raise UserError(
            f"a batch of {batch_size} images leaves one of {replicas} replicas without any; choose a --batch-size that "
            f"is a multiple of {replicas}, and have as many images."
        )


def shared_batches(
    strategy: tf.distribute.Strategy,
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
) -> tf.distribute.DistributedDataset:
    """Return a tf.distribute.DistributedDataset: of each global batch, every replica gets its share.

    The order is that of `recipe.training_batches`. Yields (images uint8, labels uint8, step int64, weight float32), each
    with one entry per picture; the weights of a global batch add up to 1, however it is cut up.
    """
    import tensorflow as tf

    from digits.training import recipe

    images, labels = tf.constant(images), tf.constant(labels)

    def one_batch(step, indices):
        count = tf.size(indices)
        return (
            tf.gather(images, indices),
            tf.gather(labels, indices),
            tf.fill([count], step),
            tf.fill([count], 1 / tf.cast(count, tf.float32)),
        )

    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # repeat() never runs its second round. It tells TensorFlow that there is no end, before each step of
    # which the workers would otherwise ask one another whether it has come.
    batches = recipe.batch_indices(len(images), batch_size, seed, first_epoch, epochs).repeat()
    return strategy.experimental_distribute_dataset(
        batches.map(one_batch, num_parallel_calls=2, deterministic=True).prefetch(4).with_options(options)
    )


def fit(
    strategy: tf.distribute.Strategy,
    watch: cluster.Watch,
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
    first_epoch: int,
    epochs: int,
    on_epoch_end: Callable[[int, dict], None],
) -> None:
    """Train a model that was built and compiled (`recipe.compile_model`) inside `strategy.scope()`.

    Augmentation is done by each replica for its share. Batch normalisation takes the statistics of a replica's share in
    each step; the moving statistics that are kept are the mean over the replicas, taken at the end of each epoch.

    Args:
        images: (N, 28, 28) uint8. labels: (N,) uint8 (see `recipe.training_pictures`); all of them, on every worker.
        batch_size: of the global batch, over all replicas.
        on_epoch_end: called with the epoch (from 0) and a dict of "loss" and "digit_accuracy", as Keras's callbacks are.

    Raises:
        UserError: a worker was lost, or the replicas' weights are not the same any more.
    """
    import keras
    import tensorflow as tf

    from digits.training import recipe

    replicas, steps = strategy.num_replicas_in_sync, recipe.steps_per_epoch(len(images), batch_size)
    check_batch_size(strategy, min(batch_size, len(images)))
    moving = [variable for variable in model.non_trainable_variables if "float" in variable.dtype]
    with watch, strategy.scope():
        sums = tf.Variable(
            tf.zeros(3), trainable=False, synchronization=tf.VariableSynchronization.ON_READ, aggregation=tf.VariableAggregation.SUM
        )  # of the loss, of digits read right, of digits

    def learn(images, labels, step, weights):
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        draw = tf.cast(step[0], tf.int32) * replicas + replica
        pictures, targets = recipe.prepare(images, labels, tf.stack([seed, draw]))
        with tf.GradientTape() as tape:
            answers = model(pictures, training=True)
            loss = tf.reduce_sum(weights * keras.losses.categorical_crossentropy(targets, answers))
        # The optimizer adds the gradients up over the replicas.
        model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        is_digit = labels < 10
        right = is_digit & (tf.argmax(answers, axis=1) == tf.cast(labels, tf.int64))
        sums.assign_add([loss, tf.reduce_sum(tf.cast(right, tf.float32)), tf.reduce_sum(tf.cast(is_digit, tf.float32))])

    def agree():
        """Give every replica the mean of the moving statistics; return whether all weights are the same, bit for bit."""
        everywhere = tf.distribute.get_replica_context().all_reduce
        for variable, mean in zip(moving, everywhere(tf.distribute.ReduceOp.MEAN, [v.value + 0 for v in moving])):
            variable.assign(mean)
        bits = tf.add_n([tf.reduce_sum(tf.cast(tf.bitcast(v.value + 0, tf.int32), tf.int64)) for v in model.trainable_variables])
        return everywhere(tf.distribute.ReduceOp.SUM, bits) == bits * replicas

    learn_step = tf.function(lambda batches: strategy.run(learn, args=next(batches)))
    end_epoch = tf.function(lambda: strategy.run(agree))
    with watch:
        batches = iter(shared_batches(strategy, images, labels, batch_size, seed, first_epoch, epochs))
    for epoch in range(first_epoch, epochs):
        with watch:
            sums.assign(tf.zeros(3), read_value=False)  # to read it back would ask all workers
        for _ in range(steps):
            with watch:
                learn_step(batches)
        with watch:
            if not all(bool(same) for same in strategy.experimental_local_results(end_epoch())):
                raise UserError(
                    "the weights of the replicas differ: a machine computes wrongly, or a worker runs another version; "
                    "give all workers the same packages."
                )
            loss, right, digits = sums.read_value().numpy()
        on_epoch_end(epoch, {"loss": loss / steps, "digit_accuracy": right / max(digits, 1)})
