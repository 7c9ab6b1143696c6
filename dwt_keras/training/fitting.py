"""One training: a network built, compiled and fitted, with or without compression."""

from __future__ import annotations

import dataclasses
import sys
import time
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
    models,
    numerics,
    optimizers,
    penalties,
    requirements,
    soft_labels,
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
    """

    model: keras.Model
    compression: DWTCompression
    seconds: float
    epochs: int
    record: dict[str, int]


def build(settings: Settings, dataset: data.Dataset) -> keras.Model:
    """The network of the settings, with fresh weights by its seed, compiled.

    Raises:
        ArgumentError: If the data are not what the network or the augmentation takes.
    """
    keras.utils.set_random_seed(settings.training.seed)
    requirements.check(settings, dataset.input_shape)
    with numerics.precision(settings.numerics):
        model = models.build(
            settings.training, dataset.input_shape, dataset.classes, settings.regularization
        )
    optimizers.compile_model(model, settings, len(dataset.train_labels))
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
        l1_wavelet=settings.regularization.l1_wavelet,
        samples=dataset.train_images[:_SAMPLES],
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
    from dwt_keras.views import tensorboard

    model, compression = prepared.model, prepared.compression
    optimization, samples = settings.optimization, len(dataset.train_labels)
    first = schedule.first_full_epoch(settings.compression, settings.training.epochs)
    # It restores weights at the end, which the compression then makes sure of.
    stopping = early_stopping.callbacks(optimization, first)
    callbacks = [
        *stopping,
        compression,
        *learning_rate.callbacks(settings, samples, first),
        keras.callbacks.CSVLogger(folder / "history.csv"),
        *tensorboard.callbacks(
            folder / "tensorboard",
            compression,
            rates_of_steps=learning_rate.changes_within_epochs(optimization),
        ),
    ]
    seconds, epochs = fit_plainly(model, settings, dataset, callbacks)
    return Trained(model, compression, seconds, epochs, early_stopping.record(stopping))


def fit_control(model: keras.Model, settings: Settings, dataset: data.Dataset) -> None:
    """Trains without compression, to the end; early stopping only chooses the best epoch."""
    samples = len(dataset.train_labels)
    callbacks = [
        *early_stopping.keeping_the_best(settings.optimization),
        *learning_rate.callbacks(settings, samples, 0),
    ]
    fit_plainly(model, settings, dataset, callbacks)


def fit_plainly(
    model: keras.Model, settings: Settings, dataset: data.Dataset, callbacks: list[Any]
) -> tuple[float, int]:
    """Trains; returns the seconds it took and the number of epochs."""
    training = settings.training
    train = data.pipeline(
        dataset.train_images, dataset.train_labels, training.batch_size, shuffle_seed=training.seed
    )
    watched = validation(dataset)
    is_soft = soft_labels.are_needed(settings)
    if is_soft:
        smoothing = settings.regularization.label_smoothing
        train = soft_labels.smoothed(train, dataset.classes, smoothing)
        watched = soft_labels.smoothed(watched, dataset.classes)
        soft_labels.compile_for_training(model)
    train = augmentation.varied(train, settings.augmentation, training.seed)
    started = time.perf_counter()
    with penalties.added(model, settings.regularization):
        history = model.fit(
            train,
            validation_data=watched,
            epochs=training.epochs,
            callbacks=callbacks,
            shuffle=False,  # The pipeline shuffles.
            verbose=1 if sys.stdout.isatty() else 2,
        )
    seconds = time.perf_counter() - started
    learning_rate.end(model, settings.optimization)
    numerics.compute_in_float32(model, settings.numerics)
    if is_soft:
        soft_labels.compile_for_use(model)
    # TensorFlow's own kernels from here on, so that what is evaluated, predicted and served
    # agrees to the bit: XLA's differ in the last place.
    model.jit_compile = False
    model.make_test_function(force=True)
    return seconds, len(history.epoch)


def validation(dataset: data.Dataset) -> Any:
    """The validation part in batches."""
    return data.pipeline(
        dataset.validation_images, dataset.validation_labels, _EVALUATION_BATCH, shuffle_seed=None
    )


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
