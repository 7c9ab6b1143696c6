"""The residual network of 20 layers for small images.

He, Zhang, Ren and Sun 2015, arXiv:1512.03385, section 4.2. Where the number of filters changes,
shortcuts are convolutions of one pixel (their option B, so that only stock layers are needed)
rather than subsampling and channels of zeros.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from dwt_keras.training.networks.parts import Plan, batch_normalization, chained

_FILTERS = (16, 32, 64)
_BLOCKS = 3


def build(plan: Plan) -> keras.Model:
    """A convolution, three stages of three blocks (16, 32 and 64 filters), and their mean."""
    inputs = plan.inputs()
    tensor = _relu(_normalised(inputs, _FILTERS[0], 3, 1, "stem"), "stem")
    for stage, filters in enumerate(_FILTERS, start=1):
        for block in range(1, _BLOCKS + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            tensor = _block(tensor, filters, strides, f"stage_{stage}_block_{block}")
    steps = [
        layers.GlobalAveragePooling2D(data_format="channels_last", name="pool"),
        *plan.dropped("dropout"),
        plan.head(),
    ]
    return keras.Model(inputs, chained(tensor, steps), name=plan.name)


def _block(tensor: Any, filters: int, strides: int, name: str) -> Any:
    first = _relu(_normalised(tensor, filters, 3, strides, f"{name}_1"), f"{name}_1")
    second = _normalised(first, filters, 3, 1, f"{name}_2")
    if strides > 1:
        tensor = _normalised(tensor, filters, 1, strides, f"{name}_shortcut")
    return _relu(layers.Add(name=f"{name}_add")([second, tensor]), name)


def _normalised(tensor: Any, filters: int, size: int, strides: int, name: str) -> Any:
    convolution = layers.Conv2D(
        filters,
        size,
        strides,
        padding="same",
        use_bias=False,  # The normalisation has one.
        kernel_initializer="he_normal",
        data_format="channels_last",
        name=name,
    )
    return batch_normalization(f"{name}_norm")(convolution(tensor))


def _relu(tensor: Any, name: str) -> Any:
    return layers.Activation("relu", name=f"{name}_relu")(tensor)
