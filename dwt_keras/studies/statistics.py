"""What can be said of a figure that was measured in each fold.

Networks of different folds have most of what they learnt from in common, so that their figures vary
less than those of independent samples would. Both the interval and the test allow for it as
Nadeau and Bengio do (Inference for the generalization error, Machine Learning 52, 2003,
doi:10.1023/A:1024068626366): the variance of the mean of J figures is estimated by

    (1 / J + held out / learnt from) * variance of the figures

in the place of variance / J, and compared with Student's t of J - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dwt_keras.settings.folds import WILCOXON

Array = np.ndarray[Any, Any]

CONFIDENCE = 0.95
# With so many pairs at most all signs are gone through, which is exact with ties too.
_MOST_ENUMERATED = 13
# Accuracies are fractions: differences that are the same must not differ by rounding.
_DIGITS = 12


@dataclass(frozen=True)
class Summary:
    """A figure over all folds.

    Attributes:
        mean: Its mean.
        deviation: Its standard deviation from fold to fold (with J - 1).
        low: Lower end of the 95 % confidence interval of the mean, ...
        high: ... and its upper end.
    """

    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """The differences of a figure, pair by pair, between two settings.

    Attributes:
        difference: Mean of first minus second.
        low: Lower end of its 95 % confidence interval, by the corrected t, ...
        high: ... and its upper end.
        p: Probability of differences so far from zero, or farther, if there were none between the
            settings; two-sided. None where that cannot be said.
        pairs: How many there are.
        test: Which test p is from.
        note: Why the test cannot say anything, where it cannot; else empty.
    """

    difference: float
    low: float
    high: float
    p: float | None
    pairs: int
    test: str
    note: str = ""

    @property
    def is_significant(self) -> bool:
        """Whether the settings can be said to differ."""
        return self.p is not None and self.p < 1.0 - CONFIDENCE


def summary(
    values: Sequence[float] | Array,
    ratio: float,
    least: float = -math.inf,
    most: float = math.inf,
) -> Summary:
    """Mean, deviation and confidence interval of a figure.

    Args:
        values: One for each fold, two or more.
        ratio: Samples held out over samples learnt from.
        least: What the figure can be at least; the interval is cut there, ...
        most: ... and at most.
    """
    from scipy import stats

    mean = float(np.mean(values))
    half = stats.t.ppf((1.0 + CONFIDENCE) / 2.0, len(values) - 1) * _error(values, ratio)
    low, high = max(mean - half, least), min(mean + half, most)
    return Summary(mean, float(np.std(values, ddof=1)), float(low), float(high))


def compare(
    first: Sequence[float] | Array, second: Sequence[float] | Array, ratio: float, test: str
) -> Comparison:
    """Compares two settings by a figure of the same folds.

    Args:
        first: One for each fold, of the first settings.
        second: Of the second, in the same order.
        ratio: As for `summary`.
        test: "corrected_t" or "wilcoxon".
    """
    differences = np.round(np.subtract(first, second, dtype=np.float64), _DIGITS)
    found = summary(differences, ratio)
    by = _signed_rank if test == WILCOXON else _corrected_t
    p, note = by(differences, ratio)
    return Comparison(found.mean, found.low, found.high, p, len(differences), test, note)


def _corrected_t(differences: Array, ratio: float) -> tuple[float | None, str]:
    from scipy import stats

    if np.ptp(differences) == 0.0:
        return None, "the difference is the same in all folds, so that nothing tells its spread"
    statistic = float(np.mean(differences)) / _error(differences, ratio)
    return float(2.0 * stats.t.sf(abs(statistic), len(differences) - 1)), ""


def _signed_rank(differences: Array, ratio: float) -> tuple[float | None, str]:
    from scipy import stats

    count = int(np.count_nonzero(differences))
    if count == 0:
        return None, "there is no difference in any fold"
    method = stats.PermutationMethod(2**count) if count <= _MOST_ENUMERATED else "auto"
    p = float(stats.wilcoxon(differences[differences != 0], method=method).pvalue)
    least = 2.0 ** (1 - count)
    if least < 1.0 - CONFIDENCE:
        return p, ""
    return p, (
        f"{count} folds with a difference are too few: the smallest p that the signed-rank test "
        f"can give with them is {least:.2g}"
    )


def _error(values: Sequence[float] | Array, ratio: float) -> float:
    """Standard error of the mean."""
    return math.sqrt((1.0 / len(values) + ratio) * float(np.var(values, ddof=1)))
