"""A model's weights as the tensors of a compact file, and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dwt_keras import checks
from dwt_keras.coding import quantizer, tensors
from dwt_keras.coding.records import Transform
from dwt_keras.compression import layout
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet import basis

Array = np.ndarray[Any, np.dtype[Any]]

# How far variables that are no kernels may move, as a fraction of themselves (half precision keeps
# 2^-11) or, for biases, of the largest.
_TOLERANCE = 2.0**-9
# And biases of layers whose kernels have been trained to their steps, which are coarser by far.
_ROUGH = 2.0**-4


def pack(
    model: Any,
    kernels: Sequence[Target],
    step: float | None = None,
    levels: Mapping[str, quantizer.Levels] | None = None,
) -> list[tensors.Tensor]:
    """The tensors of a file: a model's weights as they stand, quantised.

    Args:
        model: The model.
        kernels: The kernels to store as coefficients.
        step: Quantisation step of their coefficients; None for the step of each kernel, whose
            coefficients are multiples of it.
        levels: By path, of kernels that have a step, what is stored in the place of what they
            are; None for all as they are.

    Raises:
        UserError: If a variable is NaN or infinite, or a kernel is another model's.
    """
    if step is not None:
        # The file keeps the step in 32 bits, so it is quantised with that.
        given = checks.real("step", step, above=0.0)
        with np.errstate(over="ignore"):
            step = float(np.float32(given))
        if not 0.0 < step < math.inf:
            raise checks.ArgumentError(
                "step", f"must be a number that 32 bits can hold; given {given!r}"
            )
    by_variable = {id(target.variable): target for target in kernels}
    named = variables(model)
    strange = by_variable.keys() - {id(variable) for variable in named.values()}
    if strange:
        raise checks.ArgumentError(
            "kernels",
            f"must be of model {model.name!r}; given {by_variable[min(strange)].path} of another",
        )
    trained = {_layer_of(target.variable) for target in kernels if step is None and target.step}
    packed = []
    for name, variable in named.items():
        target = by_variable.get(id(variable))
        if target is not None:
            known = levels.get(target.path) if levels else None
            packed.append(_kernel(name, variable, target, step, known))
        else:
            rough = _layer_of(variable) in trained
            packed.append(_small(name, variable, rough))
    return packed


def assign(model: Any, found: Sequence[tensors.Tensor]) -> None:
    """Sets a model's weights to those of tensors, which are its own in their order."""
    # All are computed before one is set.
    values = [layout.restored(tensor) for tensor in found]
    set_all(model, values)


def set_all(model: Any, values: Sequence[Array]) -> None:
    """Sets all weights of a model, in their order, and what layers have computed from them."""
    for variable, value in zip(variables(model).values(), values, strict=True):
        variable.assign(value)
    for layer in _layers(model):
        if isinstance(layer, keras.layers.Normalization) and layer.built:
            layer.finalize_state()  # Its call uses tensors that were made from its variables.


def _layers(layer: Any) -> Iterator[Any]:
    for child in layer._flatten_layers(include_self=False, recursive=False):
        yield child
        yield from _layers(child)


def variables(model: Any) -> dict[str, Any]:
    """All weights of a model by name: their paths below the model, each once."""
    found: dict[str, Any] = {}
    for variable in model.weights:
        name = variable.path.removeprefix(f"{model.name}/")
        # Layers of a subclassed model may have equal names.
        number = 1
        unique = name
        while unique in found:
            number += 1
            unique = f"{name}#{number}"
        found[unique] = variable
    return found


def read(name: str, variable: Any) -> Array:
    """The values of a variable.

    Raises:
        UserError: If one is NaN or infinite.
    """
    values = np.asarray(tf.convert_to_tensor(variable.value))
    if np.issubdtype(values.dtype, np.integer) or values.dtype == bool:
        return values
    if not np.isfinite(values).all():
        raise checks.UserError(f"{name}: has values that are NaN or infinite; nothing was written")
    return values


def _kernel(
    name: str,
    variable: Any,
    target: Target,
    step: float | None,
    levels: quantizer.Levels | None,
) -> tensors.Tensor:
    kernel_basis = basis_of(target)
    shape, dtype = tuple(variable.shape), np.dtype(variable.dtype)
    if levels is None:
        found = kernel_basis.decompose(read(name, variable))
        if step is not None:
            levels = quantizer.quantise(found, step)
        elif target.step:
            # They are multiples already, but for rounding.
            levels = quantizer.quantise(found, target.step, rate_weight=0.0)
        else:
            raise checks.ArgumentError("step", f"must be given: {target.path} has none of its own")
    transform = None
    if not kernel_basis.is_identity or kernel_basis.shape != shape:
        transform = Transform(**dataclasses.asdict(kernel_basis))
    return tensors.Tensor(
        name, shape, dtype, levels=levels, step=step or target.step or 0.0, transform=transform
    )


def _layer_of(variable: Any) -> str:
    """The path of the layer of a variable, which equally named ones share."""
    return str(variable.path.rpartition("/")[0])


def _small(name: str, variable: Any, rough: bool = False) -> tensors.Tensor:
    """A variable that is no kernel, in the smallest form that keeps it within the tolerance."""
    values = read(name, variable)
    plain = tensors.Tensor(name, values.shape, values.dtype, values=values)
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        return plain
    candidates = [plain]
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if np.all(np.abs(half.astype(values.dtype) - values) <= _TOLERANCE * np.abs(values)):
        candidates.append(tensors.Tensor(name, values.shape, values.dtype, values=half))
    largest = float(np.abs(values).max(initial=0.0))
    if variable.name in ("bias", "beta"):
        with np.errstate(over="ignore"):
            tolerance = _ROUGH if rough else _TOLERANCE
            step = float(np.float32(2.0 * tolerance * largest)) if largest else 1.0
        if 0.0 < step < math.inf:
            levels = quantizer.quantise(values, step, rate_weight=0.0)
            candidates.append(
                tensors.Tensor(name, values.shape, values.dtype, levels=levels, step=step)
            )
    return min(candidates, key=lambda tensor: len(tensors.encode([tensor], layout.grid_of)))


def basis_of(target: Target) -> basis.Basis:
    """The basis to store a kernel in: a frame's coefficients are more than the weights."""
    found = target.basis
    return found if isinstance(found, basis.Basis) else basis.identity(found.shape)
