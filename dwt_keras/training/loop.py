"""The training loop: that of `keras.Model.fit`, over data that are made anew for each epoch.

fit takes one data set, whose order in an epoch depends on how often it has been read. A training
that goes on after an interruption needs an order that is a function of seed and epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from dwt_keras.training import interrupts, multiworker
from dwt_keras.training.checkpointing import Checkpoints


def train(
    model: keras.Model,
    batches: Callable[[int], Any],
    validation: Any,
    callbacks: list[Any],
    checkpoints: Checkpoints,
    *,
    steps: int,
    epochs: int,
    verbose: int,
) -> None:
    """Trains a compiled model for the epochs that are left, as `fit` does.

    Args:
        model: The model, compiled; its distribution strategy divides each batch.
        batches: From an epoch, counted from 0, to its tf.data.Dataset of batches.
        validation: Batches of the validation part.
        callbacks: Keras' callbacks.
        checkpoints: Comes behind them, and says with which epoch to begin.
        steps: How many batches an epoch has.
        epochs: Epochs of the whole training.
        verbose: As for `fit`: 0 for nothing, 1 for a bar, 2 for a line an epoch.

    Raises:
        KeyboardInterrupt: If the user asks it to end, which it does after a batch.
    """
    strategy = model.distribute_strategy
    first = checkpoints.epochs_done
    with strategy.scope():
        # As in fit: variables of metrics and optimizer must not be made while a step is traced.
        model._symbolic_build(data_batch=next(iter(validation)))
    everyone = keras.callbacks.CallbackList(
        [*callbacks, checkpoints],
        add_history=True,
        add_progbar=verbose != 0,
        model=model,
        verbose=verbose,
        epochs=epochs,
        steps=steps,
    )
    functions = multiworker.steps_for(model)
    model.stop_training = False
    model.make_train_function()
    with interrupts.deferred() as requests:
        everyone.on_train_begin()
        logs: dict[str, Any] = {}
        for epoch in range(first, epochs):
            if model.stop_training:
                break
            model.reset_metrics()
            everyone.on_epoch_begin(epoch)
            iterator = iter(multiworker.divided(strategy, batches(epoch)))
            for step in range(0, steps, model.steps_per_execution):
                everyone.on_train_batch_begin(step)
                logs = functions.train(iterator)
                everyone.on_train_batch_end(step + model.steps_per_execution - 1, logs)
                requests.check()
                if model.stop_training:
                    break
            logs = dict(model.get_metrics_result())
            found = functions.evaluate(validation, everyone)
            logs.update({f"val_{name}": value for name, value in found.items()})
            everyone.on_epoch_end(epoch, logs)
    model.optimizer.finalize_variable_values(model.trainable_weights)
    everyone.on_train_end(logs)
