"""Which quantisation step: the coarsest one that keeps to what was asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dwt_keras import checks
from dwt_keras.coding import quantizer
from dwt_keras.compression import choice, packing
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet import families

Array = np.ndarray[Any, np.dtype[Any]]

# The steps that are looked at, as parts of the largest coefficient.
_FINEST, _COARSEST = 2.0**-20, 2.0
# Below half a step a coefficient becomes zero, and somewhat above it too, as zeros are cheap.
_DEAD_ZONE = 0.6


def within_distortion(kernels: Sequence[Target], distortion: float) -> float:
    """The largest step that moves kernels by a share of their energy at most.

    Args:
        kernels: The kernels, each with its basis.
        distortion: The sum of squared differences of the weights over their sum of squares, above
            0 and below 1.

    Raises:
        UserError: If a kernel is NaN or infinite.
    """
    distortion = checks.real("distortion", distortion, above=0.0, below=1.0)
    found = [_coefficients(target) for target in kernels]
    errors = [_error_of(target) for target in kernels]
    energy = sum(error(part) for error, part in zip(errors, found, strict=True))

    def moved(step: float) -> float:
        total = 0.0
        for error, part in zip(errors, found, strict=True):
            total += error(
                quantizer.dequantise(quantizer.quantise(part, step), step, part.dtype) - part
            )
        return total / energy if energy else 0.0

    largest = _largest(found)
    return quantizer.step_for(moved, distortion, _COARSEST * largest, _FINEST * largest)


def within_bytes(kernels: Sequence[Target], most: int, size: Callable[[float], int]) -> float:
    """The smallest step with which a file has a number of bytes at most.

    Args:
        kernels: The kernels, each with its basis.
        most: The number of bytes.
        size: Of the file with a step.

    Raises:
        ArgumentError: If even a file in which all kernels are zero is larger.
    """
    checks.integer("max_bytes", most, least=1)
    largest = largest_coefficient(kernels)
    # Twice what leaves nothing, so that no rounding leaves something.
    coarsest = 2.0 * _COARSEST * largest

    # Sizes fall as steps grow, and grow with their inverses.
    def size_at(inverse: float) -> int:
        return size(_step(inverse))

    least = size_at(1.0 / coarsest)
    if least > most:
        raise checks.ArgumentError(
            "max_bytes", f"must be {least} or more, the size with all kernels zero; given {most}"
        )
    return _step(quantizer.step_for(size_at, most, 1.0 / (_FINEST * largest), 1.0 / coarsest))


def _step(inverse: float) -> float:
    """A step as files keep it, in 32 bits."""
    return float(np.float32(1.0 / inverse))


def choose_bases(
    kernels: Sequence[Target], settings: CompressionSettings, distortion: float
) -> tuple[Target, ...]:
    """The kernels in the bases that are cheapest at about a distortion.

    Args:
        kernels: The kernels in the identity.
        settings: Wavelet and level, one of them "auto".
        distortion: As for `within_distortion`.
    """
    threshold = _DEAD_ZONE * within_distortion(kernels, distortion)
    return choice.choose_bases(kernels, dataclasses.replace(settings, threshold=threshold))


def largest_coefficient(kernels: Sequence[Target]) -> float:
    """The largest magnitude of what is quantised; 1 where all is zero and any step will do.

    Raises:
        UserError: If a kernel is NaN or infinite.
    """
    return _largest([_coefficients(target) for target in kernels])


def _coefficients(target: Target) -> Array:
    """What of a kernel is quantised: its coefficients in the basis that it is stored in."""
    return packing.basis_of(target).decompose(packing.read(target.path, target.variable))


def _largest(found: Sequence[Array]) -> float:
    return max((float(np.abs(part).max(initial=0.0)) for part in found), default=0.0) or 1.0


def _error_of(target: Target) -> Callable[[Array], float]:
    """From coefficients, or an error in them, to the sum of squares of the weights."""
    basis = packing.basis_of(target)

    def error(part: Array) -> float:
        if not basis.is_identity and not families.filter_bank(basis.wavelet).orthogonal:
            part = basis.reconstruct(part.copy(), basis.shape, part.dtype, overwrite=True)
        flat = part.reshape(-1)
        return float(np.dot(flat, flat))

    return error
