"""MLP-Mixer: dense layers over the patches of an image, and over the channels of each.

Tolstikhin and others 2021, arXiv:2105.01601, small: patches of 4 x 4 pixels.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from dwt_keras.training.networks.parts import Plan, chained
from dwt_keras.training.requirements import PATCH

_WIDTH = 64
_BLOCKS = 4
# Units that mix patches, and channels.
_PATCH_UNITS, _CHANNEL_UNITS = 64, 128


def build(plan: Plan) -> keras.Model:
    """Four blocks of width 64."""
    inputs = plan.inputs()
    patches = layers.Conv2D(_WIDTH, PATCH, PATCH, data_format="channels_last", name="patches")(
        inputs
    )
    count = patches.shape[1] * patches.shape[2]
    tensor = layers.Reshape((count, _WIDTH), name="flatten")(patches)
    for number in range(1, _BLOCKS + 1):
        tensor = _mixed(plan, tensor, count, f"block_{number}_patches", _PATCH_UNITS, turned=True)
        tensor = _mixed(
            plan, tensor, _WIDTH, f"block_{number}_channels", _CHANNEL_UNITS, turned=False
        )
    steps = [
        layers.LayerNormalization(name="norm"),
        layers.GlobalAveragePooling1D(data_format="channels_last", name="pool"),
        plan.head(),
    ]
    return keras.Model(inputs, chained(tensor, steps), name=plan.name)


def _mixed(plan: Plan, tensor: Any, size: int, name: str, units: int, *, turned: bool) -> Any:
    """A tensor and what two dense layers make of it, over patches where it is turned."""
    steps = [
        layers.Dense(units, activation="gelu", name=f"{name}_1"),
        *plan.dropped(f"{name}_dropout"),
        layers.Dense(size, name=f"{name}_2"),
    ]
    if turned:
        steps = [
            layers.Permute((2, 1), name=f"{name}_turn"),
            *steps,
            layers.Permute((2, 1), name=f"{name}_back"),
        ]
    inner = chained(tensor, [layers.LayerNormalization(name=f"{name}_norm"), *steps])
    return layers.Add(name=f"{name}_add")([tensor, inner])
