"""Which axes of a kernel have neighbours: height, width, depth, time.

Convolution kernels carry their geometry in their shape. A Dense kernel over a flattened feature
map has it too, hidden in its input axis: row (h W + w) C + c belongs to pixel (h, w) of channel
c. The feature map's shape is found by walking the model's graph back from the Dense layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from keras import layers

# An Input or Reshape of two axes is read as (height, width), or as (time, channels) where the
# last axis is too short for a picture.
_MOST_CHANNELS = 4

# Layers that keep every value's place, whatever they do to the value.
PLACE_KEEPING = (
    layers.Activation,
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.BatchNormalization,
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.GroupNormalization,
    layers.Identity,
    layers.LayerNormalization,
    layers.LeakyReLU,
    layers.Masking,
    layers.Normalization,
    layers.PReLU,
    layers.ReLU,
    layers.Rescaling,
    layers.RMSNormalization,
    layers.Softmax,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.UnitNormalization,
)


@dataclass(frozen=True)
class Geometry:
    """How to read a kernel.

    Attributes:
        shape: The kernel's values as an array whose axes mean something.
        axes: Those of its axes that have neighbours; may be empty.
        traced: False where the model's graph could not be followed, so that there may be more.
        mixes_places: Whether the layer multiplies an axis of places in inputs with more axes, or
            makes one.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    traced: bool = True
    mixes_places: bool = False


def plain(shape: tuple[int, ...], *, traced: bool = True) -> Geometry:
    """A kernel without geometry."""
    return Geometry(shape, (), traced)


def spatial(layer: Any, shape: tuple[int, ...]) -> Geometry:
    """A convolution's kernel: the window comes first, then channels."""
    return Geometry(shape, tuple(range(len(shape) - 2)))


def dense(layer: Any, shape: tuple[int, ...]) -> Geometry:
    """A Dense kernel of shape (inputs, units): unflattened where its input was flattened."""
    inputs = [node.input_tensors[0] for node in getattr(layer, "_inbound_nodes", [])]
    if not inputs:
        return plain(shape, traced=False)
    found = {_feature_map(tensor) for tensor in inputs}
    feature_map = found.pop()
    # A layer used in several places has a geometry where all places agree.
    if found or feature_map is None or math.prod(feature_map[0]) != shape[0]:
        return plain(shape)
    sizes, axes = feature_map
    return Geometry((*sizes, *shape[1:]), axes)


def matrix(shape: tuple[int, ...]) -> Geometry:
    """The kernel as the matrix it is multiplied as: (all inputs, outputs), both transformed."""
    if len(shape) < 2:
        return Geometry(shape, tuple(range(len(shape))))
    return Geometry((math.prod(shape[:-1]), shape[-1]), (0, 1))


def _feature_map(tensor: Any) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Sizes and spatial axes of the feature map that `tensor` is a flattening of."""
    if len(tensor.shape) != 2:
        return None
    while True:
        operation, source = _origin(tensor)
        if source is None:
            return None
        if isinstance(operation, (layers.Flatten, layers.Reshape)):
            if len(source.shape) > 2:
                break
        elif not isinstance(operation, PLACE_KEEPING):
            return None
        tensor = source
    sizes = tuple(source.shape[1:])
    if None in sizes or isinstance(_origin(source)[0], layers.Permute):
        return None
    channels_first = getattr(operation, "data_format", None) == "channels_first"
    axes = spatial_axes(source, channels_first)
    if channels_first:
        # Such a Flatten puts the first axis last before it flattens.
        sizes = (*sizes[1:], sizes[0])
        axes = tuple(sorted((axis - 1) % len(sizes) for axis in axes))
    return sizes, axes


def spatial_axes(tensor: Any, assume_channels_first: bool = False) -> tuple[int, ...]:
    """The axes of a feature map, batch axis not counted, that have neighbours.

    Args:
        tensor: The feature map.
        assume_channels_first: What to assume where no layer tells.
    """
    sizes = tensor.shape[1:]
    while True:
        operation, source = _origin(tensor)
        data_format = getattr(operation, "data_format", None)
        if data_format or source is None or not isinstance(operation, PLACE_KEEPING):
            break
        tensor = source
    given_as_is = isinstance(operation, (layers.InputLayer, layers.Reshape))
    if data_format is None and assume_channels_first and (given_as_is or source is None):
        data_format = "channels_first"
    channels = 0 if data_format == "channels_first" else len(sizes) - 1
    if given_as_is and len(sizes) == 2 and sizes[channels] > _MOST_CHANNELS:
        return (0, 1)
    return tuple(axis for axis in range(len(sizes)) if axis != channels)


def _origin(tensor: Any) -> tuple[Any, Any]:
    """The operation that made a symbolic tensor, and its input where it has just one."""
    operation, node_index, _ = tensor._keras_history
    inputs = operation._inbound_nodes[node_index].input_tensors
    return operation, inputs[0] if len(inputs) == 1 else None
