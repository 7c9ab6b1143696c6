"""Kernels and their coefficients as pictures. Loads NumPy alone.

Of a kernel with many units a few are shown, those with the most energy. Values below zero are blue,
those above it orange, both of the Okabe-Ito palette, which colour-blind readers tell apart; zero is
white.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dwt_keras.wavelet import basis, frame

Array = np.ndarray[Any, Any]

NEGATIVE, ZERO, POSITIVE = (0, 114, 178), (255, 255, 255), (213, 94, 0)
_BORDER = (128, 128, 128)
# Most rows and columns of a matrix that has no geometry, or of its units.
_MOST = 64
# Pixels that the shorter side of a picture has at least.
_SIDE = 64


@dataclasses.dataclass(frozen=True)
class Plane:
    """Which plane of an unflattened kernel is shown.

    Attributes:
        index: An index into the kernel, or into its coefficients.
        axes: The kernel's axes that remain, rows then columns; those left out are units, channels
            and, of a volume, its depth.
    """

    index: tuple[Any, ...]
    axes: tuple[int, int]

    def of(self, values: Array) -> Array:
        """The plane as a matrix."""
        return np.atleast_2d(values[self.index])


def strongest(kernel: Array, kernel_basis: basis.Basis | frame.Frame, count: int) -> list[Plane]:
    """The planes of a kernel with the most energy (sum of squares).

    Over two axes with geometry or more a plane is one channel of one unit; over one, all units
    beside each other; without any, the matrix of inputs and units. Matrices are cut to 64 x 64.

    Args:
        kernel: The kernel, as many values as the basis' shape.
        kernel_basis: Its basis, whose axes are those with geometry.
        count: How many planes at most.

    Returns:
        The planes, the strongest first. A kernel has two axes or more.
    """
    shape = kernel_basis.shape
    values = kernel.reshape(shape).astype(np.float64)
    axes = kernel_basis.axes[:2]
    if len(axes) < 2:
        # The units, and the axis with geometry or the longest of the others.
        units = len(shape) - 1
        row = axes[0] if axes else max(range(units), key=lambda axis: shape[axis])
        axes = (row, units if row != units else 0)
    is_whole = len(kernel_basis.axes) >= 2
    whole = tuple(slice(None) if is_whole else slice(0, _MOST) for _ in shape)
    left = [axis for axis in range(len(shape)) if axis not in axes]
    if not left:
        return [Plane(whole, (axes[0], axes[1]))]
    energies = np.sum(values**2, axis=tuple(sorted(axes)))
    order = np.argsort(-energies, axis=None, kind="stable")[:count]
    planes = []
    for place in zip(*np.unravel_index(order, energies.shape), strict=True):
        index: list[Any] = list(whole)
        for axis, number in zip(left, place, strict=True):
            index[axis] = int(number)
        planes.append(Plane(tuple(index), (axes[0], axes[1])))
    return planes


def mosaic(
    coefficients: Array, kernel_basis: basis.Basis | frame.Frame, plane: Plane
) -> tuple[Array, list[tuple[int, int, int, int]]]:
    """A plane of a kernel's coefficients in the textbook layout, and where its subbands lie.

    Args:
        coefficients: Of the kernel, as its basis gives them. Of a frame, whose components are as
            large as the kernel each, they stand beside each other; of complex ones the magnitude.
        kernel_basis: The basis.
        plane: The plane, of the same kernel.

    Returns:
        The matrix, and for each subband its first row, first column, rows and columns.
    """
    if isinstance(kernel_basis, frame.Frame):
        parts = [plane.of(each) for each in coefficients]
        if np.iscomplexobj(coefficients):
            parts = [np.abs(part) for part in parts]
        rows, columns = parts[0].shape
        blocks = [(0, number * columns, rows, columns) for number in range(len(parts))]
        return np.concatenate(parts, axis=1), blocks
    matrix = plane.of(coefficients)
    found: dict[tuple[int, int, int, int], None] = {}  # Once each, in order.
    for band in kernel_basis.subbands:
        if all(
            not isinstance(number, int) or number in range(*part.indices(number + 1))
            for number, part in zip(plane.index, band.slices, strict=True)
        ):
            (top, bottom, _), (left, right, _) = (
                band.slices[axis].indices(length)
                for axis, length in zip(plane.axes, matrix.shape, strict=True)
            )
            found[top, left, bottom - top, right - left] = None
    return matrix, list(found)


def coloured(
    matrix: Array,
    scale: float | None = None,
    blocks: Sequence[tuple[int, int, int, int]] = (),
    root: bool = False,
) -> Array:
    """A matrix as an RGB picture of at least 64 pixels, with grey lines between blocks.

    Args:
        matrix: Values of any sign.
        scale: The magnitude that gets the full colour; None for the largest there is.
        blocks: First row, first column, rows and columns of each block.
        root: Whether to show the root of the magnitude, which lets details be seen beside an
            approximation many times as large.

    Returns:
        uint8 array of shape (height, width, 3).
    """
    most = float(np.abs(matrix).max(initial=0.0)) if scale is None else scale
    share = np.clip(matrix / most, -1.0, 1.0) if most > 0 else np.zeros(matrix.shape)
    if root:
        share = np.sign(share) * np.sqrt(np.abs(share))
    ends = np.where((share < 0)[..., np.newaxis], NEGATIVE, POSITIVE)
    colours = ZERO + (ends - np.array(ZERO)) * np.abs(share)[..., np.newaxis]
    times = max(1, math.ceil(_SIDE / max(min(matrix.shape), 1)))
    picture = np.rint(colours).astype(np.uint8).repeat(times, axis=0).repeat(times, axis=1)
    for row, column, rows, columns in blocks:
        if row:
            picture[times * row, times * column : times * (column + columns)] = _BORDER
        if column:
            picture[times * row : times * (row + rows), times * column] = _BORDER
    return picture


def beside(pictures: Sequence[Array], gap: int = 6) -> Array:
    """Pictures of one height in a row, white between them."""
    space = np.full((pictures[0].shape[0], gap, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, space)]
    return np.concatenate(parts[:-1], axis=1)
