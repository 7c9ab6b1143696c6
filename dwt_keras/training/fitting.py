"""One training: a network built, compiled and fitted, with or without compression."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from dwt_keras.compression import byte_target, rows, schedule, targets
from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import Settings
from dwt_keras.training import (
    best_epoch,
    data,
    distribution,
    early_stopping,
    epoch_log,
    epochs,
    fine_tuning,
    learning_rate,
    numerics,
    optimizers,
    requirements,
    transfer,
)

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
        before: Each kernel, by path, as it was before its last shrinking, where this process saw
            that.
    """

    model: keras.Model
    compression: DWTCompression
    seconds: float
    epochs: int
    seconds_before: float
    record: dict[str, Any]
    before: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class _Callbacks:
    """The callbacks of a training and of its head's phase; what is asked of some of them later."""

    all: list[Any]
    of_head: list[Any]
    stopping: list[Any]
    best: list[best_epoch.BestEpoch]
    watch: Any

    @property
    def record(self) -> dict[str, Any]:
        """What metrics.json says of them."""
        found: dict[str, Any] = {**early_stopping.record(self.stopping)}
        if self.best and self.best[0].record:
            found["best"] = self.best[0].record
        return found


def build(
    settings: Settings, dataset: data.Dataset, say: transfer.Say = lambda note: None
) -> keras.Model:
    """The network of the settings, its fresh weights by the seed, compiled.

    Args:
        settings: What to build.
        dataset: For what.
        say: Gets what there is to tell of weights that are not fresh, one line each.

    Raises:
        UserError: If the network cannot be had, or the data are not what it takes.
    """
    keras.utils.set_random_seed(settings.training.seed)
    requirements.check(settings, dataset.input_shape)
    with numerics.precision(settings.numerics):
        model = transfer.build(settings, dataset, say)
    optimizers.compile_model(model, settings, len(dataset.train))
    return model


def find_kernels(model: keras.Model, settings: Settings) -> tuple[targets.Target, ...]:
    """What of a network the settings mean to compress."""
    return targets.find(model, settings.compression, frozen=settings.transfer.shrink_frozen).items


def prepare(
    settings: Settings, dataset: data.Dataset, say: transfer.Say = lambda note: None
) -> Prepared:
    """Builds a network, and finds out whether it can be compressed as the settings say.

    Args:
        settings: What to build, and how to compress it.
        dataset: For what.
        say: As for `build`.

    Raises:
        UserError: If it cannot.
    """
    model = build(settings, dataset, say)
    found = find_kernels(model, settings)
    if settings.compression.is_structured:
        found = rows.eligible(model, found, settings.compression)
    if settings.compression.target_bytes is not None:
        byte_target.check(model, found, settings.compression.target_bytes)
    compression = DWTCompression(
        l1_wavelet=settings.regularization.l1_wavelet,
        samples=dataset.train.samples(_SAMPLES),
        frozen=settings.transfer.shrink_frozen,
        **{
            field.name: getattr(settings.compression, field.name)
            for field in dataclasses.fields(settings.compression)
            if field.init
        },
    )
    return Prepared(model, compression, found)


def fit(
    prepared: Prepared,
    settings: Settings,
    dataset: data.Dataset,
    folder: Path,
    watching: Sequence[Any] = (),
) -> Trained:
    """Trains and compresses; history.csv, event files and checkpoints go to the folder.

    A training that was interrupted there goes on. One over several devices ends on one of them.

    Args:
        prepared: The network and its compression.
        settings: What to do.
        dataset: The data.
        folder: Where it leaves what it leaves.
        watching: Further callbacks of Keras, behind all others.
    """
    samples = len(dataset.train)
    with distribution.training(settings) as strategy:
        if strategy is not None:
            with strategy.scope():
                apart = prepare(settings, dataset)
            distribution.synchronise(apart.model)
            told = _callbacks(apart, settings, samples, folder, watching)
            epochs.fit_plainly(apart.model, settings, dataset, told.all, folder, told.of_head)
    model, compression = prepared.model, prepared.compression
    callbacks = _callbacks(prepared, settings, samples, folder, watching)
    done = epochs.fit_plainly(model, settings, dataset, callbacks.all, folder, callbacks.of_head)
    return Trained(
        model,
        compression,
        done.seconds,
        done.epochs_done,
        done.seconds_before,
        callbacks.record,
        callbacks.watch.kernels,
    )


def fit_control(
    model: keras.Model, settings: Settings, dataset: data.Dataset, folder: Path
) -> None:
    """Trains without compression, and keeps checkpoints in the folder.

    It trains to the end; early stopping only chooses the best epoch.
    """

    small = fine_tuning.needs_small_steps(model, settings)

    def callbacks() -> list[Any]:
        return [
            *early_stopping.keeping_the_best(settings.optimization),
            *learning_rate.callbacks(settings, len(dataset.train), 0, small),
        ]

    with distribution.training(settings) as strategy:
        if strategy is not None:
            with strategy.scope():
                apart = build(settings, dataset)
            distribution.synchronise(apart)
            epochs.fit_plainly(apart, settings, dataset, callbacks(), folder)
    epochs.fit_plainly(model, settings, dataset, callbacks(), folder)


def _callbacks(
    prepared: Prepared,
    settings: Settings,
    samples: int,
    folder: Path,
    others: Sequence[Any],
) -> _Callbacks:
    # Here and not above: views stand over training and look at what it leaves.
    from dwt_keras.views import tensorboard, watching

    compression = prepared.compression
    small = fine_tuning.needs_small_steps(prepared.model, settings)
    first = schedule.first_full_epoch(settings.compression, settings.training.epochs)
    # It restores weights at the end, which the compression then makes sure of.
    stopping = early_stopping.callbacks(settings.optimization, first)
    best = [best_epoch.BestEpoch(folder, settings)] if settings.resuming.save_best else []
    watch = watching.BeforeShrinking(compression)
    everyone = [
        *stopping,
        watch,  # Changes nothing, and must see kernels before the compression does.
        compression,
        *learning_rate.callbacks(settings, samples, first, small),
        *best,
        epoch_log.EpochLog(folder),
        *tensorboard.callbacks(
            folder / "tensorboard",
            compression,
            watch,
            rates_of_steps=learning_rate.changes_within_epochs(settings.optimization),
        ),
        *others,
    ]
    of_head = [
        epoch_log.EpochLog(folder, first=-settings.transfer.head_epochs),
        tensorboard.EpochSummaries(log_dir=str(folder / "tensorboard" / "head"), write_graph=False),
    ]
    return _Callbacks(everyone, of_head, stopping, best, watch)


def show(
    trained: Trained,
    settings: Settings,
    dataset: data.Dataset,
    folder: Path,
    metrics: dict[str, Any],
) -> None:
    """Writes what is there to be seen of a run: figures, its report, its place in TensorBoard.

    Args:
        trained: The network, with the weights that ship.
        settings: The run's.
        dataset: The data.
        folder: The run's.
        metrics: What its metrics.json will hold.
    """
    from dwt_keras.views import after_run

    after_run.write(trained, settings, dataset, folder, metrics)
