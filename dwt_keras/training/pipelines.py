"""Batches of arrays in memory, as tf.data has them.

Importing this module loads NumPy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

Array = np.ndarray[Any, Any]


def pipeline(
    inputs: Array | tf.Tensor,
    labels: Array,
    batch_size: int,
    *,
    shuffle_seed: int | None,
    weights: Array | None = None,
) -> tf.data.Dataset:
    """Batches of (inputs, labels), all samples once per iteration, the last batch maybe smaller.

    Args:
        inputs: One sample per row. An array is copied, a tensor is not.
        labels: As many rows.
        batch_size: Samples per batch.
        shuffle_seed: Seed of the order, together with TensorFlow's global seed; the order
            changes with each iteration over the result. None keeps the order given.
        weights: A number for each sample, which then comes third; None for none.
    """
    import tensorflow as tf

    extra = () if weights is None else (weights,)
    samples = tuple(tensor(each) for each in (inputs, labels, *extra))
    if shuffle_seed is None:
        batches = tf.data.Dataset.from_tensor_slices(samples).batch(batch_size)
    else:
        # Of samples themselves the shuffle would hold another copy of all.
        count = len(labels)
        numbers = tf.data.Dataset.range(count)
        numbers = numbers.shuffle(count, seed=shuffle_seed, reshuffle_each_iteration=True)
        batches = numbers.batch(batch_size).map(
            lambda places: tuple(tf.gather(each, places) for each in samples)
        )
    return batches.prefetch(tf.data.AUTOTUNE)


def tensor(values: Array | tf.Tensor) -> tf.Tensor:
    """An array as a tensor in the memory of the processor: no accelerator need hold all data."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.convert_to_tensor(values)
