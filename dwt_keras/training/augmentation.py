"""Variations of training samples, drawn in the stream of batches.

No layer of the network does this: a layer that varies its input would be exported with it, and one
input served twice would give two answers. Every batch gets a seed of its own from a stream that
starts anew with each pass over the data and is the same for the same seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from dwt_keras.settings.augmentation import AugmentationSettings

# The seeds of a batch's draws, each by its place here.
_DRAWS = ("flip", "rotate", "shift", "zoom", "noise", "cutout", "mixup")
_GEOMETRIC = ("flip", "rotate", "shift", "zoom")


def varied(batches: tf.data.Dataset, settings: AugmentationSettings, seed: int) -> tf.data.Dataset:
    """Batches whose samples are varied as the settings say.

    Flips, rotations, shifts and zooms are one resampling: bilinear, of whole pixels only where no
    rotation or zoom is asked for, with zeros beyond the border. A square cut out may lie partly
    beyond it. Noise is not cut off at 0 and 1. Samples are mixed with the one before them in the
    batch, whose order is random.

    Args:
        batches: Batches of (samples, labels): float samples of shape (batch, height, width,
            channels), (batch, time, channels) or (batch, features); with mixup labels of shape
            (batch, classes). Weights of the samples may come third.
        settings: Which variations; `check_for` has found that they are for such samples.
        seed: Of all draws.
    """
    variations = settings.variations
    if not variations:
        return batches

    def vary(numbers: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[Any, ...]:
        samples, labels, *weights = batch
        shape = samples.shape
        seeds = {
            name: tf.random.experimental.stateless_fold_in(numbers, place)
            for place, name in enumerate(_DRAWS)
        }
        if any(name in variations for name in _GEOMETRIC):
            samples = _moved(samples, variations, seeds)
        if "cutout" in variations:
            samples = _cut_out(samples, variations["cutout"], seeds["cutout"])
        if "noise" in variations:
            noise = tf.random.stateless_normal(tf.shape(samples), seeds["noise"])
            samples += variations["noise"] * noise
        if "mixup" in variations:
            parts = (samples, labels, *weights)
            samples, labels, *weights = _mixed(parts, variations["mixup"], seeds["mixup"])
        return tf.ensure_shape(samples, shape), labels, *weights

    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    seeded = tf.data.Dataset.zip(numbers, batches)
    return seeded.map(vary, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _moved(samples: tf.Tensor, variations: dict[str, float], seeds: dict[str, tf.Tensor]) -> Any:
    """Resamples images, or signals as images of one column."""
    images = samples if samples.shape.rank == 4 else samples[:, :, tf.newaxis, :]
    count = tf.shape(images)[0]
    height, width = images.shape[1], images.shape[2]

    def drawn(name: str, columns: int = 1) -> list[tf.Tensor]:
        """Draws uniform within the variation's value either way, so many for each sample."""
        most = variations.get(name, 0.0)
        draws = tf.random.stateless_uniform((columns, count), seeds[name], -most, most)
        return tf.unstack(draws, columns)

    angle = drawn("rotate")[0] * (np.pi / 180)
    zoom = 1.0 + drawn("zoom")[0]
    down, across = (
        tf.round(share * side)
        for share, side in zip(drawn("shift", 2), (height, width), strict=True)
    )
    mirror = tf.ones(count)
    if "flip" in variations:
        coin = tf.random.stateless_uniform((count,), seeds["flip"])
        mirror = tf.where(coin < 0.5, -1.0, 1.0)
    # From a place in the result to one in the image, both counted from the middle.
    cosine, sine = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    a, b, c, d = mirror * cosine, -mirror * sine, sine, cosine
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    x, y = -across - middle_x, -down - middle_y
    zeros = tf.zeros(count)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack(
            [a, b, a * x + b * y + middle_x, c, d, c * x + d * y + middle_y, zeros, zeros], axis=1
        ),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
    return tf.reshape(moved, tf.shape(samples))


def _cut_out(images: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Sets a square to zero, its middle anywhere (DeVries and Taylor 2017, arXiv:1708.04552)."""
    height, width = images.shape[1], images.shape[2]
    side = max(round(share * min(height, width)), 1)
    middles = tf.random.stateless_uniform((2, tf.shape(images)[0]), seed)

    def covered(middle: tf.Tensor, size: int) -> tf.Tensor:
        start = tf.floor(middle[:, tf.newaxis] * size) - side // 2
        places = tf.range(size, dtype=tf.float32)
        return (places >= start) & (places < start + side)

    down, across = covered(middles[0], height), covered(middles[1], width)
    square = down[:, :, tf.newaxis] & across[:, tf.newaxis, :]
    return tf.where(square[..., tf.newaxis], 0.0, images)


def _mixed(batch: tuple[tf.Tensor, ...], alpha: float, seed: tf.Tensor) -> tuple[Any, ...]:
    """Mixes samples and labels (Zhang and others 2018, arXiv:1710.09412).

    A share from Beta(alpha, alpha) is x / (x + y) for two draws of Gamma(alpha). Those of a small
    alpha underflow, so their logarithms are drawn: Gamma(alpha) is Gamma(alpha + 1) times the
    (1 / alpha)-th power of a uniform draw.

    Where samples have weights, each label goes into the mixture by its own: cross-entropy is linear
    in the label.
    """
    samples, labels, *weights = batch
    shape = (2, tf.shape(samples)[0])
    seeds = [tf.random.experimental.stateless_fold_in(seed, place) for place in range(2)]
    gammas = tf.random.stateless_gamma(shape, seeds[0], alpha + 1.0)
    uniforms = 1.0 - tf.random.stateless_uniform(shape, seeds[1])  # Zero is not among them.
    logarithms = tf.math.log(gammas) + tf.math.log(uniforms) / alpha
    share = tf.sigmoid(logarithms[0] - logarithms[1])

    def mix(values: tf.Tensor) -> tf.Tensor:
        own = tf.reshape(share, [-1] + [1] * (values.shape.rank - 1))
        return own * values + (1.0 - own) * tf.roll(values, 1, axis=0)

    if not weights:
        return mix(samples), mix(labels)
    (each,) = weights
    mixed = mix(each)
    weighted = mix(labels * each[:, tf.newaxis])
    # A weight may be too small for its dtype.
    return mix(samples), tf.math.divide_no_nan(weighted, mixed[:, tf.newaxis]), mixed
