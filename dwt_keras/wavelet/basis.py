"""The basis in which one kernel is thresholded: wavelet, level, axes, unflattened shape."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from dwt_keras.wavelet import blocks, families, transform

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
        splits: For wavelet packets, the paths of all blocks that are split (see `blocks`); None
            for the pyramid of `level` levels.
    """

    wavelet: str
    level: int
    axes: tuple[int, ...]
    shape: tuple[int, ...]
    splits: tuple[str, ...] | None = None

    is_frame: ClassVar[bool] = False
    redundancy: ClassVar[float] = 1.0

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
        dtype = transform.working_dtype(kernel.dtype)
        values = kernel.astype(dtype, copy=self.is_identity).reshape(self.shape)
        if self.is_identity:
            return values
        return transform.decompose(values, self.wavelet, self.level, self.axes, self.splits)

    def reconstruct(
        self, coefficients: Array, shape: Sequence[int], dtype: Any, *, overwrite: bool = False
    ) -> Array:
        """The kernel with these coefficients.

        Args:
            coefficients: Array of shape `shape` of this basis.
            shape: Shape of the kernel.
            dtype: The kernel's dtype.
            overwrite: Whether the coefficients may be used as working memory, or returned.

        Returns:
            Array of that shape and dtype, a new one unless `overwrite`.
        """
        if self.is_identity:
            return coefficients.reshape(tuple(shape)).astype(dtype, copy=not overwrite)
        values = transform.reconstruct(
            coefficients, self.wavelet, self.level, self.axes, self.splits, overwrite=overwrite
        )
        return values.reshape(tuple(shape)).astype(dtype, copy=False)

    @functools.cached_property
    def subbands(self) -> list[blocks.Subband]:
        """The blocks of the coefficient array; for the identity one, named "weights"."""
        if self.is_identity:
            everything = tuple(slice(0, size) for size in self.shape)
            return [blocks.Subband("weights", 0, everything, False)]
        return blocks.subbands(self.shape, self.level, self.axes, self.splits)

    @functools.cached_property
    def leaves(self) -> list[blocks.Block]:
        """The blocks of the coefficient array that are not split any further."""
        return blocks.in_order(self.shape, self.split_paths, self.axes)[1]

    @property
    def split_paths(self) -> tuple[str, ...]:
        """The paths of all blocks that are split; none for the identity."""
        if self.splits is not None:
            return self.splits
        return blocks.pyramid(self.shape, self.level, self.axes)

    @property
    def approximation(self) -> blocks.Slices | None:
        """Where the approximation lies; None for the identity, which has none."""
        return next((band.slices for band in self.subbands if band.is_approximation), None)

    @property
    def finest_details(self) -> blocks.Slices:
        """The coefficients taken as noise: details of level 1 along every axis split there.

        For the identity, all of them.
        """
        everything = blocks.root(self.shape)
        if self.is_identity:
            return everything.slices
        # The other subbands of level 1 are smooth along some axis; packets may split this one on.
        return blocks.children(everything, self.axes)[-1].slices

    def gain(self, subband: blocks.Subband) -> float:
        """Standard deviation of a subband's coefficients where the kernel is white noise.

        The noise has variance 1. It is 1 for an orthonormal basis, and taken as 1 for the others.
        """
        return 1.0

    def __str__(self) -> str:
        if self.is_identity:
            return families.IDENTITY
        lengths = "x".join(str(self.shape[axis]) for axis in self.axes)
        packets = "" if self.splits is None else "packets "
        return f"{self.wavelet} {packets}{self.level} over {lengths}"


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
    found, note = blocks.cap(level, axes, shape)
    return Basis(wavelet, found, axes, tuple(shape)), note
