"""One training run: data, network, compression, evaluation, and the folder it leaves."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import sys
import time
from pathlib import Path
from typing import Any

import keras

from dwt_keras import files
from dwt_keras._version import __version__
from dwt_keras.compression import shrink, targets
from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import Settings
from dwt_keras.training import data, export, models, runs

_LIBRARIES = ("tensorflow", "keras", "numpy", "PyWavelets")
_EVALUATION_BATCH = 1000


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run came to.

    Attributes:
        folder: The run's folder.
        metrics: The content of its metrics.json.
        report: The last shrinking, kernel by kernel.
    """

    folder: Path
    metrics: dict[str, Any]
    report: shrink.Report


def run(settings: Settings, dataset: data.Dataset | None = None) -> Result:
    """Trains, compresses, evaluates and exports one network.

    Args:
        settings: What to do.
        dataset: The data, where they have been loaded already.

    Returns:
        The result; its folder holds the same on disk.

    Raises:
        UserError: If the settings do not fit the data, the network or the disk (nothing has
            been written then), or if the training diverges.
    """
    started = time.perf_counter()
    if dataset is None:
        dataset = data.load(settings.data)
    keras.utils.set_random_seed(settings.training.seed)
    model = models.build(settings.training, dataset.input_shape, dataset.classes)
    models.compile_model(model, settings.training)
    targets.find(model, settings.compression)  # Raises where there is nothing to compress.
    compression = DWTCompression(
        **{
            field.name: getattr(settings.compression, field.name)
            for field in dataclasses.fields(settings.compression)
            if field.init
        }
    )

    folder = runs.create(settings)
    files.write_text(folder / "settings.json", _settings_json(settings))
    train_seconds, epochs_run = _fit(model, dataset, settings, compression, folder)

    # TensorFlow's own kernels from here on, so that what is evaluated, predicted and served
    # agrees to the bit: XLA's differ in the last place.
    model.jit_compile = False
    model.make_test_function(force=True)
    test = data.pipeline(
        dataset.test_images, dataset.test_labels, _EVALUATION_BATCH, shuffle_seed=None
    )
    scores = model.evaluate(test, verbose=0, return_dict=True)
    export.save_keras(model, folder / "model.keras")
    export.save_serving(model, folder / "serving" / "1")

    measured = shrink.measure(compression.targets)
    metrics = {
        "test_accuracy": scores["accuracy"],
        "test_loss": scores["loss"],
        "zero_fraction": measured.zero_fraction,
        "zero_fraction_by_layer": measured.zero_fraction_by_layer,
        "bytes": {
            "float32": 4 * model.count_params(),
            "keras": (folder / "model.keras").stat().st_size,
            "serving": export.folder_bytes(folder / "serving" / "1"),
        },
        "seconds": {
            "train": train_seconds,
            "compress": compression.seconds,
            "total": time.perf_counter() - started,
        },
        "epochs_run": epochs_run,
    }
    # Last of all: a folder with metrics.json is complete.
    files.write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return Result(folder, metrics, compression.report or measured)


def _fit(
    model: keras.Model,
    dataset: data.Dataset,
    settings: Settings,
    compression: DWTCompression,
    folder: Path,
) -> tuple[float, int]:
    """Trains; returns the seconds it took and the number of epochs."""
    # Here and not above: views stand over training and look at what it leaves.
    from dwt_keras.views import tensorboard

    training = settings.training
    train = data.pipeline(
        dataset.train_images, dataset.train_labels, training.batch_size, shuffle_seed=training.seed
    )
    validation = data.pipeline(
        dataset.validation_images, dataset.validation_labels, _EVALUATION_BATCH, shuffle_seed=None
    )
    callbacks = [
        compression,
        keras.callbacks.CSVLogger(folder / "history.csv"),
        *tensorboard.callbacks(folder / "tensorboard", compression),
    ]
    started = time.perf_counter()
    history = model.fit(
        train,
        validation_data=validation,
        epochs=training.epochs,
        callbacks=callbacks,
        shuffle=False,  # The pipeline shuffles.
        verbose=1 if sys.stdout.isatty() else 2,
    )
    return time.perf_counter() - started, len(history.epoch)


def _settings_json(settings: Settings) -> str:
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    record = {
        "settings": settings.flat(),
        "versions": {"dwt_keras": __version__, "python": sys.version.split()[0], **versions},
    }
    return json.dumps(record, indent=2) + "\n"
