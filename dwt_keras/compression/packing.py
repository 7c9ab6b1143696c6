"""A model's weights as the tensors of a compact file, and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from dwt_keras import checks
from dwt_keras.coding import grid, quantizer, tensors
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet import basis, blocks, families

Array = np.ndarray[Any, np.dtype[Any]]

# How far variables that are no kernels may move, as a fraction of themselves (half precision keeps
# 2^-11) or, for biases, of the largest.
_TOLERANCE = 2.0**-9


def pack(model: Any, kernels: Sequence[Target], step: float) -> list[tensors.Tensor]:
    """The tensors of a file: a model's weights as they stand, quantised.

    Args:
        model: The model.
        kernels: The kernels to store as coefficients.
        step: Quantisation step of their coefficients.

    Raises:
        UserError: If a variable is NaN or infinite, or a kernel is another model's.
    """
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
    packed = []
    for name, variable in named.items():
        values = read(name, variable)
        target = by_variable.get(id(variable))
        packed.append(
            _small(name, values) if target is None else _kernel(name, values, target, step)
        )
    return packed


def assign(model: Any, found: Sequence[tensors.Tensor]) -> None:
    """Sets a model's weights to those of tensors, which are its own in their order."""
    # All are computed before one is set.
    values = [restored(tensor) for tensor in found]
    for variable, value in zip(variables(model).values(), values, strict=True):
        variable.assign(value)


def restored(tensor: tensors.Tensor) -> Array:
    """The values of a tensor as a model gets them.

    They are the same bits on every machine, but for dmey, whose inverse is computed.
    """
    if tensor.levels is None:
        assert tensor.values is not None  # A tensor has one of the two.
        return tensor.values.astype(tensor.dtype)
    wide = np.float64 if tensor.dtype == np.float64 else np.float32
    values = quantizer.dequantise(tensor.levels, tensor.step, wide)
    if tensor.transform is not None:
        values = _basis(tensor.transform).reconstruct(values, tensor.shape, wide, overwrite=True)
    return values.reshape(tensor.shape).astype(tensor.dtype)


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


def step_within(kernels: Sequence[Target], distortion: float) -> float:
    """The largest step that moves kernels by a share of their energy at most.

    Args:
        kernels: The kernels, each with its basis.
        distortion: The sum of squared differences over the sum of squares, 0 to 1.

    Raises:
        UserError: If a kernel is NaN or infinite.
    """
    found = [_coefficients(target) for target in kernels]
    energy = sum(float(np.vdot(part, part)) for part in found)
    largest = largest_coefficient(kernels)

    def moved(step: float) -> float:
        total = 0.0
        for part in found:
            error = quantizer.dequantise(quantizer.quantise(part, step), step, part.dtype) - part
            total += float(np.vdot(error, error))
        return total / energy if energy else 0.0

    return quantizer.step_for(moved, distortion, 2.0 * largest, 2.0**-20 * largest)


def largest_coefficient(kernels: Sequence[Target]) -> float:
    """The largest magnitude of what is quantised; 1 where all is zero and any step will do.

    Raises:
        UserError: If a kernel is NaN or infinite.
    """
    sizes = (float(np.abs(_coefficients(target)).max(initial=0.0)) for target in kernels)
    return max(sizes, default=0.0) or 1.0


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


def _kernel(name: str, values: Array, target: Target, step: float) -> tensors.Tensor:
    kernel_basis = _basis_of(target)
    levels = quantizer.quantise(kernel_basis.decompose(values), step)
    transform = None
    if not kernel_basis.is_identity or kernel_basis.shape != values.shape:
        transform = tensors.Transform(**dataclasses.asdict(kernel_basis))
    return tensors.Tensor(
        name, values.shape, values.dtype, levels=levels, step=step, transform=transform
    )


def _small(name: str, values: Array) -> tensors.Tensor:
    """A variable that is no kernel, in the smallest form that keeps it within the tolerance."""
    plain = tensors.Tensor(name, values.shape, values.dtype, values=values)
    if values.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        return plain
    candidates = [plain]
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if np.all(np.abs(half.astype(values.dtype) - values) <= _TOLERANCE * np.abs(values)):
        candidates.append(tensors.Tensor(name, values.shape, values.dtype, values=half))
    largest = float(np.abs(values).max(initial=0.0))
    if name.rpartition("/")[2] in ("bias", "beta"):
        with np.errstate(over="ignore"):
            step = float(np.float32(2.0 * _TOLERANCE * largest))
        if 0.0 < step < math.inf:
            levels = quantizer.quantise(values, step, rate_weight=0.0)
            candidates.append(
                tensors.Tensor(name, values.shape, values.dtype, levels=levels, step=step)
            )
    return min(candidates, key=lambda tensor: len(tensors.encode([tensor], grid_of)))


def _coefficients(target: Target) -> Array:
    return _basis_of(target).decompose(read(target.path, target.variable))


def _basis_of(target: Target) -> basis.Basis:
    """The basis to store a kernel in: a frame's coefficients are more than the weights."""
    found = target.basis
    return found if isinstance(found, basis.Basis) else basis.identity(found.shape)


def grid_of(shape: tuple[int, ...], transform: tensors.Transform | None) -> grid.Grid:
    """How the entropy coder sees levels of a shape and a transform (docs/format.md).

    The last axis is the units. Height and width are the axes of a pyramid over the first one or
    two axes, or the first axes of a convolution's kernel; all others are channels.
    """
    if transform is not None:
        shape = transform.shape
        kernel_basis = _basis(transform)  # Raises where there is none such.
    if len(shape) < 2:
        return grid.Grid((1, 1, 1, math.prod(shape)))
    places = {3: 1, 4: 2, 5: 3}.get(len(shape), 0)
    units = shape[-1]
    if transform is None or transform.wavelet == families.IDENTITY:
        around = shape[:places]
        height, width = math.prod(around[:-1]), math.prod(around[-1:])
        return grid.Grid((height, width, math.prod(shape[places:-1]), units))
    axes = transform.axes
    if transform.splits is not None or axes not in ((0,), (0, 1)) or len(axes) == len(shape):
        return grid.Grid((1, 1, math.prod(shape[:-1]), units))
    height, width = shape[0], shape[1] if len(axes) == 2 else 1
    found = []
    for band in kernel_basis.subbands:
        down, aside = band.slices[0], band.slices[1] if len(axes) == 2 else slice(0, 1)
        letters = band.name[:2] if len(axes) == 2 else band.name[0] + "a"
        found.append(
            grid.Block(
                down.start,
                aside.start,
                down.stop - down.start,
                aside.stop - aside.start,
                band.level,
                letters,
            )
        )
    channels = math.prod(shape[len(axes) : -1])
    return grid.Grid((height, width, channels, units), tuple(found))


def _basis(transform: tensors.Transform) -> basis.Basis:
    """The basis that a file describes.

    Raises:
        CodecError: If there is none such.
    """
    if transform.wavelet == families.IDENTITY:
        return basis.identity(transform.shape)
    if transform.wavelet not in families.discrete_names():
        raise CodecError(f"{transform.wavelet!r} is no discrete wavelet")
    found = basis.Basis(**dataclasses.asdict(transform))
    if not found.axes or found.level < 1 or math.prod(found.shape) == 0:
        raise CodecError(f"{found.wavelet} with level {found.level} is no transform of this shape")
    blocks.in_order(found.shape, found.split_paths, found.axes)
    return found
