"""A small vision transformer: attention over the patches of an image.

Dosovitskiy and others 2021, arXiv:2010.11929, with patches of 4 x 4 pixels and, in place of a
class token, the mean over the patches (Beyer, Zhai and Kolesnikov 2022, arXiv:2205.01580).
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from dwt_keras.training.networks.parts import Plan, chained
from dwt_keras.training.requirements import PATCH

_WIDTH = 64
_BLOCKS = 4
_HEADS = 4
_UNITS = 128


def build(plan: Plan) -> keras.Model:
    """Four blocks of width 64 with four heads."""
    inputs = plan.inputs()
    tensor = _embedded(inputs)
    for number in range(1, _BLOCKS + 1):
        tensor = _attended(plan, tensor, f"block_{number}_attention")
        tensor = _mixed(plan, tensor, f"block_{number}_channels")
    steps = [
        layers.LayerNormalization(name="norm"),
        layers.GlobalAveragePooling1D(data_format="channels_last", name="pool"),
        plan.head(),
    ]
    return keras.Model(inputs, chained(tensor, steps), name=plan.name)


def _embedded(images: Any) -> Any:
    """One vector for each patch, which depends on where it lies.

    A bias for each patch is the position embedding, so that no layer of our own is needed.
    """
    _, height, width, channels = images.shape
    down, across = height // PATCH, width // PATCH
    steps = [
        layers.Reshape((down, PATCH, across, PATCH * channels), name="split"),
        layers.Permute((1, 3, 2, 4), name="gather"),
        layers.Reshape((down * across, PATCH, PATCH, channels), name="patches"),
        layers.EinsumDense(
            "bpyxc,yxcd->bpd",
            output_shape=(down * across, _WIDTH),
            bias_axes="pd",
            bias_initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="embedding",
        ),
    ]
    return chained(images, steps)


def _attended(plan: Plan, tensor: Any, name: str) -> Any:
    given = layers.LayerNormalization(name=f"{name}_norm")(tensor)
    found = layers.MultiHeadAttention(_HEADS, _WIDTH // _HEADS, name=name)(given, given)
    found = chained(found, plan.dropped(f"{name}_dropout"))
    return layers.Add(name=f"{name}_add")([tensor, found])


def _mixed(plan: Plan, tensor: Any, name: str) -> Any:
    steps = [
        layers.LayerNormalization(name=f"{name}_norm"),
        layers.Dense(_UNITS, activation="gelu", name=f"{name}_1"),
        *plan.dropped(f"{name}_dropout"),
        layers.Dense(_WIDTH, name=f"{name}_2"),
    ]
    return layers.Add(name=f"{name}_add")([tensor, chained(tensor, steps)])
