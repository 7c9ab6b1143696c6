"""Labels that are shares of classes, for label smoothing and mixup.

They are made in the stream of training batches alone. Labels of the validation part become one-hot,
so that one stock loss serves both, and the finished network is compiled for whole-number labels
again: its loss is a plain cross-entropy, whatever it was trained with.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from dwt_keras.settings import Settings

_LOSS, _SPARSE_LOSS = "categorical_crossentropy", "sparse_categorical_crossentropy"


def are_needed(settings: Settings) -> bool:
    """Whether the settings train with shares of classes."""
    smoothing = settings.regularization.label_smoothing
    return bool(smoothing) or "mixup" in settings.augmentation.variations


def smoothed(batches: tf.data.Dataset, classes: int, smoothing: float = 0.0) -> tf.data.Dataset:
    """Batches with labels of shape (batch, classes) in the place of whole numbers.

    Label smoothing as in Szegedy and others 2016, arXiv:1512.00567, section 7.

    Args:
        batches: Batches of (samples, labels), or of (samples, labels, weights).
        classes: Number of classes.
        smoothing: The share of each label that is spread evenly over all classes.
    """

    def soft(samples: tf.Tensor, labels: tf.Tensor, *weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
        shares = tf.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
        return samples, shares, *weights

    return batches.map(soft, num_parallel_calls=tf.data.AUTOTUNE)


def compile_for_training(model: keras.Model) -> None:
    """Lets a compiled model learn from shares of classes; it keeps its optimizer."""
    _recompile(model, _LOSS)


def compile_for_use(model: keras.Model) -> None:
    """Lets a compiled model be evaluated on whole-number labels; it keeps its optimizer."""
    _recompile(model, _SPARSE_LOSS)


def _recompile(model: keras.Model, loss: str) -> None:
    with model.distribute_strategy.scope():
        model.compile(
            optimizer=model.optimizer,
            loss=loss,
            metrics=["accuracy"],
            jit_compile=model.jit_compile,
            steps_per_execution=model.steps_per_execution,
        )
