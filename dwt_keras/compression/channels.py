"""Which channels of each tensor in a model something looks at, and which are always the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from dwt_keras.compression import graph, shrink
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet import basis, features

Array = np.ndarray[Any, np.dtype[Any]]

_CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
# Layers that treat each channel by itself and equally: those that leave values as they are when a
# model is used, and those that change them, all of a channel alike if they are alike.
_UNCHANGED = (
    layers.ActivityRegularization,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
)
_ELEMENTWISE = (layers.Activation, layers.ELU, layers.LeakyReLU, layers.ReLU)
_PADDING = (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D)
_BY_CHANNEL = (*_UNCHANGED, *_ELEMENTWISE, *_PADDING, layers.BatchNormalization)
# Activations that look at all channels at once.
_MIXING = ("softmax", "log_softmax", "sparsemax", "glu")


@dataclass
class Kernel:
    """A kernel in the graph.

    Attributes:
        layer: The Dense layer or convolution.
        coefficients: The kernel's, unflattened: (..., input channels, units). Those of channels
            that are always the same have been taken into the bias.
        bias: Of the units; None where the layer has none.
        basis: The basis of the inputs, for Dense; the identity for convolutions.
        flat: Whether inputs are vectors, whose values are the rows.
    """

    layer: Any
    coefficients: Array
    bias: Array | None
    basis: basis.Basis
    flat: bool

    def channels(self, units: Array) -> Array:
        """Which of the input's channels some units need: for vectors, a mask of all values.

        A transform over places leaves channels apart.
        """
        found = self.coefficients[..., units]
        shape = found.shape[:-1]
        needed = (found != 0).any(axis=(*range(len(shape) - 1), found.ndim - 1))
        if len(shape) - 1 in self.basis.axes:
            needed[:] = True
        return np.tile(needed, math.prod(shape[:-1])) if self.flat else needed

    def has_empty_rows(self) -> bool:
        """Whether there are inputs, or coefficients of them, that nothing needs."""
        return self.flat and not (self.coefficients != 0).any(axis=-1).all()

    def weights(self) -> Array:
        """The kernel itself, unflattened."""
        old = self.basis
        if old.is_identity:
            return self.coefficients
        whole = basis.Basis(old.wavelet, old.level, old.axes, self.coefficients.shape, old.splits)
        shape = self.coefficients.shape
        return whole.reconstruct(self.coefficients.copy(), shape, self.coefficients.dtype)

    def take_in(self, values: Array) -> None:
        """Takes channels that are always the same into the bias.

        Args:
            values: Those of the input's channels (for vectors, of all values), NaN where they
                are not always the same.
        """
        if self.flat:
            by_channel = values.reshape(-1, self.coefficients.shape[-2])
            same = (by_channel == by_channel[0]).all(axis=0)
            values = np.where(same, by_channel[0], np.nan)
        known = ~np.isnan(values)
        if len(self.coefficients.shape) - 2 in self.basis.axes or not known.any():
            return
        # Past the border a convolution sees zeros.
        padded = not self.flat and getattr(self.layer, "padding", "valid") != "valid"
        if padded or self.bias is None:
            known &= values == 0
        if self.bias is not None:
            places = tuple(range(self.coefficients.ndim - 2))
            sums = self.weights().sum(axis=places, dtype=np.float64)
            added = np.where(known, values, 0.0) @ sums
            self.bias = (self.bias + added).astype(self.bias.dtype)
        self.coefficients = np.where(known[:, None], 0, self.coefficients).astype(
            self.coefficients.dtype
        )

    def constants(self) -> Array:
        """What units give that look at nothing; NaN for the others."""
        units = self.coefficients.shape[-1]
        looks = (self.coefficients != 0).reshape(-1, units).any(axis=0)
        if mixes(self.layer):
            return np.full(units, np.nan)
        bias = np.zeros(units, np.float32) if self.bias is None else self.bias
        found = keras.ops.convert_to_numpy(self.layer.activation(keras.ops.cast(bias, "float32")))
        return np.where(looks, np.nan, found)


class Channels:
    """The channels of all tensors of a model; of tensors of two axes, their values.

    Args:
        model: A Functional model.
        bases: Of Dense kernels, by the identity of their variables.

    Attributes:
        kernels: The kernels of which parts can be left out, by the identity of their layers.
        there: By the identity of a tensor, a mask of the channels that remain.
    """

    def __init__(self, model: Any, bases: Mapping[int, basis.Basis]) -> None:
        self._nodes = graph.nodes(model)
        counts: dict[int, int] = {}
        for node in self._nodes:
            counts[id(node.operation)] = counts.get(id(node.operation), 0) + 1
        self._once = {key for key, number in counts.items() if number == 1}
        self.kernels: dict[int, Kernel] = {}
        for node in self._nodes:
            found = self._kernel(node, bases)
            if found is not None:
                self.kernels[id(node.operation)] = found
        self._take_constants()
        self._needed: dict[int, Array] = {}
        for tensor in model.outputs:
            self._need(tensor, _all(tensor))
        for node in reversed(self._nodes):
            for tensor in () if node.is_input else node.input_tensors:
                self._need(tensor, self._asked(node.operation, tensor, node.outputs))
        self.there: dict[int, Array] = {}
        for node in self._nodes:
            for output in node.outputs:
                self.there[id(output)] = self._left(node, output)

    @property
    def saves(self) -> bool:
        """Whether anything can be left out."""
        return any(not mask.all() for mask in self.there.values()) or any(
            kernel.has_empty_rows() for kernel in self.kernels.values()
        )

    def is_by_channel(self, layer: Any, tensor: Any) -> bool:
        """Whether a layer treats each channel of its input by itself, and is used once."""
        # Of subclasses it is not known.
        if id(layer) not in self._once or type(layer) not in _BY_CHANNEL or mixes(layer):
            return False
        if isinstance(layer, layers.BatchNormalization):
            return layer.axis in (-1, len(tensor.shape) - 1)
        return getattr(layer, "data_format", "channels_last") == "channels_last"

    def _kernel(self, node: Any, bases: Mapping[int, basis.Basis]) -> Kernel | None:
        layer = node.operation
        is_dense = type(layer) is layers.Dense
        if id(layer) not in self._once or not (is_dense or type(layer) in _CONVOLUTIONS):
            return None
        if getattr(layer, "quantization_mode", None) is not None or layer.lora_enabled:
            return None
        values = keras.ops.convert_to_numpy(layer.kernel)
        bias = keras.ops.convert_to_numpy(layer.bias) if layer.use_bias else None
        if not is_dense:
            if layer.groups > 1 or layer.data_format != "channels_last":
                return None
            return Kernel(layer, values, bias, basis.identity(values.shape[:-1]), False)
        known = bases.get(id(layer.kernel))
        flat = len(node.input_tensors[0].shape) == 2
        if known is None or not flat or len(known.shape) - 1 in known.axes:
            return Kernel(layer, values, bias, basis.identity(values.shape[:1]), flat)
        target = Target("", "kernel", layer.kernel, known.axes, known)
        coefficients = shrink.without_roundings(target)
        return Kernel(layer, coefficients, bias, features.of_inputs(known), True)

    def _take_constants(self) -> None:
        constants: dict[int, Array] = {}
        for node in self._nodes:
            layer = node.operation
            for output in node.outputs:
                constants[id(output)] = np.full(output.shape[-1] or 1, np.nan)
            if node.is_input or len(node.input_tensors) != 1 or len(node.outputs) != 1:
                continue
            (tensor,), (output,) = node.input_tensors, node.outputs
            given = constants[id(tensor)]
            if id(layer) in self.kernels:
                self.kernels[id(layer)].take_in(given)
                constants[id(output)] = self.kernels[id(layer)].constants()
            elif _flattens(layer, tensor):
                constants[id(output)] = np.tile(given, output.shape[-1] // len(given))
            elif self.is_by_channel(layer, tensor):
                constants[id(output)] = _changed(layer, given)

    def _need(self, tensor: Any, mask: Array) -> None:
        # A tensor may have several consumers.
        self._needed[id(tensor)] = mask | self._needed.get(id(tensor), np.zeros_like(mask))

    def _asked(self, layer: Any, tensor: Any, outputs: Sequence[Any]) -> Array:
        """The channels of an input that a layer needs for those of its output."""
        needed = self._needed.get(id(outputs[0]))
        if len(outputs) != 1 or needed is None:
            return _all(tensor)
        kernel = self.kernels.get(id(layer))
        if kernel is not None:
            return kernel.channels(np.ones_like(needed) if mixes(layer) else needed)
        if _flattens(layer, tensor):
            return np.asarray(needed.reshape(-1, tensor.shape[-1]).any(axis=0))
        return needed if self.is_by_channel(layer, tensor) else _all(tensor)

    def _left(self, node: Any, output: Any) -> Array:
        """The channels of an output that will be there."""
        layer = node.operation
        if node.is_input or len(node.input_tensors) != 1 or len(node.outputs) != 1:
            return _all(output)
        needed = self._needed.get(id(output), _all(output))
        if id(layer) in self.kernels:
            # One unit at least: a layer without any would be none.
            alone = bool(needed.any()) and not mixes(layer)
            return needed if alone else _all(output)
        (tensor,) = node.input_tensors
        given = self.there[id(tensor)]
        if _flattens(layer, tensor):
            return np.tile(given, output.shape[-1] // len(given))
        return given if self.is_by_channel(layer, tensor) else _all(output)


def mixes(layer: Any) -> bool:
    """Whether a layer's activation looks at all channels at once, or may."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return False
    name = getattr(activation, "__name__", "")
    return name in _MIXING or getattr(keras.activations, name, None) is not activation


def _all(tensor: Any) -> Array:
    return np.ones((tensor.shape[-1] if tensor.shape else None) or 1, bool)


def _flattens(layer: Any, tensor: Any) -> bool:
    return (
        type(layer) is layers.Flatten
        and layer.data_format == "channels_last"
        and None not in tensor.shape[1:]
    )


def _changed(layer: Any, values: Array) -> Array:
    """What a layer makes of channels that are always the same."""
    if isinstance(layer, _PADDING):
        return np.where(values == 0, 0.0, np.nan)
    if isinstance(layer, _ELEMENTWISE):
        return np.asarray(keras.ops.convert_to_numpy(layer(values.astype(np.float32))))
    if isinstance(layer, layers.BatchNormalization):
        mean, variance = (
            keras.ops.convert_to_numpy(each).astype(np.float64)
            for each in (layer.moving_mean, layer.moving_variance)
        )
        values = (values - mean) / np.sqrt(variance + layer.epsilon)
        if layer.scale:
            values = values * keras.ops.convert_to_numpy(layer.gamma)
        return values + keras.ops.convert_to_numpy(layer.beta) if layer.center else values
    return values
