"""A network built anew with something before its layers or behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from dwt_keras.compression import graph

Between = Callable[[Any], Any]


def finalize(layer: Any) -> None:
    """Lets Normalization layers compute with the weights that they have been given."""
    for part in (layer, *layer._flatten_layers(include_self=False)):
        if isinstance(part, layers.Normalization):
            part.finalize_state()


def rebuilt(
    model: keras.Model,
    input_shape: tuple[int, ...],
    *,
    before: Between = lambda tensor: tensor,
    behind: Between = lambda tensor: tensor,
    without: layers.Layer | None = None,
) -> keras.Model:
    """Copies a network, with its weights, between other layers.

    All layers are copies, so that none belongs to two graphs: where a kernel's input is from is
    read off the graph.

    Args:
        model: A Functional or Sequential model with one input and one output.
        input_shape: Shape of one input of the new network.
        before: From the new input to the input of the first layer.
        behind: From the output of the last layer to the new output.
        without: A layer to leave out, the last.

    Returns:
        A Functional model with the names of the old one and of its layers.
    """
    source = graph.functional(model)
    copies: dict[int, tuple[Any, Any]] = {}

    def copied(operation: Any) -> Any:
        if operation is without:
            return lambda tensor, **_: tensor
        if id(operation) not in copies:
            copy = operation.__class__.from_config(operation.get_config())
            copies[id(operation)] = operation, copy
        return copies[id(operation)][1]

    given = model.inputs[0]
    # An automatic name counts the inputs that there have been before.
    is_automatic = given.name.startswith(("input_layer", "keras_tensor"))
    inputs = keras.Input(input_shape, name="images" if is_automatic else given.name)
    outputs = source._run_through_graph(before(inputs), operation_fn=copied)
    found = keras.Model(inputs, behind(outputs), name=model.name)
    for operation, copy in copies.values():
        if isinstance(operation, layers.Layer):
            copy.set_weights(operation.get_weights())
            finalize(copy)
    return found
