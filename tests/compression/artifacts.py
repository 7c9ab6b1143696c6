"""Small models with weights of many kinds, and what their files must hold."""

from __future__ import annotations

import functools

import keras
import numpy as np
from keras import layers

from dwt_keras.compression import artifact, layout, packing, targets
from dwt_keras.settings import CompressionSettings

STEP = 0.125
TOLERANCE = 2.0**-9


def network(dtype="float32", units=5, prefix=""):
    """A convolution and a Dense layer over an image, an Embedding and an LSTM over words."""
    image = keras.Input((5, 5, 1))
    words = keras.Input((3,), dtype="int32")
    options = {"dtype": dtype}
    x = layers.Normalization(name=f"{prefix}scaled", **options)(image)
    x = layers.Conv2D(3, 3, padding="same", name=f"{prefix}conv", **options)(x)
    x = layers.BatchNormalization(name=f"{prefix}norm", **options)(x)
    x = layers.Flatten(**options)(x)
    x = layers.Dense(units, activation="relu", name=f"{prefix}hidden", **options)(x)
    y = layers.Embedding(6, 3, name=f"{prefix}words", **options)(words)
    # The orthogonal start of an LSTM is not computed in bfloat16.
    lstm = layers.LSTM(2, recurrent_initializer="zeros", name=f"{prefix}lstm", **options)
    y = lstm(y)
    x = layers.Concatenate(**options)([x, y])
    model = keras.Model([image, words], layers.Dense(3, name=f"{prefix}classes", **options)(x))
    randomise(model)
    return model


def randomise(model, seed=0):
    """Sparse kernels, and anything else everywhere."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape, dtype = tuple(variable.shape), np.dtype(variable.dtype)
        if np.issubdtype(dtype, np.integer):
            variable.assign(np.full(shape, (1 << 40) + 1 + seed, dtype))
            continue
        values = rng.laplace(size=shape) + (0.1 if len(shape) < 2 else 0)
        if len(shape) > 1:
            values = values * (rng.random(shape) < 0.6)
        if "variance" in variable.name:
            values = np.abs(values) + 0.5
        variable.assign(values.astype(dtype))


def kernels_of(model, wavelet="haar", level=2):
    return targets.find(model, CompressionSettings(wavelet=wavelet, level=level)).items


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


def decoded(model, kernels, step=STEP):
    return [layout.restored(tensor) for tensor in packing.pack(model, kernels, step)]


def outputs(model):
    rng = np.random.default_rng(1)
    image = rng.normal(size=(4, 5, 5, 1)).astype("float32")
    return np.asarray(model([image, rng.integers(0, 6, (4, 3))], training=False))


cached_network = functools.cache(network)


@functools.cache
def small_file():
    """The bytes of a small model's file."""
    model = small_model()
    randomise(model)
    return artifact.encode(model, kernels_of(model), STEP)


def small_model():
    model = keras.Sequential(
        [
            keras.Input((4, 4)),
            layers.Flatten(),
            layers.Dense(3, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(2, name="classes"),
        ]
    )
    randomise(model, seed=7)
    return model


cached_small_model = functools.cache(small_model)


def cached_load(path):
    artifact.load_compressed_weights(path, cached_small_model())
