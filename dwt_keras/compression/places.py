"""Which axis of a tensor numbers the places of a feature map: pixels, patches, points in time.

A Reshape makes one axis of height and width; layers that treat each place by itself keep it, a
Permute moves it. In a network that mixes places (MLP-Mixer; Tolstikhin and others 2021,
arXiv:2105.01601) it is the axis that Dense layers multiply, and what they give is added to a
tensor that has places too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from keras import layers

from dwt_keras.compression import geometry

# Sizes of the feature map's axes that one axis numbers, and which of them have neighbours.
Places = tuple[tuple[int, ...], tuple[int, ...]]

# An axis of a tensor, the batch axis counted.
_Axis = tuple[Any, int]
# What an axis is known to be, and the axes of other tensors to look at next.
_Step = tuple[list[Places | None], list[_Axis]]

_ELEMENTWISE = (
    layers.Add,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Subtract,
)


def dense(layer: Any, shape: tuple[int, ...]) -> geometry.Geometry:
    """A Dense kernel of shape (inputs, units): unflattened where either are places.

    Where the input has one axis beside the batch it is read as `geometry.dense` says.
    """
    nodes = getattr(layer, "_inbound_nodes", [])
    if not nodes or any(len(node.input_tensors[0].shape) == 2 for node in nodes):
        return geometry.dense(layer, shape)
    given = _agreed(_behind(node.input_tensors[0], -1) for node in nodes)
    made = _agreed(_ahead(node.outputs[0], -1) for node in nodes)
    sizes, axes = given or ((shape[0],), ())
    out_sizes, out_axes = made or ((shape[1],), ())
    if given is None and made is None:
        return geometry.plain(shape)
    return geometry.Geometry(
        (*sizes, *out_sizes),
        (*axes, *(len(sizes) + axis for axis in out_axes)),
        mixes_places=True,
    )


def einsum(layer: Any, shape: tuple[int, ...]) -> geometry.Geometry:
    """An EinsumDense kernel: the places that it sums over are its axes, as a convolution's are.

    The last axis of the input is taken as channels.
    """
    nodes = getattr(layer, "_inbound_nodes", [])
    given, kernel, made = re.split(r",|->", layer.equation.replace(" ", ""))
    if not nodes or "." in layer.equation:
        return geometry.plain(shape)

    def is_place(letter: str, tensor: Any) -> bool:
        axis = given.find(letter)
        return (
            0 < axis < len(given) - 1
            and letter not in made
            and axis - 1 in geometry.spatial_axes(tensor)
            and _behind(tensor, axis) is None
        )

    tensors = [node.input_tensors[0] for node in nodes]
    return geometry.Geometry(
        shape,
        tuple(
            axis
            for axis, letter in enumerate(kernel)
            if all(is_place(letter, tensor) for tensor in tensors)
        ),
    )


def _agreed(found: Iterable[Places | None]) -> Places | None:
    """What all uses of a layer have; None where they disagree."""
    known = set(found)
    return known.pop() if len(known) == 1 else None


def _behind(tensor: Any, axis: int) -> Places | None:
    """Follows an axis back to the Reshape that made it."""

    def step(tensor: Any, axis: int) -> _Step:
        operation, node_index, _ = tensor._keras_history
        given = operation._inbound_nodes[node_index].input_tensors
        if isinstance(operation, layers.Reshape):
            return [_reshaped(given[0], tensor, axis)], []
        return [], [(each, moved) for each in given for moved in _before(operation, each, axis)]

    return _followed(tensor, axis, step)


def _ahead(tensor: Any, axis: int) -> Places | None:
    """Follows an axis forward to a sum, and what it is added to back."""

    def step(tensor: Any, axis: int) -> _Step:
        found: list[Places | None] = []
        waiting: list[_Axis] = []
        for node in _consumers(tensor):
            operation, others = node.operation, node.input_tensors
            if isinstance(operation, _ELEMENTWISE):
                found += [_behind(each, axis) for each in others if each is not tensor]
            elif len(others) == 1:
                waiting += [
                    (output, moved)
                    for output in node.outputs
                    for moved in range(len(output.shape))
                    if axis in _before(operation, tensor, moved)
                ]
        return found, waiting

    return _followed(tensor, axis, step)


def _followed(tensor: Any, axis: int, step: Callable[[Any, int], _Step]) -> Places | None:
    """What all ways from an axis lead to; None where that is nothing, or not one thing."""
    found: set[Places] = set()
    waiting: list[_Axis] = [(tensor, axis % len(tensor.shape))]
    seen: set[tuple[int, int]] = set()
    while waiting:
        here = waiting.pop()
        key = (id(here[0]), here[1])
        if key not in seen:
            seen.add(key)
            ends, further = step(*here)
            found |= {each for each in ends if each is not None}
            waiting += further
    return found.pop() if len(found) == 1 else None


def _consumers(tensor: Any) -> Iterator[Any]:
    operation = tensor._keras_history[0]
    for node in operation._outbound_nodes:
        if any(each is tensor for each in node.input_tensors):
            yield node


def _before(operation: Any, given: Any, axis: int) -> tuple[int, ...]:
    """The axis of an input that an axis of the output is, place by place; or none."""
    if isinstance(operation, layers.Permute):
        return ((0, *operation.dims)[axis],)
    if isinstance(operation, (*geometry.PLACE_KEEPING, *_ELEMENTWISE)):
        return (axis,)
    # These change the last axis alone, whatever they look at.
    last = len(given.shape) - 1
    if isinstance(operation, (layers.Dense, layers.MultiHeadAttention)) and axis < last:
        return (axis,)
    return ()


def _reshaped(source: Any, made: Any, axis: int) -> Places | None:
    """The axes of a tensor that became one axis by reshaping, if several did."""
    old, new = tuple(source.shape[1:]), tuple(made.shape[1:])
    if None in (*old, *new) or axis == 0:
        return None
    before = math.prod(new[: axis - 1])
    starts = [at for at in range(len(old)) if math.prod(old[:at]) == before]
    stops = [at for at in range(len(old) + 1) if math.prod(old[:at]) == before * new[axis - 1]]
    if not starts or not stops:
        return None
    # Axes of length 1 may belong to either side.
    start, stop = starts[-1], stops[0]
    spatial = geometry.spatial_axes(source)
    axes = tuple(at - start for at in range(start, stop) if at in spatial)
    return (old[start:stop], axes) if stop - start > 1 and axes else None
