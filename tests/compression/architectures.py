"""Models of many kinds, and the JSON that stands for them in a file."""

from __future__ import annotations

import json
import tracemalloc
import zlib

import keras
import pytest
from keras import layers

from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture
from dwt_keras.settings import TrainingSettings
from dwt_keras.training import models

MOST = 2**28  # Parameters that are allowed, where a test is not about them.


@keras.saving.register_keras_serializable("architecture_tests")
class Scaled(layers.Layer):
    """A registered layer around another layer."""

    def __init__(self, inner=None, **options):
        super().__init__(**options)
        self.inner = inner or layers.Dense(3)

    def build(self, shape):
        if not self.inner.built:
            self.inner.build(shape)
        self.gain = self.add_weight(shape=(3,), name="gain")

    def call(self, x):
        return self.inner(x) * self.gain

    def get_config(self):
        return super().get_config() | {"inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        inner = keras.saving.deserialize_keras_object(config.pop("inner"))
        return cls(inner=inner, **config)


@keras.saving.register_keras_serializable("architecture_tests")
def doubled(x):
    return 2 * x


class Unregistered(layers.Layer):
    """A layer that no file may name."""

    def call(self, x):
        return x


class Nameless(layers.Layer):
    """A layer whose weight Keras names, and numbers."""

    def build(self, shape):
        self.gain = self.add_weight(shape=(3,))

    def call(self, x):
        return x


def project(kind):
    shape = (28, 28, 1) if kind == "mlp" else (32, 32, 3)
    return models.build(TrainingSettings(model=kind), shape, 10)


def sequential(*body, shape=(8,), dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *body])


def branches():
    x, y = keras.Input((8, 8, 3), name="x"), keras.Input((4,), name="y")
    conv = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2")(x)
    conv = layers.ReLU()(layers.BatchNormalization()(conv))
    merged = layers.Add()([conv, layers.Conv2D(4, 1, use_bias=False)(x)])
    pooled = layers.GlobalAveragePooling2D()(merged)
    joined = layers.Concatenate()([pooled, y])
    return keras.Model([x, y], [layers.Dense(2, name="a")(joined), layers.Dense(3)(pooled)])


def shared():
    x, y = keras.Input((8,)), keras.Input((8,))
    dense = layers.Dense(8)
    return keras.Model([x, y], layers.Subtract()([dense(dense(x)), dense(y)]))


def nested():
    inner = sequential(layers.Dense(8, activation="relu"), layers.Dense(8))
    inner.compile("adam", "mse")
    x = keras.Input((8,))
    middle = keras.Model(x, layers.Add()([inner(x), x]))
    return sequential(middle, layers.Dense(2))


def named():
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    return keras.Model({"x": x, "y": y}, {"sum": layers.Add()([x, y]), "out": layers.Dense(2)(y)})


def attention():
    x = keras.Input((6, 8))
    seen = layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(x, value=x))
    return keras.Model(x, layers.Bidirectional(layers.LSTM(3))(seen))


def operations():
    x = keras.Input((6, 4))
    y = keras.ops.concatenate([x[:, 1:3] * 2 + 1, x[:, ::2]], axis=1)
    return keras.Model(x, layers.Dense(2)(keras.ops.reshape(keras.ops.mean(y, -1), (-1, 5))))


def initialised():
    return sequential(
        layers.Dense(
            4,
            kernel_initializer=keras.initializers.HeNormal(seed=2**40),
            bias_initializer=keras.initializers.Constant(0.5),
            kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
            kernel_constraint=keras.constraints.MaxNorm(2),
            activation=doubled,
        ),
        layers.Dropout(0.5, seed=3),
    )


# Name -> a function that builds it.
MODELS = {
    "mlp": lambda: project("mlp"),
    "cnn": lambda: project("cnn"),
    "branches": branches,
    "shared": shared,
    "nested": nested,
    "named": named,
    "attention": attention,
    "operations": operations,
    "initialised": initialised,
    "embedding": lambda: sequential(
        layers.Embedding(10, 4, mask_zero=True), layers.GRU(3), shape=(5,), dtype="int32"
    ),
    "mixed": lambda: sequential(
        layers.Dense(4, dtype="mixed_float16"), layers.Dense(2, dtype="bfloat16")
    ),
    "separable": lambda: sequential(
        layers.SeparableConv2D(4, 3), layers.DepthwiseConv2D(3), shape=(9, 9, 2)
    ),
    "transposed": lambda: sequential(
        layers.Conv1D(4, 3), layers.Conv1DTranspose(2, 3), layers.TimeDistributed(layers.Dense(2)),
        shape=(9, 2),
    ),
    "normalised": lambda: sequential(
        layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0]), shape=(2,)
    ),
    "custom": lambda: sequential(Scaled(name="one"), Scaled(layers.Dense(3), name="other")),
}  # fmt: skip


def packed(tree):
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=architecture.DICTIONARY)
    return packer.compress(text) + packer.flush()


def tree_of(model):
    data = architecture.encode(model)
    return json.loads(zlib.decompressobj(-15, architecture.DICTIONARY).decompress(data))


def refused(tree, match):
    with pytest.raises(CodecError, match=match) as caught:
        architecture.decode(packed(tree), MOST)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def peak(call):
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
