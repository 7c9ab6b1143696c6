"""One training: a network built, compiled and fitted, with or without compression."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from dwt_keras.compression import byte_target, rows, schedule, targets
from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import Settings
from dwt_keras.training import (
    augmentation,
    data,
    early_stopping,
    learning_rate,
    numerics,
    optimizers,
    penalties,
    requirements,
    soft_labels,
    transfer,
)

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
        seconds: Duration of the training.
        epochs: Number of epochs.
        record: What metrics.json says of when it ended.
        before: Each kernel, by path, as it was before its last shrinking.
    """

    model: keras.Model
    compression: DWTCompression
    seconds: float
    epochs: int
    record: dict[str, int]
    before: Mapping[str, Any]


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
    """Trains and compresses; history.csv and event files go to the folder."""
    # Here and not above: views stand over training and look at what it leaves.
    from dwt_keras.views import tensorboard, watching

    model, compression = prepared.model, prepared.compression
    optimization, samples = settings.optimization, len(dataset.train)
    first = schedule.first_full_epoch(settings.compression, settings.training.epochs)
    # It restores weights at the end, which the compression then makes sure of.
    stopping = early_stopping.callbacks(optimization, first)
    watch = watching.BeforeShrinking(compression)
    callbacks = [
        *stopping,
        watch,  # Changes nothing, and must see kernels before the compression does.
        compression,
        *learning_rate.callbacks(settings, samples, first),
        keras.callbacks.CSVLogger(folder / "history.csv"),
        *tensorboard.callbacks(
            folder / "tensorboard",
            compression,
            watch,
            rates_of_steps=learning_rate.changes_within_epochs(optimization),
        ),
    ]
    seconds, epochs = fit_plainly(model, settings, dataset, callbacks)
    record = early_stopping.record(stopping)
    return Trained(model, compression, seconds, epochs, record, watch.kernels)


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


def fit_control(model: keras.Model, settings: Settings, dataset: data.Dataset) -> None:
    """Trains without compression, to the end; early stopping only chooses the best epoch."""
    samples = len(dataset.train)
    callbacks = [
        *early_stopping.keeping_the_best(settings.optimization),
        *learning_rate.callbacks(settings, samples, 0),
    ]
    fit_plainly(model, settings, dataset, callbacks)


def fit_plainly(
    model: keras.Model, settings: Settings, dataset: data.Dataset, callbacks: list[Any]
) -> tuple[float, int]:
    """Trains; returns the seconds it took and the number of epochs."""
    started = time.perf_counter()
    if settings.transfer.head_epochs:
        print(f"the head alone, for {settings.transfer.head_epochs} epochs")
        with transfer.head_alone(model, settings) as of_head:
            optimizers.compile_model(model, of_head, len(dataset.train))
            _fit(model, of_head, dataset, [])
        optimizers.compile_model(model, settings, len(dataset.train))
    epochs = _fit(model, settings, dataset, callbacks)
    seconds = time.perf_counter() - started
    learning_rate.end(model, settings.optimization)
    numerics.compute_in_float32(model, settings.numerics)
    # TensorFlow's own kernels from here on, so that what is evaluated, predicted and served
    # agrees to the bit: XLA's differ in the last place.
    model.jit_compile = False
    model.make_test_function(force=True)
    return seconds, epochs


def _fit(
    model: keras.Model, settings: Settings, dataset: data.Dataset, callbacks: list[Any]
) -> int:
    """Trains as a network is compiled; returns the number of epochs."""
    training = settings.training
    train = dataset.train.batches(training.batch_size, shuffle_seed=training.seed)
    watched = validation(dataset)
    is_soft = soft_labels.are_needed(settings)
    if is_soft:
        smoothing = settings.regularization.label_smoothing
        train = soft_labels.smoothed(train, dataset.classes, smoothing)
        watched = soft_labels.smoothed(watched, dataset.classes)
        soft_labels.compile_for_training(model)
    train = augmentation.varied(train, settings.augmentation, training.seed)
    with (
        penalties.added(model, settings.regularization),
        dataset.train.reading(),
        dataset.validation.reading(),
    ):
        history = model.fit(
            train,
            validation_data=watched,
            epochs=training.epochs,
            callbacks=callbacks,
            shuffle=False,  # The pipeline shuffles.
            verbose=1 if sys.stdout.isatty() else 2,
        )
    if is_soft:
        soft_labels.compile_for_use(model)
    return len(history.epoch)


def validation(dataset: data.Dataset) -> Any:
    """The validation part in batches."""
    return dataset.validation.batches(_EVALUATION_BATCH, shuffle_seed=None)


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
