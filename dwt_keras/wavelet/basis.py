"""The basis in which one kernel is thresholded: wavelet, level, axes, unflattened shape."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from dwt_keras.wavelet import families, transform

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Basis:
    """An invertible transform of one kernel that keeps its number of values.

    Attributes:
        wavelet: Canonical name of a discrete wavelet, or "none" for the identity.
        level: Number of levels that split at least one axis; 0 for the identity.
        axes: The transformed axes of `shape`; empty for the identity.
        shape: The kernel unflattened: for a Dense kernel over flattened images
            (height, width, channels, units).
    """

    wavelet: str
    level: int
    axes: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def is_identity(self) -> bool:
        """Whether coefficients are the weights themselves."""
        return self.wavelet == families.IDENTITY

    def decompose(self, kernel: Array) -> Array:
        """Coefficients of a kernel.

        Args:
            kernel: Array with as many values as `shape`, in C order; floating.

        Returns:
            New array of shape `shape`: float32 for float32 and half-precision kernels, else
            float64.
        """
        values = kernel.astype(transform.working_dtype(kernel.dtype), copy=True).reshape(self.shape)
        if self.is_identity:
            return values
        return transform.decompose(values, self.wavelet, self.level, self.axes)

    def reconstruct(self, coefficients: Array, shape: Sequence[int], dtype: Any) -> Array:
        """The kernel with these coefficients.

        Args:
            coefficients: Array of shape `shape` of this basis.
            shape: Shape of the kernel.
            dtype: The kernel's dtype.

        Returns:
            New array of that shape and dtype.
        """
        values = coefficients
        if not self.is_identity:
            values = transform.reconstruct(coefficients, self.wavelet, self.level, self.axes)
        return values.reshape(tuple(shape)).astype(dtype)

    @functools.cached_property
    def subbands(self) -> list[transform.Subband]:
        """The blocks of the coefficient array; for the identity one, named "weights"."""
        if self.is_identity:
            everything = tuple(slice(0, size) for size in self.shape)
            return [transform.Subband("weights", 0, everything, False)]
        return transform.subbands(self.shape, self.level, self.axes)

    @property
    def approximation(self) -> transform.Slices | None:
        """Where the approximation lies; None for the identity, which has none."""
        return next((band.slices for band in self.subbands if band.is_approximation), None)

    @property
    def finest_details(self) -> transform.Slices:
        """The coefficients taken as noise: details of level 1 along every axis split there.

        For the identity, all of them.
        """
        return self.subbands[-1].slices if self.is_identity else _most_detailed(self.subbands)

    def __str__(self) -> str:
        if self.is_identity:
            return families.IDENTITY
        lengths = "x".join(str(self.shape[axis]) for axis in self.axes)
        return f"{self.wavelet} {self.level} over {lengths}"


def identity(shape: Sequence[int]) -> Basis:
    """The basis whose coefficients are the weights."""
    return Basis(families.IDENTITY, 0, (), tuple(shape))


def build(
    wavelet: str, level: int | str, axes: Sequence[int], shape: Sequence[int]
) -> tuple[Basis, str]:
    """A basis for one kernel, its level capped to what the axes allow.

    Args:
        wavelet: Canonical name or "none".
        level: Wanted levels, or "max" for the deepest.
        axes: Axes with geometry. Those with one sample have nothing to transform.
        shape: Unflattened shape of the kernel.

    Returns:
        The basis (the identity where no axis is left), and a note on the axes on which the
        wanted level was capped, or "".
    """
    axes = tuple(axis for axis in axes if shape[axis] > 1)
    if wavelet == families.IDENTITY or not axes or math.prod(shape) == 0:
        return identity(shape), ""
    depths = {axis: transform.depth(shape[axis]) for axis in axes}
    deepest = max(depths.values())
    if isinstance(level, str):
        return Basis(wavelet, deepest, axes, tuple(shape)), ""
    capped = [f"at {d} for {shape[axis]} samples" for axis, d in depths.items() if d < level]
    note = f"level {level} capped {', '.join(dict.fromkeys(capped))}" if capped else ""
    return Basis(wavelet, min(level, deepest), axes, tuple(shape)), note


def _most_detailed(subbands: Sequence[transform.Subband]) -> transform.Slices:
    finest = [band for band in subbands if band.level == 1 and not band.is_approximation]
    return max(finest, key=lambda band: band.name.count("d")).slices
