"""Multi-level separable discrete wavelet transform that never expands.

An axis of n samples gives n coefficients at every level and for every n: its even part goes
through the periodized filter bank, an odd last sample is carried into the approximation. So a
3x3 kernel has 9 coefficients, an orthogonal wavelet gives an orthonormal transform at every
length (one shorter than the filter included), and levels go on until one sample is left.

Over several axes each level splits the approximation block of the level before along every axis
that still has two samples (Mallat 1989, doi:10.1109/34.192463); with wavelet packets, blocks of
details too. Coefficients are returned in one array of the input's shape, in the textbook layout:
along each split axis the approximation comes first, the details behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.wavelet import blocks, families, filtering, passes

Array = npt.NDArray[Any]

_HALF = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
_FULL = (np.dtype(np.float32), np.dtype(np.float64))

_LONGEST_IN_PLACE = 1 << 12


def decompose(
    array: Array,
    wavelet: str | families.FilterBank,
    level: int,
    axes: Sequence[int],
    splits: Sequence[str] | None = None,
) -> Array:
    """Transforms an array into as many wavelet coefficients.

    Args:
        array: Weights of any shape; float16, bfloat16, float32 or float64. Not changed.
        wavelet: A canonical discrete name, or a filter bank.
        level: Number of levels, 1 or more. An axis that has come down to one sample before is
            left alone from there on.
        axes: The axes to transform, each once; the others are batch axes.
        splits: For wavelet packets, the paths of all blocks to split ("" is the whole array; see
            `blocks`); then `level` is not looked at.

    Returns:
        New array of the input's shape and dtype with the coefficients in the textbook layout
        (`blocks.subbands` tells where). Half precision is computed in float32 and rounded at the
        end.

    Raises:
        ArgumentError: On a dtype, level, axes or splits outside these.
    """
    plan = _plan(array, wavelet, level, axes, splits, inverse=False)
    work = np.ascontiguousarray(array, dtype=working_dtype(array.dtype))
    if not len(plan.passes):
        return array.copy()
    result = np.empty_like(work)
    source = work.reshape(-1)
    if not source.flags.writeable:
        source = np.asarray(_Unlocked(source))
    filtering.run(plan, source, result.reshape(-1))
    return result.astype(array.dtype, copy=False)


def reconstruct(
    coefficients: Array,
    wavelet: str | families.FilterBank,
    level: int,
    axes: Sequence[int],
    splits: Sequence[str] | None = None,
    *,
    overwrite: bool = False,
) -> Array:
    """Inverts `decompose`, given the same wavelet, level, axes and splits.

    Args:
        coefficients: As `decompose` returns them.
        wavelet: The wavelet of the decomposition.
        level: Its level.
        axes: Its axes.
        splits: Its splits.
        overwrite: Whether the coefficients may be used as working memory, or as the result.

    Returns:
        Array of the same shape and dtype, a new one unless `overwrite`.

    Raises:
        ArgumentError: As `decompose`.
    """
    # In place is slower where a column does not fit into a cache, but new memory is slow too.
    in_place = overwrite and max(coefficients.shape, default=0) <= _LONGEST_IN_PLACE
    plan = _plan(coefficients, wavelet, level, axes, splits, inverse=True, in_place=in_place)
    if not len(plan.passes):
        return coefficients if overwrite else coefficients.copy()
    work = np.ascontiguousarray(coefficients, dtype=working_dtype(coefficients.dtype))
    if np.shares_memory(work, coefficients) and not (overwrite and work.flags.writeable):
        work = work.copy()
    result = work if in_place else np.empty_like(work)
    filtering.run(plan, work.reshape(-1), result.reshape(-1))
    return result.astype(coefficients.dtype, copy=False)


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype to compute in: float32 for half precision, else the array's own."""
    return np.dtype(np.float32) if dtype in _HALF else dtype


class _Unlocked:
    """Offers a read-only array as one that may be written.

    Compiled code knows only such; the one that this is for reads it, and a copy would cost as
    much as a pass.
    """

    def __init__(self, array: Array) -> None:
        self._array = array
        address = array.__array_interface__["data"][0]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def _plan(
    array: Array,
    wavelet: str | families.FilterBank,
    level: int,
    axes: Sequence[int],
    splits: Sequence[str] | None,
    inverse: bool,
    in_place: bool = False,
) -> passes.Plan:
    if array.dtype not in _HALF + _FULL:
        raise checks.ArgumentError(
            "array", f"must be float16, bfloat16, float32 or float64; given {array.dtype}"
        )
    normal = tuple(blocks.check(array.ndim, level, axes))
    bank = families.filter_bank(wavelet) if isinstance(wavelet, str) else wavelet
    paths = blocks.pyramid(array.shape, level, normal) if splits is None else tuple(splits)
    dtype = working_dtype(array.dtype).str
    return passes.plan(bank, array.shape, normal, paths, dtype, inverse, in_place)
