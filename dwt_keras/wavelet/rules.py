"""How the threshold is chosen: by the noise in the coefficients, or by how many shall go.

The rules take float32, float64, complex64 and complex128 arrays of any shape, without NaN, and
leave them unchanged. Noise in real coefficients is normal with standard deviation sigma; in
complex ones it is circular normal with E|c|^2 = sigma^2, so that |c| is Rayleigh distributed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.wavelet import _histogram

Array = npt.NDArray[Any]
Chunks = Callable[[], Iterable[Array]]

_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)

# Values that are widened to float64 at a time.
_BLOCK = 1 << 16

# Median magnitude of noise with sigma 1.
_NORMAL_MEDIAN = 0.6744897501960817
_RAYLEIGH_MEDIAN = math.sqrt(math.log(2.0))


def noise_sigma(finest_details: Array) -> float:
    """Standard deviation of the noise, from coefficients taken as pure noise.

    The median magnitude over that of noise with standard deviation 1: 0.6745 for real
    coefficients (Donoho and Johnstone 1994, doi:10.1093/biomet/81.3.425), sqrt(ln 2) for complex
    ones. Some large coefficients that are no noise hardly move it.

    Args:
        finest_details: The coefficients, most often the finest details.

    Returns:
        sigma, in the coefficients' unit; 0.0 where there are none.
    """
    magnitudes = _magnitudes(finest_details)
    if magnitudes.size == 0:
        return 0.0
    middle = [(magnitudes.size - 1) // 2, magnitudes.size // 2]
    magnitudes.partition(middle)
    # Half by half: the sum could overflow.
    median = sum(float(magnitudes[i]) / 2.0 for i in middle)
    return median / (_RAYLEIGH_MEDIAN if np.iscomplexobj(finest_details) else _NORMAL_MEDIAN)


def universal_threshold(sigma: float, count: int, *, complex_valued: bool = False) -> float:
    """About the largest magnitude among so many coefficients of pure noise.

    sigma sqrt(2 ln count) for real coefficients (Donoho and Johnstone 1994,
    doi:10.1093/biomet/81.3.425). A complex one exceeds t with probability exp(-t^2 / sigma^2),
    which is one in count at sigma sqrt(ln count).

    Args:
        sigma: Standard deviation of the noise, 0 or more.
        count: Number of coefficients that the threshold is for.
        complex_valued: Whether they are complex.

    Returns:
        The threshold; 0.0 for one coefficient or none.
    """
    return sigma * math.sqrt((1.0 if complex_valued else 2.0) * math.log(max(count, 1)))


def bayes_threshold(subband: Array, sigma: float) -> float:
    """BayesShrink's threshold for one subband, sigma^2 / sigma_x.

    sigma_x^2 = max(mean |c|^2 - sigma^2, 0) is the variance that is left when the noise's is
    taken off (Chang, Yu and Vetterli 2000, doi:10.1109/83.862633).

    Args:
        subband: The coefficients.
        sigma: Standard deviation of the noise, 0 or more.

    Returns:
        The threshold, finite. Where sigma_x is 0 the subband is all noise: the next number of its
        dtype above the largest magnitude, with which all coefficients become zero, or 0.0 where
        they are. 0.0 also where sigma is 0 or the subband is empty.
    """
    if subband.size == 0:
        return 0.0
    magnitudes = _magnitudes(subband)
    rms = _root_mean_square(magnitudes)
    ratio = sigma / rms if rms > sigma else 1.0
    if ratio < 1.0:
        # In fractions of the root mean square, whose squares cannot overflow.
        threshold = sigma * (ratio / math.sqrt((1.0 - ratio) * (1.0 + ratio)))
        if math.isfinite(threshold):
            return threshold
    return _just_above(float(magnitudes.max()), magnitudes.dtype)


def sure_threshold(subband: Array, sigma: float) -> float:
    """SureShrink's threshold for one subband, the hybrid one.

    Of n coefficients with too little energy to estimate a risk from, that is with
    mean |c|^2 / sigma^2 - 1 <= log2(n)^1.5 / sqrt(n), the universal threshold; otherwise the
    threshold up to it, 0 or a magnitude, at which the risk of soft thresholding as estimated by
    Stein's formula is least (Donoho and Johnstone 1995, doi:10.1080/01621459.1995.10476626).

    Stein's estimate for X normal in d dimensions with variance s^2 in each, moved to X + g(X), is
    d s^2 + |g|^2 + 2 s^2 div g (Stein 1981, doi:10.1214/aos/1176345632). Soft thresholding of
    magnitudes moves X by g = -X where |X| <= t, else by -t X / |X|; thus |g| = min(|X|, t), and
    div g = -d where |X| <= t, else -(d - 1) t / |X|. A real coefficient has d = 1 and s = sigma,
    a complex one d = 2 and 2 s^2 = sigma^2. In units of sigma^2 both contribute

        1 + min(|c| / sigma, t / sigma)^2 - 2 [|c| <= t]

    and the complex one -t / |c| besides where |c| > t.

    Args:
        subband: The coefficients.
        sigma: Standard deviation of the noise, 0 or more.

    Returns:
        The threshold; 0.0 where sigma is 0 or the subband has one coefficient or none.
    """
    count = subband.size
    if count <= 1 or sigma == 0.0:
        return 0.0
    complex_valued = np.iscomplexobj(subband)
    universal = universal_threshold(sigma, count, complex_valued=complex_valued)
    magnitudes = _magnitudes(subband)
    ratio = _root_mean_square(magnitudes) / sigma
    if ratio * ratio - 1.0 <= math.log2(count) ** 1.5 / math.sqrt(count):
        return universal
    magnitudes.sort()
    with np.errstate(over="ignore"):  # What is infinitely above sigma is rightly so.
        sizes = np.divide(magnitudes, sigma, dtype=np.float64)
    candidates = sizes[: np.searchsorted(sizes, universal / sigma, side="right")]
    if candidates.size == 0:
        return 0.0
    # Of equal magnitudes the last has them all at or below the threshold and the least risk.
    upto = np.arange(1.0, candidates.size + 1.0)
    risks = np.square(candidates)
    sums = np.cumsum(risks)
    risks *= count - upto
    risks += sums
    upto *= 2.0
    risks -= upto
    if complex_valued:
        # The bound keeps the sums finite; what is below it counts for nothing.
        inverses = 1.0 / np.maximum(sizes, 1e-290)
        risks -= candidates * _sums_behind(inverses)[: candidates.size]
    least = int(np.argmin(risks))
    # The ones of the formula are left out of all risks: that of threshold 0 is 0.
    return float(magnitudes[least]) if risks[least] < 0.0 else 0.0


def quantile_threshold(chunks: Chunks, fraction: float) -> float:
    """The threshold that zeroes a fraction of all coefficients, exactly.

    It is found by radix selection on the bit patterns of the magnitudes, which sort as the
    magnitudes do: one pass over the coefficients fixes 16 bits, so that float32 takes two passes,
    float64 four and a mixture five, with one chunk in memory at a time.

    Args:
        chunks: Gives the coefficients on each call anew, as arrays. Complex ones count by
            `np.abs`, which keeps their precision.
        fraction: Share of all coefficients to zero, 0 or more, below 1.

    Returns:
        The smallest threshold, a number of the magnitudes' dtype, with which `shrink` in mode
        hard leaves at most count - round(fraction * count) coefficients (fewer only where
        magnitudes are equal); 0.0 where nothing is to be zeroed. Where some chunks are single
        and others double precision it is a float32, since single ones are compared with the
        threshold rounded to that; more can go then where double ones differ by less.

    Raises:
        ArgumentError: If the fraction is out of range.
    """
    fraction = checks.real("fraction", fraction, least=0.0, below=1.0)
    # The first pass finds out the dtypes, which for one alone is already that digit.
    tops = {dtype: _no_counts() for dtype in (_SINGLE, _DOUBLE)}
    for chunk in chunks():
        dtype = chunk.real.dtype
        _count(chunk, dtype, 0, _top_shift(dtype), tops[dtype])
        del chunk  # Before the next one is made.
    present = [dtype for dtype, counts in tops.items() if counts.any()]
    rank = round(fraction * sum(int(counts.sum()) for counts in tops.values()))
    if rank == 0:
        return 0.0
    widest = present[-1]
    kth = _select(chunks, rank, widest, tops[widest] if len(present) == 1 else None)
    # Hard thresholding keeps magnitudes equal to the threshold: the next number up removes them.
    return max(_just_above(kth, dtype) for dtype in present)


def _select(chunks: Chunks, rank: int, dtype: np.dtype[Any], top: Array | None) -> float:
    """The magnitude at a rank from 1 on, all taken as `dtype`; `top`: counts of the top digits."""
    prefix = 0
    for shift in range(_top_shift(dtype), -1, -_histogram.DIGIT_BITS):
        counts, top = top, None
        if counts is None:
            counts = _no_counts()
            for chunk in chunks():
                _count(chunk, dtype, prefix, shift, counts)
                del chunk
        upto = np.cumsum(counts)
        digit = int(np.searchsorted(upto, rank))
        rank -= int(upto[digit - 1]) if digit else 0
        prefix = (prefix << _histogram.DIGIT_BITS) | digit
    return float(np.array(prefix, f"u{dtype.itemsize}").view(dtype)[()])


def _count(chunk: Array, dtype: np.dtype[Any], prefix: int, shift: int, counts: Array) -> None:
    """Adds the counts by digit at `shift` of the magnitudes whose higher digits are `prefix`."""
    values = np.abs(chunk) if np.iscomplexobj(chunk) else chunk
    values = values.astype(dtype, copy=False).ravel(order="K")
    pattern = np.dtype(f"u{dtype.itemsize}")
    all_but_sign = (1 << (8 * dtype.itemsize - 1)) - 1
    _histogram.count_digits(
        values.view(pattern),
        pattern.type(all_but_sign),
        pattern.type(shift),
        pattern.type(prefix << _histogram.DIGIT_BITS),
        counts,
    )


def _no_counts() -> Array:
    return np.zeros(1 << _histogram.DIGIT_BITS, np.int64)


def _top_shift(dtype: np.dtype[Any]) -> int:
    return 8 * dtype.itemsize - _histogram.DIGIT_BITS


def _just_above(magnitude: float, dtype: np.dtype[Any]) -> float:
    """The smallest number of `dtype` above a magnitude; 0.0 for 0.

    Above all float32 it is the power of two that rounds to infinity; above all float64 there is
    none, and the largest number must do.
    """
    if magnitude == 0.0:
        return 0.0
    with np.errstate(over="ignore"):
        number = dtype.type(magnitude)
        if float(number) <= magnitude:  # Compared as float32 it would be rounded.
            number = np.nextafter(number, dtype.type(np.inf))
    return min(float(number), 2.0**128 if dtype == _SINGLE else sys.float_info.max)


def _magnitudes(coefficients: Array) -> Array:
    """A new array of one axis, in no order to rely on."""
    return np.abs(coefficients).ravel(order="K")


def _root_mean_square(magnitudes: Array) -> float:
    """Summed in float64 as fractions of the largest, whose squares cannot overflow."""
    largest = float(magnitudes.max())
    if largest == 0.0:
        return 0.0
    total = 0.0
    for start in range(0, magnitudes.size, _BLOCK):
        fractions = np.divide(magnitudes[start : start + _BLOCK], largest, dtype=np.float64)
        total += float(np.sum(np.square(fractions, out=fractions)))
    return largest * math.sqrt(total / magnitudes.size)


def _sums_behind(terms: Array) -> Array:
    """For each term the sum of those behind it."""
    # From the end, and not as differences from the total, which would round small sums away.
    return np.append(np.cumsum(terms[:0:-1])[::-1], 0.0)
