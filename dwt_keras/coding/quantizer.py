"""Uniform quantisation with a dead zone, its rounding weighed against the bits that it costs.

A value c becomes a whole number k, which stands for k times the step. Rounding to the nearest k is
best for the error alone. With a rate weight, k may also be the next one towards zero, or zero, if
the bits that this saves are worth the error: the k is chosen that minimises

    (c / step - k)^2 + rate_weight * bits(k),

bits(k) being what k costs at the frequencies of all k of the tensor (Sullivan 1996,
doi:10.1109/18.532878: the best uniform quantiser with entropy coding has such a dead zone). At high
rates the error of a coder falls by 6 dB a bit, so that ln(2) / 6 is the weight at which a finer
step and less weighing would cost the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.compiled import Whole, compiled

Array = npt.NDArray[Any]
Levels = npt.NDArray[np.int32]

RATE_WEIGHT = math.log(2.0) / 6.0

LARGEST_LEVEL = (1 << 24) - 1  # Every smaller whole number is a float32.

# Frequencies and rounding depend on each other; after two rounds little moves.
_ROUNDS = 2
# Levels above this are so rare that their bits hardly differ.
_COUNTED = 1 << 10


def quantise(values: Array, step: float, rate_weight: float = RATE_WEIGHT) -> Levels:
    """Whole numbers that stand for values in units of a step.

    Args:
        values: Any shape; float32 or float64, finite.
        step: Above 0. A float32 number: files keep it as one.
        rate_weight: What a bit is worth, in squared steps; 0 rounds to the nearest.

    Returns:
        New int32 array of the same shape.

    Raises:
        ArgumentError: If the step or the weight is out of range, a value is not finite, or one
            needs a larger level than 2^24 - 1.
    """
    step = checks.real("step", step, above=0.0)
    rate_weight = checks.real("rate_weight", rate_weight, least=0.0)
    if not np.isfinite(values).all():
        raise checks.ArgumentError("values", "must be finite; given NaN or infinity")
    largest = float(np.abs(values).max(initial=0.0))
    if largest / step > LARGEST_LEVEL:
        raise checks.ArgumentError(
            "step",
            f"must be at least {largest / LARGEST_LEVEL:.3g} for values up to {largest:.3g}; "
            f"given {step:.3g}",
        )
    flat, levels = np.ravel(values), np.empty(values.size, np.int32)
    # At no cost for bits, the nearest.
    costs = np.zeros(_COUNTED + 1)
    counts = _choose(flat, step, costs, levels)
    if rate_weight > 0.0:
        for _ in range(_ROUNDS):
            costs = rate_weight * _bits(counts)
            counts = _choose(flat, step, costs, levels)
    return levels.reshape(values.shape)


def dequantise(levels: Levels, step: float, dtype: Any = np.float32) -> Array:
    """The values that levels stand for: their product with the step, rounded once.

    Args:
        levels: As `quantise` returns them.
        step: Its step.
        dtype: float32 or float64.

    Returns:
        New array of that dtype; the same bits on every machine.
    """
    values = levels.astype(dtype)
    values *= np.dtype(dtype).type(step)
    return values


def step_for(
    measure: Callable[[float], float],
    target: float,
    largest: float,
    smallest: float,
    precision: float = 1.01,
) -> float:
    """The largest step at which a measure that grows with the step does not exceed a target.

    Args:
        measure: Of a step, such as the distortion.
        target: The value not to exceed.
        largest: Step to begin with.
        smallest: Step below which it does not look.
        precision: Ratio of two steps that need not be told from each other, above 1.

    Returns:
        The step, a float32 number; `smallest` where even that exceeds the target.

    Raises:
        ArgumentError: If the bounds are no range of positive numbers.
    """
    smallest = checks.real("smallest", smallest, above=0.0)
    largest = checks.real("largest", largest, least=smallest)
    precision = checks.real("precision", precision, above=1.0)
    if measure(_rounded(largest)) <= target:
        return _rounded(largest)
    while largest / smallest > precision:
        middle = _rounded(math.sqrt(smallest * largest))
        if measure(middle) <= target:
            smallest = middle
        else:
            largest = middle
    return _rounded(smallest)


def _rounded(step: float) -> float:
    return float(np.float32(step))


def _bits(counts: Array) -> npt.NDArray[np.float64]:
    """Bits of each magnitude, sign included, at the frequencies of the magnitudes."""
    bits: npt.NDArray[np.float64] = -np.log2((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))
    bits[1:] += 1.0
    return bits


@compiled
def _choose(values: Array, step: float, costs: Array, levels: Array) -> Array:
    """Sets each level to what costs least in error and bits; returns how often each magnitude is.

    Compiled, as whole-array operations would take ten times the memory of a large kernel.
    """
    counts: Array = np.zeros(len(costs), np.int64)
    last = len(costs) - 1
    for i in range(len(values)):
        size = abs(np.float64(values[i])) / step
        nearest: Whole = np.int64(np.rint(size))
        best = nearest
        least = (size - nearest) * (size - nearest) + costs[min(nearest, last)]
        for candidate in (max(nearest - 1, 0), 0):
            cost = (size - candidate) * (size - candidate) + costs[min(candidate, last)]
            if cost < least:
                best, least = candidate, cost
        counts[min(best, last)] += 1
        levels[i] = -best if values[i] < 0 else best
    return counts
