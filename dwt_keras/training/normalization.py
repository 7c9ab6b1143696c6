"""Inputs brought to mean 0 and variance 1 by the network itself."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import layers

from dwt_keras.training.parts import Part
from dwt_keras.training.rebuilding import rebuilt

Array = np.ndarray[Any, np.dtype[Any]]

_BATCH = 1000


def normalized(model: keras.Model, train: Part) -> keras.Model:
    """Puts a Normalization layer before a network.

    What the network is exported as takes inputs as they are.

    Args:
        model: The network.
        train: The training part, whose mean and variance are taken of each feature or channel,
            the last axis of its inputs.
    """
    mean, variance = _statistics(train)
    layer = layers.Normalization(
        axis=-1, mean=mean.tolist(), variance=variance.tolist(), name="normalization"
    )
    return rebuilt(model, tuple(model.inputs[0].shape[1:]), before=layer)


# Several trainings of one run ask for the same.
@functools.lru_cache(maxsize=1)
def _statistics(part: Part) -> tuple[Array, Array]:
    """Mean and variance over all axes but the last, in float64, of shape (features,)."""
    size = part.input_shape[-1]
    count, mean, squares = 0, np.zeros(size), np.zeros(size)
    for inputs, _ in part.arrays(_BATCH):
        rows = inputs.reshape(-1, size).astype(np.float64)
        own_mean = rows.mean(axis=0)
        # Chan, Golub and LeVeque 1979, "Updating formulae ... for computing sample variances".
        total = count + len(rows)
        delta = own_mean - mean
        squares += ((rows - own_mean) ** 2).sum(axis=0) + delta**2 * count * len(rows) / total
        mean += delta * len(rows) / total
        count = total
    variance = squares / count
    # What never changes says nothing: it is left in its scale, not divided by almost nothing.
    variance[variance <= np.finfo(np.float32).eps ** 2 * mean**2] = 1.0
    return mean, variance
