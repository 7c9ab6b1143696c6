"""Training and validation steps that several workers take together.

Keras' own cannot run under MultiWorkerMirroredStrategy: they gather from each batch what the
replicas returned, which no worker has of the others. Here the metrics' variables are read instead,
at the end of an epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class Steps:
    """What `keras.Model` has as `train_function` and `evaluate`, for all workers at once.

    Each worker must call the same methods in the same order.

    Args:
        model: The model, built and compiled within the strategy's scope.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._strategy = model.distribute_strategy
        self._kerass: Any = None
        self._train: Any = None
        self._test = self._function(model.test_step)

    def train(self, iterator: Any) -> dict[str, Any]:
        """Takes one training step; of one batch alone there are no logs."""
        if self._kerass is not self._model.train_function:
            # Callbacks have had Keras' own made anew, as what is traced in it has changed.
            self._kerass = self._model.train_function
            self._train = self._function(self._model.train_step)
        self._train(iterator)
        return {}

    def evaluate(self, batches: tf.data.Dataset, callbacks: Any) -> dict[str, Any]:
        """Loss and metrics over a data set that is divided among the workers.

        Args:
            batches: The data, the same in each worker.
            callbacks: Keras' CallbackList, which is told as by `Model.evaluate`.
        """
        self._model.reset_metrics()
        callbacks.on_test_begin()
        iterator = iter(divided(self._strategy, batches))
        for step in range(int(batches.cardinality())):
            callbacks.on_test_batch_begin(step)
            self._test(iterator)
            callbacks.on_test_batch_end(step, {})
        logs = dict(self._model.get_metrics_result())
        callbacks.on_test_end(logs)
        return logs

    def _function(self, step: Callable[[Any], Any]) -> Any:
        strategy = self._strategy

        @tf.function(reduce_retracing=True, autograph=False)
        def run(iterator: Any) -> None:
            strategy.run(step, args=(iterator.get_next(),))

        return run


class KerasSteps:
    """The same by Keras itself, for the devices of one process.

    Args:
        model: The model, built and compiled.
    """

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        # Keras adds the replicas' first batches up, whose lengths need not be the same.
        is_divided = model.distribute_strategy.num_replicas_in_sync > 1
        self._own = Steps(model) if is_divided else None

    def train(self, iterator: Any) -> dict[str, Any]:
        """Takes one training step; `steps_per_execution` of them."""
        # Callbacks may have it made anew.
        logs: dict[str, Any] = self._model.train_function(iterator)
        return logs

    def evaluate(self, batches: tf.data.Dataset, callbacks: Any) -> dict[str, Any]:
        """As `Model.evaluate`."""
        if self._own is not None:
            return self._own.evaluate(batches, callbacks)
        logs: dict[str, Any] = self._model.evaluate(batches, callbacks=callbacks, return_dict=True)
        return logs


def steps_for(model: keras.Model) -> Steps | KerasSteps:
    """The steps that can be taken under a model's strategy."""
    collective = isinstance(model.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return Steps(model) if collective else KerasSteps(model)


def divided(strategy: Any, batches: tf.data.Dataset) -> Any:
    """Batches divided among the replicas of all workers; nothing is done for a single one."""
    options = tf.data.Options()
    # Each worker reads all and keeps its share, so that the batches are those of a single one.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return strategy.experimental_distribute_dataset(batches.with_options(options))
