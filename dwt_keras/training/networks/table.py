"""The built-in networks by name. Importing this loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import keras

from dwt_keras.training.networks import cnn, conv1d, mixer, mlp, resnet20, vit_tiny
from dwt_keras.training.networks.parts import Plan

BUILDERS: Mapping[str, Callable[[Plan], keras.Model]] = MappingProxyType(
    {
        "mlp": mlp.build,
        "cnn": cnn.build,
        "resnet20": resnet20.build,
        "conv1d": conv1d.build,
        "mixer": mixer.build,
        "vit_tiny": vit_tiny.build,
    }
)
