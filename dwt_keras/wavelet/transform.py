"""Multi-level separable discrete wavelet transform that never expands.

An axis of n samples gives n coefficients at every level and for every n: its even part goes
through the periodized filter bank, an odd last sample is carried into the approximation. So a
3x3 kernel has 9 coefficients, an orthogonal wavelet gives an orthonormal transform at every
length (one shorter than the filter included), and levels go on until one sample is left.

Over several axes each level splits the approximation block of the level before along every axis
that still has two samples (Mallat 1989, doi:10.1109/34.192463). Coefficients are returned in one
array of the input's shape, in the textbook layout: along each split axis the approximation comes
first, the details behind it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.wavelet import families

Array = npt.NDArray[Any]
Slices = tuple[slice, ...]

# Axes up to this length are transformed by one matrix product, longer ones tap by tap.
_MATRIX_LENGTH = 256

_HALF = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
_FULL = (np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class Subband:
    """One block of the coefficient array.

    Attributes:
        name: One letter an axis of the transform, a for approximation and d for detail, as in
            PyWavelets' `wavedecn`, then the level: "ad2".
        level: 1 is the finest.
        slices: Where the block lies in the coefficient array.
        is_approximation: Whether it is what remains after the last level.
    """

    name: str
    level: int
    slices: Slices
    is_approximation: bool


def depth(length: int) -> int:
    """The deepest level of an axis: how often it can be split until one sample remains."""
    return max(length - 1, 0).bit_length()


def decompose(
    array: Array, wavelet: str | families.FilterBank, level: int, axes: Sequence[int]
) -> Array:
    """Transforms an array into as many wavelet coefficients.

    Args:
        array: Weights of any shape; float16, bfloat16, float32 or float64. Not changed.
        wavelet: A canonical discrete name, or a filter bank.
        level: Number of levels, 1 or more. An axis that has come down to one sample before is
            left alone from there on.
        axes: The axes to transform, each once; the others are batch axes.

    Returns:
        New array of the input's shape and dtype with the coefficients in the textbook layout
        (`subbands` tells where). Half precision is computed in float32 and rounded at the end.

    Raises:
        ArgumentError: On a dtype, level or axes outside these.
    """
    bank, axes = _check(array, wavelet, level, axes)
    work = np.array(array, dtype=working_dtype(array.dtype), order="C")
    for lengths in _level_lengths(work.shape, level, axes):
        block = work[_corner(work.ndim, lengths)]
        for axis, length in lengths.items():
            if length > 1:
                block[...] = _split(block, bank, axis)
    return work.astype(array.dtype, copy=False)


def reconstruct(
    coefficients: Array, wavelet: str | families.FilterBank, level: int, axes: Sequence[int]
) -> Array:
    """Inverts `decompose`, given the same wavelet, level and axes.

    Args:
        coefficients: As `decompose` returns them. Not changed.
        wavelet: The wavelet of the decomposition.
        level: Its level.
        axes: Its axes.

    Returns:
        New array of the same shape and dtype.

    Raises:
        ArgumentError: As `decompose`.
    """
    bank, axes = _check(coefficients, wavelet, level, axes)
    work = np.array(coefficients, dtype=working_dtype(coefficients.dtype), order="C")
    for lengths in reversed(_level_lengths(work.shape, level, axes)):
        block = work[_corner(work.ndim, lengths)]
        for axis, length in reversed(lengths.items()):
            if length > 1:
                block[...] = _merge(block, bank, axis)
    return work.astype(coefficients.dtype, copy=False)


def subbands(shape: Sequence[int], level: int, axes: Sequence[int]) -> list[Subband]:
    """Where each subband lies in the coefficient array, the approximation first.

    Args:
        shape: Shape of the array.
        level: Level of the decomposition.
        axes: Its axes.

    Returns:
        Subbands from the coarsest to the finest; together they cover the array once.

    Raises:
        ArgumentError: On a level or axes that `decompose` refuses.
    """
    axes = _check_split(len(shape), level, axes)
    found: list[Subband] = []
    remaining = {axis: shape[axis] for axis in axes}
    splits = 0
    for lengths in _level_lengths(shape, level, axes):
        splits += 1
        choices = [("a", "d") if lengths[axis] > 1 else ("a",) for axis in axes]
        for letters in itertools.product(*choices):
            if "d" not in letters:
                continue
            slices = [slice(0, size) for size in shape]
            for axis, letter in zip(axes, letters, strict=True):
                kept = -(-lengths[axis] // 2)
                slices[axis] = slice(0, kept) if letter == "a" else slice(kept, lengths[axis])
            name = "".join(letters) + str(splits)
            found.append(Subband(name, splits, tuple(slices), False))
        remaining = {axis: -(-length // 2) for axis, length in lengths.items()}
    corner = tuple(slice(0, remaining.get(axis, size)) for axis, size in enumerate(shape))
    found.append(Subband("a" * len(axes) + str(splits), splits, corner, True))
    return found[::-1]


def _check(
    array: Array, wavelet: str | families.FilterBank, level: int, axes: Sequence[int]
) -> tuple[families.FilterBank, list[int]]:
    if array.dtype not in _HALF + _FULL:
        raise checks.ArgumentError(
            "array", f"must be float16, bfloat16, float32 or float64; given {array.dtype}"
        )
    normal = _check_split(array.ndim, level, axes)
    bank = families.filter_bank(wavelet) if isinstance(wavelet, str) else wavelet
    return bank, normal


def _check_split(ndim: int, level: int, axes: Sequence[int]) -> list[int]:
    checks.integer("level", level, least=1)
    normal = [axis + ndim if axis < 0 else axis for axis in axes]
    if len(set(normal)) != len(normal) or any(not 0 <= axis < ndim for axis in normal):
        raise checks.ArgumentError(
            "axes",
            f"must be different axes of an array of {ndim} dimensions; given {tuple(axes)}",
        )
    return normal


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype to compute in: float32 for half precision, else the array's own."""
    return np.dtype(np.float32) if dtype in _HALF else dtype


def _level_lengths(shape: Sequence[int], level: int, axes: Sequence[int]) -> list[dict[int, int]]:
    """For each level that splits anything: how many samples each axis has before it."""
    lengths = {axis: shape[axis] for axis in axes}
    found = []
    for _ in range(level if 0 not in shape else 0):
        if all(length < 2 for length in lengths.values()):
            break
        found.append(lengths)
        lengths = {axis: -(-length // 2) for axis, length in lengths.items()}
    return found


def _corner(ndim: int, lengths: dict[int, int]) -> Slices:
    return tuple(
        slice(0, lengths[axis]) if axis in lengths else slice(None) for axis in range(ndim)
    )


def _split(block: Array, bank: families.FilterBank, axis: int) -> Array:
    """One level of analysis along one axis."""
    length = block.shape[axis]
    if length <= _MATRIX_LENGTH:
        return _along(_split_matrix(bank, length, block.dtype.str), block, axis)
    x = np.moveaxis(block, axis, 0)
    half = length // 2
    even = x[: 2 * half]
    out = np.empty_like(x)
    out[half : length - half] = x[2 * half :]
    out[:half] = _filter(even, bank.analysis_low, bank.analysis_start)
    out[length - half :] = _filter(even, bank.analysis_high, bank.analysis_start)
    return np.moveaxis(out, 0, axis)


def _merge(block: Array, bank: families.FilterBank, axis: int) -> Array:
    """One level of synthesis along one axis."""
    length = block.shape[axis]
    if length <= _MATRIX_LENGTH:
        return _along(_merge_matrix(bank, length, block.dtype.str), block, axis)
    x = np.moveaxis(block, axis, 0)
    half = length // 2
    out = np.zeros_like(x)
    out[2 * half :] = x[half : length - half]
    even = out[: 2 * half].reshape(half, 2, *x.shape[1:])
    for samples, taps in (
        (x[:half], bank.synthesis_low),
        (x[length - half :], bank.synthesis_high),
    ):
        for i, tap in enumerate(taps):
            # Sample k goes to 2 k + place: phase place % 2, shifted by place // 2.
            place = bank.synthesis_start + i
            _add_rolled(even[:, place % 2], samples, x.dtype.type(tap), place // 2)
    return np.moveaxis(out, 0, axis)


def _filter(x: Array, taps: families.Taps, start: int) -> Array:
    """sum_i taps[i] * x[2 k + start + i] for every k, x periodic along axis 0."""
    half = len(x) // 2
    phases = x.reshape(half, 2, *x.shape[1:])
    out = np.zeros_like(phases[:, 0])
    for i, tap in enumerate(taps):
        place = start + i
        _add_rolled(out, phases[:, place % 2], x.dtype.type(tap), -(place // 2))
    return out


def _add_rolled(target: Array, source: Array, factor: Any, shift: int) -> None:
    """target += factor * roll(source, shift) along axis 0."""
    shift %= len(source)
    target[shift:] += factor * source[: len(source) - shift]
    if shift:
        target[:shift] += factor * source[len(source) - shift :]


def _along(matrix: Array, block: Array, axis: int) -> Array:
    """Applies a square matrix to every line of `block` along `axis`."""
    length = block.shape[axis]
    before = block.shape[:axis]
    after = block.shape[axis + 1 :]
    if not after or np.prod(after) == 1:
        lines = block.reshape(-1, length) @ matrix.T
    else:
        lines = matrix @ block.reshape(int(np.prod(before)), length, -1)
    return lines.reshape(block.shape)


@functools.lru_cache(maxsize=256)
def _split_matrix(bank: families.FilterBank, length: int, dtype: str) -> Array:
    half = length // 2
    matrix = np.zeros((length, length))
    even = families.analysis_matrix(bank, 2 * half)
    matrix[:half, : 2 * half] = even[:half]
    matrix[length - half :, : 2 * half] = even[half:]
    if length % 2:
        matrix[half, -1] = 1.0
    return matrix.astype(dtype)


@functools.lru_cache(maxsize=256)
def _merge_matrix(bank: families.FilterBank, length: int, dtype: str) -> Array:
    half = length // 2
    matrix = np.zeros((length, length))
    even = families.synthesis_matrix(bank, 2 * half)
    matrix[: 2 * half, :half] = even[:, :half]
    matrix[: 2 * half, length - half :] = even[:, half:]
    if length % 2:
        matrix[-1, half] = 1.0
    return matrix.astype(dtype)
