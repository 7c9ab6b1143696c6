"""Four convolutions of 3 x 3 and a dense layer."""

from __future__ import annotations

import keras
from keras import layers

from dwt_keras.training.networks.parts import Plan

_DROPOUT = 0.5


def build(plan: Plan) -> keras.Model:
    """Twice two convolutions and a pooling (32 and 64 filters), then 256 units."""
    body = [
        *_convolution(plan, 32, "conv_1"),
        *_convolution(plan, 32, "conv_2"),
        _pooling("pool_1"),
        *_convolution(plan, 64, "conv_3"),
        *_convolution(plan, 64, "conv_4"),
        _pooling("pool_2"),
        layers.Flatten(name="flatten"),
        *plan.activated(layers.Dense, 256, name="dense_1"),
        *plan.dropped("dropout", _DROPOUT),
    ]
    return keras.Sequential([plan.inputs(), *body, plan.head()], name=plan.name)


# The data has its channels last, whatever ~/.keras/keras.json says.
def _convolution(plan: Plan, filters: int, name: str) -> list[layers.Layer]:
    return plan.activated(
        layers.Conv2D, filters, 3, padding="same", data_format="channels_last", name=name
    )


def _pooling(name: str) -> layers.Layer:
    return layers.MaxPooling2D(2, data_format="channels_last", name=name)
