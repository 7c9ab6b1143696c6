"""A network as the server asks it: by name, in batches of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from dwt_keras import checks
from dwt_keras.serving.requests import Arrays, RequestError
from dwt_keras.serving.signature import (
    Signature,
    Tensor,
    is_served,
    output_axes,
    sample_axes,
    zeros,
)

# More than one, so that an output without an axis for samples is found.
_TRIED_SAMPLES = 2


@dataclass(frozen=True)
class Network:
    """A network that can be served.

    Attributes:
        signature: What it takes and gives.
        predict: From inputs by name, each of shape (samples, ...), to outputs by name. Raises
            RequestError for inputs that it cannot compute on.
    """

    signature: Signature
    predict: Callable[[Arrays], dict[str, Any]]


def of_function(
    function: Any, source: str, of_train_py: bool, classes: tuple[str, ...] = ()
) -> Network:
    """A signature's function as a network, tried once.

    Args:
        function: A concrete function from named inputs to named outputs, as SavedModels have them.
        source: Where it is from.
        of_train_py: Whether train.py made it, so that it is known what the axes are.
        classes: A name for each class.

    Raises:
        UserError: If it takes or gives something that is not served.
    """
    takes = {
        name: _tensor(name, spec, source, sample_axes, of_train_py)
        for name, spec in function.structured_input_signature[1].items()
    }
    gives = {
        name: _tensor(name, spec, source, output_axes, of_train_py)
        for name, spec in function.structured_outputs.items()
    }
    signature = Signature(takes, gives, classes)

    def predict(inputs: Arrays) -> dict[str, Any]:
        given = {name: tf.constant(values) for name, values in inputs.items()}
        try:
            return {name: value.numpy() for name, value in function(**given).items()}
        except tf.errors.InvalidArgumentError as error:  # An index beyond an embedding, say.
            raise RequestError(
                400, f"the network cannot compute on these instances: {checks.said(error)}"
            ) from None

    _try(predict, signature, source)
    return Network(signature, predict)


def _tensor(
    name: str,
    spec: Any,
    source: str,
    axes: Callable[[tuple[int | None, ...], bool], tuple[str, ...]],
    of_train_py: bool,
) -> Tensor:
    shape, dtype = spec.shape, spec.dtype.name
    if not is_served(dtype):
        raise checks.UserError(f"{source}: has {name} of type {dtype}; only numbers are served")
    if shape.rank is None or shape.rank == 0 or shape[0] is not None:
        raise checks.UserError(
            f"{source}: must take any number of samples; the shape of {name} is {shape}"
        )
    its = tuple(shape[1:])
    return Tensor(name, its, dtype, axes(its, of_train_py))


def _try(predict: Callable[[Arrays], dict[str, Any]], signature: Signature, source: str) -> None:
    """Computes once, so that the first request finds everything loaded."""
    inputs = zeros(signature, _TRIED_SAMPLES)
    if inputs is None:
        return
    try:
        outputs = predict(inputs)
    except RequestError:  # Zeros are not for every network.
        return
    except Exception as error:  # TensorFlow raises whatever it stumbles over.
        raise checks.UserError(f"{source}: cannot be run: {checks.said(error)}") from error
    for name, values in outputs.items():
        if len(values) != _TRIED_SAMPLES:
            raise checks.UserError(f"{source}: gives {name} that is not one value for each sample")
