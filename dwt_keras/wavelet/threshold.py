"""Thresholding of coefficients: how they shrink, and how the threshold is chosen.

The shrinking functions are PyWavelets' (`pywt.threshold`, `pywt.threshold_firm`) without their
traps: threshold zero is exactly the identity, and thresholds that make no sense are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks

Array = npt.NDArray[Any]

# Median of the magnitude of a standard normal variable.
_NORMAL_MEDIAN = 0.6744897501960817

_DIGIT_BITS = 16


def _hard(x: Array, size: Array, threshold: Any) -> Array:
    return np.where(size < threshold, 0, x)


def _soft(x: Array, size: Array, threshold: Any) -> Array:
    return np.asarray(np.copysign(np.maximum(size - threshold, 0), x))


def _garrote(x: Array, size: Array, threshold: Any) -> Array:
    # threshold * (threshold / x) and not threshold**2 / x, which under- and overflows sooner.
    inside = size <= threshold
    return np.where(inside, 0, x - threshold * (threshold / np.where(inside, 1, x)))


def _firm(x: Array, size: Array, threshold: Any) -> Array:
    # Between the bounds t and 2 t the general line u (|x| - t) / (u - t) is 2 (|x| - t).
    between = np.copysign(2 * np.maximum(size - threshold, 0), x)
    return np.where(size < 2 * threshold, between, x)


_SHRINK: dict[str, Callable[[Array, Array, Any], Array]] = {
    "hard": _hard,
    "soft": _soft,
    "garrote": _garrote,
    "firm": _firm,
}


def shrink(coefficients: Array, threshold: float, mode: str = "hard") -> Array:
    """Sets small coefficients to zero and, by mode, draws the others towards it.

    With t the threshold, a coefficient x becomes

    * hard: x where |x| >= t (Donoho and Johnstone 1994, doi:10.1093/biomet/81.3.425)
    * soft: sign(x) max(|x| - t, 0) (the same)
    * garrote: x - t^2 / x where |x| > t (Gao 1998, doi:10.1080/10618600.1998.10474789)
    * firm: x where |x| >= 2 t, sign(x) 2 (|x| - t) where t < |x| < 2 t
      (Gao and Bruce 1997, https://www3.stat.sinica.edu.tw/statistica/j7n4/j7n43/j7n43.htm)

    and zero elsewhere.

    Args:
        coefficients: Any shape, floating. Not changed. NaN stays NaN.
        threshold: t, finite and not negative; 0 is exactly the identity in every mode.
        mode: hard, soft, garrote or firm.

    Returns:
        New array of the same shape and dtype.

    Raises:
        ArgumentError: On an unknown mode, or a threshold that is negative, NaN or infinite.
    """
    function = _SHRINK[checks.choice("mode", mode, _SHRINK)]
    threshold = checks.real("threshold", threshold, least=0.0)
    if threshold == 0.0:
        return coefficients.copy()
    # What overflows is a limit above all numbers or a value that np.where discards; what is
    # invalid is a NaN, at whose comparison bfloat16 warns.
    with np.errstate(over="ignore", invalid="ignore"):
        limit = coefficients.dtype.type(threshold)
        shrunk = function(coefficients, np.abs(coefficients), limit)
    return shrunk.astype(coefficients.dtype, copy=False)


def universal_threshold(finest_details: Array, count: int) -> float:
    """Universal threshold, sigma sqrt(2 ln count), with sigma from the finest details.

    sigma is their median magnitude over that of a standard normal variable, 0.6745
    (Donoho and Johnstone 1994, doi:10.1093/biomet/81.3.425).

    Args:
        finest_details: Coefficients taken as noise, any shape.
        count: Number of coefficients that the threshold is for, 1 or more.

    Returns:
        The threshold; 0.0 where there are no details or one coefficient.
    """
    if finest_details.size == 0:
        return 0.0
    median = float(np.median(np.abs(finest_details.astype(np.float64, copy=False))))
    return median / _NORMAL_MEDIAN * math.sqrt(2.0 * math.log(count))


def quantile_threshold(chunks: Callable[[], Iterable[Array]], fraction: float) -> float:
    """The threshold that zeroes a fraction of all coefficients, exactly.

    It is found by radix selection on the bit patterns of the magnitudes, which sort as the
    magnitudes do: one pass over the coefficients fixes 16 bits, so that float32 takes two passes
    with one chunk in memory at a time.

    Args:
        chunks: Gives the coefficients on each call anew: arrays of one dtype, float32 or
            float64.
        fraction: Share of all coefficients to zero, 0 or more, below 1.

    Returns:
        The smallest threshold with which `shrink` in mode hard leaves at most
        count - round(fraction * count) coefficients (fewer only where magnitudes are equal);
        0.0 where nothing is to be zeroed.

    Raises:
        ArgumentError: If the fraction is out of range.
    """
    fraction = checks.real("fraction", fraction, least=0.0, below=1.0)
    sizes, dtypes = 0, set()
    for chunk in chunks():
        sizes += chunk.size
        dtypes.add(chunk.dtype)
        del chunk  # Before the next one is made.
    dtype = np.result_type(*dtypes) if dtypes else np.dtype(np.float32)
    rank = round(fraction * sizes)
    if rank == 0:
        return 0.0
    bits = dtype.itemsize * 8
    pattern = np.dtype(f"u{dtype.itemsize}")
    prefix = 0
    for shift in range(bits - _DIGIT_BITS, -1, -_DIGIT_BITS):
        counts = np.zeros(1 << _DIGIT_BITS, np.int64)
        for chunk in chunks():
            magnitudes = np.abs(chunk.astype(dtype, copy=False)).reshape(-1).view(pattern)
            del chunk
            digits = magnitudes >> shift
            if shift < bits - _DIGIT_BITS:
                inside = (digits >> _DIGIT_BITS) == prefix
                digits = digits[inside] & ((1 << _DIGIT_BITS) - 1)
            counts += np.bincount(digits.astype(np.int64), minlength=len(counts))
            del magnitudes, digits
        below = np.cumsum(counts)
        digit = int(np.searchsorted(below, rank))
        rank -= int(below[digit - 1]) if digit else 0
        prefix = (prefix << _DIGIT_BITS) | digit
    kth = np.array(prefix, pattern).view(dtype)[()]
    if kth == 0:
        return 0.0
    # Hard thresholding keeps magnitudes equal to the threshold: the next number up removes them.
    return float(np.nextafter(kth, dtype.type(np.inf)))
