"""Rewriting a network whose kernels have empty rows as a smaller one that computes the same.

Where the coefficients of a Dense kernel have rows of zeros, the layer becomes two: the
coefficients of its input that are left, and a smaller Dense. Units and filters that nothing looks
at any more go, with what belongs to them in the layers between; and so do those that always give
the same, which the biases behind them take in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from dwt_keras import checks
from dwt_keras.compression import graph
from dwt_keras.compression.channels import Channels, Kernel
from dwt_keras.compression.structured import WaveletFeatures
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet import basis

Array = np.ndarray[Any, np.dtype[Any]]


def fold(model: Any, kernels: Sequence[Target] = ()) -> Any:
    """A smaller model that computes what a model with empty rows computes.

    Args:
        model: A built Functional or Sequential model. Not changed.
        kernels: The kernels with their bases (`DWTCompression.targets`): rows of zeros are looked
            for among their coefficients. Those of other Dense layers and convolutions are looked
            for among the weights.

    Returns:
        A Functional model of the same inputs and outputs, which agrees with the given one to the
        rounding of float32.

    Raises:
        UserError: If the model has no graph to follow, is folded already, or has no empty row,
            unit or filter.
    """
    functional = graph.functional(model)
    if functional is None:
        raise checks.UserError(
            f"model {model.name!r} is no Functional or Sequential one: its layers cannot be folded"
        )
    if any(isinstance(layer, WaveletFeatures) for layer in model._flatten_layers()):
        raise checks.UserError(f"model {model.name!r} is folded already")
    bases = {
        id(target.variable): target.basis
        for target in kernels
        if isinstance(target.basis, basis.Basis)
    }
    channels = Channels(functional, bases)
    if not channels.saves:
        raise checks.UserError(
            f"model {model.name!r} has no empty rows to fold (train.py --structure=rows makes some)"
        )
    return _rewritten(functional, channels)


def _rewritten(model: Any, channels: Channels) -> Any:
    """The smaller model."""
    made: dict[int, _Made] = {}
    for node in graph.nodes(model):
        if isinstance(node.operation, layers.Layer) and not node.is_input:
            made.setdefault(id(node.operation), _made(node, channels))
    first = {id(each.layer): each.first for each in made.values() if each.first is not None}

    def clone(operation: Any) -> Any:
        # Operations without weights may be shared.
        return made[id(operation)].layer if id(operation) in made else operation

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if id(layer) in first:
            args = (first[id(layer)](args[0]), *args[1:])
        return layer(*args, **kwargs)

    folded = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for each in made.values():
        each.layer.set_weights(each.weights)
    return folded


@dataclass
class _Made:
    """A new layer, its weights, and what comes before it."""

    layer: Any
    weights: list[Array]
    first: Any = None


def _made(node: Any, channels: Channels) -> _Made:
    """The layer that takes the place of another."""
    layer, tensor = node.operation, node.input_tensors[0]
    given, out = channels.there[id(tensor)], channels.there[id(node.outputs[0])]
    kernel = channels.kernels.get(id(layer))
    if kernel is not None:
        return _dense(kernel, given, out) if kernel.flat else _over_channels(kernel, given, out)
    weights = layer.get_weights()
    if channels.is_by_channel(layer, tensor):
        weights = [each[out] if each.shape == out.shape else each for each in weights]
    return _Made(layer.__class__.from_config(layer.get_config()), weights)


def _dense(kernel: Kernel, given: Array, out: Array) -> _Made:
    """A Dense layer over vectors: over the coefficients that it needs, where that is less work."""
    layer, old = kernel.layer, kernel.basis
    remain = given.reshape(-1, old.shape[-1]).any(axis=0)
    coefficients = kernel.coefficients[..., out][..., remain, :]
    bias = _bias(kernel, out)
    units = coefficients.shape[-1]
    flat = coefficients.reshape(-1, units)
    # One at least: a layer without inputs would be none.
    rows = np.flatnonzero((flat != 0).any(axis=1)) if flat.any() else np.array([0])
    first = WaveletFeatures(
        coefficients.shape[:-1],
        rows.tolist(),
        old.wavelet,
        old.level,
        old.axes,
        old.splits,
        name=f"{layer.name}_features",
        dtype=layer.dtype_policy,
    )
    narrower = _narrower(layer, units=units)
    if len(rows) * units + first.multiplications() < flat.size:
        return _Made(narrower, [flat[rows], *bias], first)
    weights = kernel.weights()[..., out][..., remain, :].reshape(flat.shape)
    return _Made(narrower, [weights, *bias])


def _over_channels(kernel: Kernel, given: Array, out: Array) -> _Made:
    """A convolution, or a Dense layer over the channels of a feature map."""
    layer = kernel.layer
    weights = kernel.coefficients[..., out][..., given, :]
    name = "units" if isinstance(layer, layers.Dense) else "filters"
    return _Made(_narrower(layer, **{name: int(out.sum())}), [weights, *_bias(kernel, out)])


def _narrower(layer: Any, **changes: int) -> Any:
    # Constraints and initial values may have the old shape; they are of training.
    unset = dict.fromkeys(("kernel_constraint", "bias_constraint"))
    zeros = dict.fromkeys(("kernel_initializer", "bias_initializer"), "zeros")
    return layer.__class__.from_config({**layer.get_config(), **unset, **zeros, **changes})


def _bias(kernel: Kernel, out: Array) -> list[Array]:
    return [] if kernel.bias is None else [kernel.bias[out]]
