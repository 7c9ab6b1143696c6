"""The graph of layers of a model."""

from __future__ import annotations

from typing import Any

import keras

from dwt_keras.compression import geometry


def functional(model: Any) -> Any:
    """A Functional model of the very layers of a Functional or Sequential one.

    Args:
        model: A built model.

    Returns:
        The model; None for a subclassed one, which has no graph.
    """
    if not getattr(model, "inputs", None):
        return None
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def nodes(model: Any) -> list[Any]:
    """The uses of layers in a Functional model, each behind what it depends on."""
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def source(tensor: Any) -> Any:
    """The operation that a tensor is from, past layers that keep every value's place.

    Args:
        tensor: A symbolic tensor.
    """
    while True:
        operation, node_index, _ = tensor._keras_history
        given = operation._inbound_nodes[node_index].input_tensors
        if not isinstance(operation, geometry.PLACE_KEEPING) or len(given) != 1:
            return operation
        (tensor,) = given


def makers(model: Any) -> list[Any]:
    """The layers that make the outputs of a model; none of a subclassed one."""
    found = []
    for tensor in getattr(model, "outputs", None) or ():
        operation = source(tensor)
        found += makers(operation) if isinstance(operation, keras.Model) else [operation]
    return found
