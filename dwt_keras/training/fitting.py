"""One training: a network built, compiled and fitted, with or without compression."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dwt_keras.compression import byte_target, rows, targets
from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import Settings
from dwt_keras.training import best_epoch, checkpointing, data, distribution, loop, models

HISTORY = "history.csv"

_EVALUATION_BATCH = 1000
# How many inputs tell the compression how much the inputs of layers vary.
_SAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A network that is ready to be trained.

    Attributes:
        model: The network, compiled.
        compression: The callback that will compress it.
        kernels: What it will compress.
    """

    model: keras.Model
    compression: DWTCompression
    kernels: tuple[targets.Target, ...]


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network that has been trained.

    Attributes:
        model: The network, its evaluation bound to TensorFlow's own kernels.
        compression: The callback that compressed it.
        seconds: Duration of the training, parts in earlier processes included.
        epochs: Number of epochs.
        seconds_before: Duration of those parts.
        record: What else metrics.json says of the training.
    """

    model: keras.Model
    compression: DWTCompression
    seconds: float
    epochs: int
    seconds_before: float
    record: dict[str, Any]


def build(settings: Settings, dataset: data.Dataset) -> keras.Model:
    """The network of the settings, with fresh weights by its seed, compiled."""
    keras.utils.set_random_seed(settings.training.seed)
    model = models.build(settings.training, dataset.input_shape, dataset.classes)
    models.compile_model(model, settings.training, len(dataset.train_labels))
    return model


def prepare(settings: Settings, dataset: data.Dataset) -> Prepared:
    """Builds a network, and finds out whether it can be compressed as the settings say.

    Raises:
        UserError: If it cannot.
    """
    model = build(settings, dataset)
    found = targets.find(model, settings.compression).items
    if settings.compression.is_structured:
        found = rows.eligible(model, found, settings.compression)
    if settings.compression.target_bytes is not None:
        byte_target.check(model, found, settings.compression.target_bytes)
    compression = DWTCompression(
        samples=dataset.train_images[:_SAMPLES],
        **{
            field.name: getattr(settings.compression, field.name)
            for field in dataclasses.fields(settings.compression)
            if field.init
        },
    )
    return Prepared(model, compression, found)


def fit(prepared: Prepared, settings: Settings, dataset: data.Dataset, folder: Path) -> Trained:
    """Trains and compresses; history.csv, event files and checkpoints go to the folder.

    A training that was interrupted there goes on. One over several devices ends on one of them.
    """
    with distribution.training(settings) as strategy:
        if strategy is not None:
            with strategy.scope():
                apart = prepare(settings, dataset)
            distribution.synchronise(apart.model)
            callbacks, _ = _callbacks(apart.compression, settings, folder)
            fit_plainly(apart.model, settings, dataset, callbacks, folder)
    model, compression = prepared.model, prepared.compression
    callbacks, best = _callbacks(compression, settings, folder)
    done = fit_plainly(model, settings, dataset, callbacks, folder)
    record = {"best": best[0].record} if best and best[0].record else {}
    return Trained(model, compression, done.seconds, done.epochs_done, done.seconds_before, record)


def fit_control(
    model: keras.Model, settings: Settings, dataset: data.Dataset, folder: Path
) -> None:
    """Trains without compression, and keeps checkpoints in the folder."""
    with distribution.training(settings) as strategy:
        if strategy is not None:
            with strategy.scope():
                apart = build(settings, dataset)
            distribution.synchronise(apart)
            fit_plainly(apart, settings, dataset, [], folder)
    fit_plainly(model, settings, dataset, [], folder)


def _callbacks(
    compression: DWTCompression, settings: Settings, folder: Path
) -> tuple[list[Any], list[best_epoch.BestEpoch]]:
    """All callbacks of a training, and among them the one that keeps the best epoch, if any."""
    # Here and not above: views stand over training and look at what it leaves.
    from dwt_keras.views import tensorboard

    best = [best_epoch.BestEpoch(folder, settings)] if settings.resuming.save_best else []
    return [
        compression,
        *best,
        keras.callbacks.CSVLogger(folder / HISTORY, append=True),
        *tensorboard.callbacks(folder / "tensorboard", compression),
    ], best


def fit_plainly(
    model: keras.Model,
    settings: Settings,
    dataset: data.Dataset,
    callbacks: list[Any],
    folder: Path,
) -> checkpointing.Checkpoints:
    """Trains to the end; returns what knows how long it took.

    Args:
        model: The network, compiled.
        settings: Of the run.
        dataset: The data.
        callbacks: Keras' callbacks.
        folder: Gets checkpoints; a training that was interrupted there goes on.
    """
    training = settings.training
    replicas = model.distribute_strategy.num_replicas_in_sync
    checkpoints = checkpointing.Checkpoints(folder, callbacks)
    checkpointing.cut_history(folder / HISTORY, checkpoints.epochs_done)
    images, labels = dataset.train_images, dataset.train_labels
    steps = distribution.steps(len(labels), training.batch_size, replicas)

    def batches(epoch: int) -> Any:
        seed = epoch_seed(training.seed, epoch)
        return data.pipeline(images, labels, training.batch_size, shuffle_seed=seed).take(steps)

    loop.train(
        model,
        batches,
        validation(dataset, replicas),
        callbacks,
        checkpoints,
        steps=steps,
        epochs=training.epochs,
        verbose=_verbosity(settings),
    )
    # TensorFlow's own kernels from here on, so that what is evaluated, predicted and served
    # agrees to the bit: XLA's differ in the last place.
    model.jit_compile = False
    model.make_test_function(force=True)
    return checkpoints


def _verbosity(settings: Settings) -> int:
    """What Keras shows: a bar on a terminal, else a line an epoch; of several workers one does."""
    if not distribution.worker(settings).is_chief:
        return 0
    return 1 if sys.stdout.isatty() else 2


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of what is random in one epoch's data, from that of the run."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def validation(dataset: data.Dataset, replicas: int = 1) -> Any:
    """The validation part in batches that can be divided among so many replicas."""
    images, labels = dataset.validation_images, dataset.validation_labels
    batch_size = distribution.even_batch(len(labels), _EVALUATION_BATCH, replicas)
    return data.pipeline(images, labels, batch_size, shuffle_seed=None)


def validation_accuracy(model: keras.Model, dataset: data.Dataset) -> float:
    """Accuracy on the validation part, 0 to 1."""
    return float(model.evaluate(validation(dataset), verbose=0, return_dict=True)["accuracy"])


def test_scores(model: keras.Model, dataset: data.Dataset) -> dict[str, float]:
    """Loss and accuracy on the test part."""
    test = data.pipeline(
        dataset.test_images, dataset.test_labels, _EVALUATION_BATCH, shuffle_seed=None
    )
    scores: dict[str, float] = model.evaluate(test, verbose=0, return_dict=True)
    return scores
