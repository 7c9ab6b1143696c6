"""What the built-in networks share: what they are built from, their inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers

# What one sample is called, by its number of axes; the SavedModel's input has the name.
_INPUTS = {1: "features", 2: "signals", 3: "images"}


@dataclass(frozen=True)
class Plan:
    """What a network is built from.

    Attributes:
        name: Of the network.
        input_shape: Shape of one sample.
        classes: Number of outputs.
        hidden_units: Units of the mlp's hidden layers.
        dropout: Rate of its dropout layers, 0 for none; None for the network's own.
        batch_norm: Whether to normalise over the batch where the network need not.
    """

    name: str
    input_shape: tuple[int, ...]
    classes: int
    hidden_units: tuple[int, ...] = ()
    dropout: float | None = None
    batch_norm: bool = False

    def inputs(self) -> Any:
        """The symbolic input, named after what a sample is."""
        name = _INPUTS.get(len(self.input_shape), "inputs")
        return keras.Input(self.input_shape, name=name)

    def head(self) -> layers.Layer:
        """The layer that makes the probabilities.

        They stay float32 whatever the global policy: their logarithm is taken.
        """
        return layers.Dense(self.classes, activation="softmax", dtype="float32", name="classes")

    def dropped(self, name: str, default: float = 0.0) -> list[layers.Layer]:
        """A dropout layer, or none where its rate is 0."""
        rate = default if self.dropout is None else self.dropout
        return [layers.Dropout(rate, name=name)] if rate else []

    def activated(self, layer: type[layers.Layer], *args: Any, **kwargs: Any) -> list[layers.Layer]:
        """A layer with a rectifier, batch normalisation between the two where asked for."""
        name = kwargs["name"]
        if not self.batch_norm:
            return [layer(*args, activation="relu", **kwargs)]
        return [
            layer(*args, **kwargs),
            batch_normalization(f"{name}_norm"),
            layers.Activation("relu", name=f"{name}_relu"),
        ]


def batch_normalization(name: str) -> layers.Layer:
    """Batch normalisation over the last axis, over all replicas where there are several.

    Without that the moving statistics of replicas differ. It is left out for one replica, since
    the variance is then computed from sums of squares, which is less exact.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return layers.BatchNormalization(synchronized=replicas > 1, name=name)


def chained(tensor: Any, steps: list[layers.Layer]) -> Any:
    """What layers make of a tensor, one after another."""
    for layer in steps:
        tensor = layer(tensor)
    return tensor
