"""The epochs of one training: batches, the head's phase before, and what is left of both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dwt_keras.settings import Settings
from dwt_keras.training import (
    augmentation,
    checkpointing,
    data,
    distribution,
    epoch_log,
    learning_rate,
    loop,
    numerics,
    optimizers,
    penalties,
    runs,
    scoring,
    soft_labels,
    telling,
    transfer,
)

# Of the head's phase, below the folder of all checkpoints, with which they go.
_HEAD = "head"


def fit_plainly(
    model: keras.Model,
    settings: Settings,
    dataset: data.Dataset,
    callbacks: list[Any],
    folder: Path,
    of_head: Sequence[Any] = (),
) -> checkpointing.Checkpoints:
    """Trains to the end; returns what knows how long it took.

    Args:
        model: The network, compiled.
        settings: Of the run.
        dataset: The data.
        callbacks: Keras' callbacks.
        folder: Gets checkpoints; a training that was interrupted there goes on.
        of_head: Keras' callbacks for the head's phase.
    """
    checkpoints = checkpointing.Checkpoints(folder, callbacks)
    epoch_log.cut(folder, checkpoints.epochs_done)
    # A training that goes on has its head behind it.
    if settings.transfer.head_epochs and not checkpoints.epochs_done:
        alone = _fit_head(model, settings, dataset, list(of_head), folder)
        checkpoints.begin_after(alone)
    _fit(model, settings, dataset, callbacks, checkpoints)
    learning_rate.end(model, settings.optimization)
    numerics.compute_in_float32(model, settings.numerics)
    # TensorFlow's own kernels from here on, so that what is evaluated, predicted and served
    # agrees to the bit: XLA's differ in the last place.
    model.jit_compile = False
    model.make_test_function(force=True)
    return checkpoints


def _fit_head(
    model: keras.Model,
    settings: Settings,
    dataset: data.Dataset,
    callbacks: list[Any],
    folder: Path,
) -> checkpointing.Checkpoints:
    """Trains the head alone, for the epochs of its phase that are left."""
    epochs = settings.transfer.head_epochs
    checkpoints = checkpointing.Checkpoints(folder / runs.CHECKPOINT / _HEAD, callbacks)
    epoch_log.cut(folder, checkpoints.epochs_done - epochs)
    telling.say(f"the head alone, for {epochs} epochs")
    with transfer.head_alone(model, settings) as alone:
        _compile(model, alone, dataset)
        _fit(model, alone, dataset, callbacks, checkpoints)
    _compile(model, settings, dataset)
    telling.say(f"all that is not frozen, for {settings.training.epochs} epochs")
    return checkpoints


def _compile(model: keras.Model, settings: Settings, dataset: data.Dataset) -> None:
    with model.distribute_strategy.scope():
        optimizers.compile_model(model, settings, len(dataset.train))


def _fit(
    model: keras.Model,
    settings: Settings,
    dataset: data.Dataset,
    callbacks: list[Any],
    checkpoints: checkpointing.Checkpoints,
) -> None:
    """Trains for the epochs that are left, as a network is compiled."""
    training = settings.training
    replicas = model.distribute_strategy.num_replicas_in_sync
    steps = distribution.steps(len(dataset.train), training.batch_size, replicas)
    is_soft = soft_labels.are_needed(settings)

    def batches(epoch: int) -> Any:
        seed = epoch_seed(training.seed, epoch)
        found = dataset.train.batches(training.batch_size, shuffle_seed=seed).take(steps)
        if is_soft:
            smoothing = settings.regularization.label_smoothing
            found = soft_labels.smoothed(found, dataset.classes, smoothing)
        return augmentation.varied(found, settings.augmentation, seed)

    watched = scoring.validation(dataset, replicas)
    if is_soft:
        watched = soft_labels.smoothed(watched, dataset.classes)
        soft_labels.compile_for_training(model)
    with (
        penalties.added(model, settings.regularization),
        dataset.train.reading(),
        dataset.validation.reading(),
    ):
        loop.train(
            model,
            batches,
            watched,
            callbacks,
            checkpoints,
            steps=steps,
            epochs=training.epochs,
            verbose=_verbosity(settings),
        )
    if is_soft:
        soft_labels.compile_for_use(model)


def _verbosity(settings: Settings) -> int:
    """What Keras shows; of several workers one does."""
    return telling.verbosity() if distribution.worker(settings).is_chief else 0


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of what is random in one epoch's data, from that of the run."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
