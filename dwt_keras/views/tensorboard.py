"""What TensorBoard shows of a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dwt_keras.compression.callback import DWTCompression

# At how many updates of an epoch the step size is drawn.
_RATES_AN_EPOCH = 20


def callbacks(
    folder: Path, compression: DWTCompression, *, rates_of_steps: bool = False
) -> list[keras.callbacks.Callback]:
    """Callbacks that write event files below `folder`.

    They must stand behind `compression` in the list given to fit. Keras' own writes loss,
    accuracy, learning rate, the compression's logs and the graph; ours zero fractions by layer
    and histograms of the coefficients by subband.

    Args:
        folder: Where the folders of the event files go.
        compression: The callback whose work is shown.
        rates_of_steps: Whether to draw the learning rate within epochs too.
    """
    within = [LearningRateSummaries(folder / "steps")] if rates_of_steps else []
    return [
        EpochSummaries(log_dir=str(folder), write_graph=True),
        CoefficientSummaries(folder / "compression", compression),
        *within,
    ]


class EpochSummaries(keras.callbacks.TensorBoard):
    """Keras' own, without the scalars of every batch, whose writing slows small networks down."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        super().on_train_batch_end(batch)


class CoefficientSummaries(keras.callbacks.Callback):
    """Writes zero fraction, energy kept and threshold by layer, and coefficients by subband.

    Args:
        folder: Where the event file goes.
        compression: The callback whose work is shown.
    """

    def __init__(self, folder: Path, compression: DWTCompression) -> None:
        super().__init__()
        self._folder = folder
        self._compression = compression
        self._writer: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._writer = tf.summary.create_file_writer(str(self._folder))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        report = self._compression.report
        if report is None:
            return
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

    def on_train_end(self, logs: Any = None) -> None:
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
