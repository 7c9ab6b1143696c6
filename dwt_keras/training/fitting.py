"""One training: a network built, compiled and fitted, with or without compression."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from dwt_keras.compression import byte_target, rows, targets
from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import Settings
from dwt_keras.training import data, models

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
        before: Each kernel, by path, as it was before its last shrinking.
    """

    model: keras.Model
    compression: DWTCompression
    seconds: float
    epochs: int
    before: Mapping[str, Any]


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
    """Trains and compresses; history.csv and event files go to the folder."""
    # Here and not above: views stand over training and look at what it leaves.
    from dwt_keras.views import tensorboard, watching

    model, compression = prepared.model, prepared.compression
    watch = watching.BeforeShrinking(compression)
    callbacks = [
        watch,  # Changes nothing, and must see kernels before the compression does.
        compression,
        keras.callbacks.CSVLogger(folder / "history.csv"),
        *tensorboard.callbacks(folder / "tensorboard", compression, watch),
    ]
    seconds, epochs = fit_plainly(model, settings, dataset, callbacks)
    return Trained(model, compression, seconds, epochs, watch.kernels)


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
    model: keras.Model, settings: Settings, dataset: data.Dataset, callbacks: list[Any]
) -> tuple[float, int]:
    """Trains; returns the seconds it took and the number of epochs."""
    training = settings.training
    train = data.pipeline(
        dataset.train_images, dataset.train_labels, training.batch_size, shuffle_seed=training.seed
    )
    started = time.perf_counter()
    history = model.fit(
        train,
        validation_data=validation(dataset),
        epochs=training.epochs,
        callbacks=callbacks,
        shuffle=False,  # The pipeline shuffles.
        verbose=1 if sys.stdout.isatty() else 2,
    )
    seconds = time.perf_counter() - started
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
