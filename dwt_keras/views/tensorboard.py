"""What TensorBoard shows of a training while it goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dwt_keras.compression.callback import DWTCompression
from dwt_keras.compression.targets import Target
from dwt_keras.views import pictures
from dwt_keras.views.watching import BeforeShrinking

# At how many epochs pictures are written, and of how many planes of a kernel.
_PICTURES, _PLANES = 5, 2
ACCURACY_OVER_ZEROS = "val_accuracy_over_zeros_per_mille"

# At how many updates of an epoch the step size is drawn.
_RATES_AN_EPOCH = 20


def callbacks(
    folder: Path,
    compression: DWTCompression,
    watch: BeforeShrinking,
    *,
    rates_of_steps: bool = False,
) -> list[keras.callbacks.Callback]:
    """Callbacks that write event files below `folder`.

    They must stand behind `compression` in the list given to fit. Keras' own writes loss,
    accuracy, learning rate, the compression's logs and the graph; ours zero fractions by layer,
    histograms of the coefficients by subband, and pictures of them and of kernels.

    Args:
        folder: Where the folders of the event files go.
        compression: The callback whose work is shown.
        watch: Keeps the kernels as they were before it.
        rates_of_steps: Whether to draw the learning rate within epochs too.
    """
    within = [LearningRateSummaries(folder / "steps")] if rates_of_steps else []
    return [
        EpochSummaries(log_dir=str(folder), write_graph=True),
        CoefficientSummaries(folder / "compression", compression, watch),
        *within,
    ]


class EpochSummaries(keras.callbacks.TensorBoard):
    """Keras' own, without the scalars of every batch, whose writing slows small networks down."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch)


class CoefficientSummaries(keras.callbacks.Callback):
    """Writes what the compression does to each layer.

    Every epoch: zero fraction, energy kept and threshold, and histograms of the coefficients by
    subband. At five epochs spread over the training, the first and the last among them, pictures of
    the two planes (units, channels) with the most energy: the coefficients in the textbook layout
    (`KERNEL/mosaic`; colours go with the root of the magnitude), and the weights before the epoch's
    shrinking, after it, and what it took away, all in one scale (`KERNEL/before_after_removed`). At
    the end the validation accuracy over the zero fraction, whose thousandths stand in the place of
    steps.

    Args:
        folder: Where the event file goes.
        compression: The callback whose work is shown.
        watch: Keeps the kernels as they were before it.
    """

    def __init__(self, folder: Path, compression: DWTCompression, watch: BeforeShrinking) -> None:
        super().__init__()
        self._folder = folder
        self._compression = compression
        self._watch = watch
        self._writer: Any = None
        self._epoch = 0
        self._pictured = -1
        self._accuracies: dict[int, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        self._writer = tf.summary.create_file_writer(str(self._folder))
        self._pictured = -1
        self._accuracies = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        report = self._compression.report
        if report is None:
            return
        if logs and "val_accuracy" in logs:
            self._accuracies[round(1000 * report.zero_fraction)] = float(logs["val_accuracy"])
        last = (self.params.get("epochs") or 1) - 1
        is_pictured = epoch in {round(n * last / (_PICTURES - 1)) for n in range(_PICTURES)}
        with self._writer.as_default(step=epoch):
            for path, fraction in report.zero_fraction_by_layer.items():
                tf.summary.scalar(f"zero_fraction/{path}", fraction)
            for row in report.targets:
                tf.summary.scalar(f"energy_kept/{row.path}", row.energy_kept)
                tf.summary.scalar(f"threshold/{row.path}", row.threshold)
            for target in self._compression.targets:
                coefficients = target.basis.decompose(target.read())
                for band in target.basis.subbands:
                    values = coefficients[band.slices]
                    # Of complex coefficients the magnitude is what is thresholded.
                    values = np.abs(values) if np.iscomplexobj(values) else values
                    tf.summary.histogram(f"{target.path}/{band.name}", values.astype(np.float32))
                if is_pictured:
                    _write_pictures(target, coefficients, self._watch.kernels)
        if is_pictured:
            self._pictured = epoch

    def on_train_end(self, logs: Any = None) -> None:
        if self._compression.report is not None and self._pictured != self._epoch:
            # The training ended early.
            with self._writer.as_default(step=self._epoch):
                for target in self._compression.targets:
                    coefficients = target.basis.decompose(target.read())
                    _write_pictures(target, coefficients, self._watch.kernels)
        with self._writer.as_default():
            for zeros, accuracy in sorted(self._accuracies.items()):
                tf.summary.scalar(ACCURACY_OVER_ZEROS, accuracy, step=zeros)
        self._writer.close()


class LearningRateSummaries(keras.callbacks.Callback):
    """Writes the learning rate at some updates of each epoch, by the number of updates.

    Args:
        folder: Where the event file goes.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._writer: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._writer = tf.summary.create_file_writer(str(self._folder))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # Where the length of an epoch is not known, each of its first updates in powers of two.
        steps = self.params.get("steps")
        drawn = (
            batch % math.ceil(steps / _RATES_AN_EPOCH) == 0 if steps else not batch & (batch - 1)
        )
        if drawn:
            optimizer = self.model.optimizer
            done = int(np.asarray(optimizer.iterations))
            with self._writer.as_default(step=done):
                tf.summary.scalar("learning_rate", float(np.asarray(optimizer.learning_rate)))

    def on_train_end(self, logs: Any = None) -> None:
        self._writer.close()


def _write_pictures(target: Target, coefficients: Any, before: Mapping[str, Any]) -> None:
    after = target.read()
    planes = pictures.strongest(after, target.basis, _PLANES)
    mosaics = []
    for plane in planes:
        matrix, blocks = pictures.mosaic(coefficients, target.basis, plane)
        mosaics.append(pictures.coloured(matrix, blocks=blocks, root=True))
    _write(f"{target.path}/mosaic", mosaics)
    kernel = before.get(target.path)
    if kernel is None:
        return
    shape = target.basis.shape
    rows = []
    for plane in planes:
        was, now = (plane.of(np.float32(each).reshape(shape)) for each in (kernel, after))
        scale = float(max(np.abs(was).max(), np.abs(now).max()))
        parts = [pictures.coloured(part, scale) for part in (was, now, was - now)]
        rows.append(pictures.beside(parts))
    _write(f"{target.path}/before_after_removed", rows)


def _write(name: str, images: list[Any]) -> None:
    tf.summary.image(name, np.stack(images), max_outputs=len(images))
