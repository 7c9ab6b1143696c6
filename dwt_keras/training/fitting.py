"""One training: a network built, compiled and fitted, with or without compression."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dwt_keras.compression import byte_target, rows, schedule, targets
from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import Settings
from dwt_keras.training import (
    augmentation,
    best_epoch,
    checkpointing,
    data,
    distribution,
    early_stopping,
    learning_rate,
    loop,
    numerics,
    optimizers,
    penalties,
    requirements,
    soft_labels,
    transfer,
)

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
    """The callbacks of one training, in their order, and what is asked of some of them later."""

    all: list[Any]
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


def fit(prepared: Prepared, settings: Settings, dataset: data.Dataset, folder: Path) -> Trained:
    """Trains and compresses; history.csv, event files and checkpoints go to the folder.

    A training that was interrupted there goes on. One over several devices ends on one of them.
    """
    samples = len(dataset.train)
    with distribution.training(settings) as strategy:
        if strategy is not None:
            with strategy.scope():
                apart = prepare(settings, dataset)
            distribution.synchronise(apart.model)
            callbacks = _callbacks(apart.compression, settings, samples, folder)
            fit_plainly(apart.model, settings, dataset, callbacks.all, folder)
    model, compression = prepared.model, prepared.compression
    callbacks = _callbacks(compression, settings, samples, folder)
    done = fit_plainly(model, settings, dataset, callbacks.all, folder)
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

    def callbacks() -> list[Any]:
        return [
            *early_stopping.keeping_the_best(settings.optimization),
            *learning_rate.callbacks(settings, len(dataset.train), 0),
        ]

    with distribution.training(settings) as strategy:
        if strategy is not None:
            with strategy.scope():
                apart = build(settings, dataset)
            distribution.synchronise(apart)
            fit_plainly(apart, settings, dataset, callbacks(), folder)
    fit_plainly(model, settings, dataset, callbacks(), folder)


def _callbacks(
    compression: DWTCompression, settings: Settings, samples: int, folder: Path
) -> _Callbacks:
    # Here and not above: views stand over training and look at what it leaves.
    from dwt_keras.views import tensorboard, watching

    first = schedule.first_full_epoch(settings.compression, settings.training.epochs)
    # It restores weights at the end, which the compression then makes sure of.
    stopping = early_stopping.callbacks(settings.optimization, first)
    best = [best_epoch.BestEpoch(folder, settings)] if settings.resuming.save_best else []
    watch = watching.BeforeShrinking(compression)
    everyone = [
        *stopping,
        watch,  # Changes nothing, and must see kernels before the compression does.
        compression,
        *learning_rate.callbacks(settings, samples, first),
        *best,
        keras.callbacks.CSVLogger(folder / HISTORY, append=True),
        *tensorboard.callbacks(
            folder / "tensorboard",
            compression,
            watch,
            rates_of_steps=learning_rate.changes_within_epochs(settings.optimization),
        ),
    ]
    return _Callbacks(everyone, stopping, best, watch)


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
    checkpoints = checkpointing.Checkpoints(folder, callbacks)
    checkpointing.cut_history(folder / HISTORY, checkpoints.epochs_done)
    # A training that goes on has its head behind it.
    if settings.transfer.head_epochs and not checkpoints.epochs_done:
        print(f"the head alone, for {settings.transfer.head_epochs} epochs")
        with transfer.head_alone(model, settings) as of_head:
            _compile(model, of_head, dataset)
            alone = checkpointing.Checkpoints(folder, [], writes=False)
            _fit(model, of_head, dataset, [], alone)
        _compile(model, settings, dataset)
    _fit(model, settings, dataset, callbacks, checkpoints)
    learning_rate.end(model, settings.optimization)
    numerics.compute_in_float32(model, settings.numerics)
    # TensorFlow's own kernels from here on, so that what is evaluated, predicted and served
    # agrees to the bit: XLA's differ in the last place.
    model.jit_compile = False
    model.make_test_function(force=True)
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

    watched = validation(dataset, replicas)
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
    """What Keras shows: a bar on a terminal, else a line an epoch; of several workers one does."""
    if not distribution.worker(settings).is_chief:
        return 0
    return 1 if sys.stdout.isatty() else 2


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of what is random in one epoch's data, from that of the run."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


def validation(dataset: data.Dataset, replicas: int = 1) -> Any:
    """The validation part in batches that can be divided among so many replicas."""
    batch_size = distribution.even_batch(len(dataset.validation), _EVALUATION_BATCH, replicas)
    return dataset.validation.batches(batch_size, shuffle_seed=None)


def validation_accuracy(model: keras.Model, dataset: data.Dataset) -> float:
    """Accuracy on the validation part, 0 to 1."""
    return _scores(model, dataset.validation)["accuracy"]


def test_scores(model: keras.Model, dataset: data.Dataset) -> dict[str, float]:
    """Loss and accuracy on the test part."""
    return _scores(model, dataset.test)


def _scores(model: keras.Model, part: data.Part) -> dict[str, float]:
    batches = part.batches(_EVALUATION_BATCH, shuffle_seed=None)
    with part.reading():
        scores: dict[str, float] = model.evaluate(batches, verbose=0, return_dict=True)
    return {name: float(score) for name, score in scores.items()}
