"""Precision and determinism: what a run asks of Keras and TensorFlow as a whole, and takes back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

# TensorFlow's public names can switch determinism on, but neither off nor tell whether it is.
from tensorflow.python.framework import config

from dwt_keras.settings.numerics import NONE, NumericsSettings


@contextlib.contextmanager
def precision(settings: NumericsSettings) -> Iterator[None]:
    """Sets the dtype policy of layers that are built inside; where none is asked for, it stays."""
    before = keras.config.dtype_policy()
    if settings.mixed_precision != NONE:
        keras.config.set_dtype_policy(settings.mixed_precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def determinism(settings: NumericsSettings) -> Iterator[None]:
    """Makes operations inside deterministic, if that is asked for."""
    if not settings.deterministic or config.is_op_determinism_enabled():
        yield
        return
    config.enable_op_determinism()
    try:
        yield
    finally:
        config.disable_op_determinism()


def compute_in_float32(model: keras.Model, settings: NumericsSettings) -> None:
    """Ends mixed precision in a trained model, whose weights are in float32 all along.

    What is evaluated and exported then runs everywhere: LiteRT has no bfloat16, for one. Functions
    for evaluation and prediction that have been traced keep their precision until they are made
    anew.

    Args:
        model: The model, compiled.
        settings: Give the precision that it was trained in.
    """
    if settings.mixed_precision == NONE:
        return
    for layer in model._flatten_layers():
        if layer.dtype_policy.name == settings.mixed_precision:
            layer.dtype_policy = "float32"
    # Keras puts it about the optimizer in float16, and reads it from no archive in float32.
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        model.optimizer = model.optimizer.inner_optimizer
    model.make_train_function(force=True)
