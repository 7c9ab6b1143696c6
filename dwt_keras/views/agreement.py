"""How far two networks look at the same places."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.stats

from dwt_keras.views.tables import table as aligned

Array = np.ndarray[Any, Any]

TOP_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far the maps of two networks agree, means over samples.

    Attributes:
        rank_correlation: Spearman's, -1 to 1: 1 where places have the same order. NaN where no
            sample has maps that vary.
        top_overlap: Of the tenth of the places with the largest values, the share that both maps
            have in common, 0 to 1; of maps without any order about 0.1.
        samples: How many samples have maps that vary in both networks; the others do not count.
    """

    rank_correlation: float
    top_overlap: float
    samples: int


def of(ours: Array, theirs: Array) -> Agreement:
    """Compares maps sample by sample.

    Args:
        ours: Of shape (samples, ...).
        theirs: Of the same shape.
    """
    flat = (each.reshape(len(each), -1) for each in (ours, theirs))
    pairs = [
        (one, other)
        for one, other in zip(*flat, strict=True)
        # A rank correlation needs an order: Grad-CAM of a sample may be zero everywhere.
        if np.ptp(one) > 0 and np.ptp(other) > 0
    ]
    if not pairs:
        return Agreement(math.nan, math.nan, 0)
    ranks = [float(scipy.stats.spearmanr(one, other).statistic) for one, other in pairs]
    tops = [_top_overlap(one, other) for one, other in pairs]
    return Agreement(float(np.mean(ranks)), float(np.mean(tops)), len(pairs))


def _top_overlap(one: Array, other: Array) -> float:
    count = max(1, round(TOP_SHARE * len(one)))
    first, second = (set(np.argsort(-each, kind="stable")[:count]) for each in (one, other))
    return len(first & second) / count


def rows(found: Sequence[tuple[str, Agreement, Agreement]]) -> list[tuple[str, ...]]:
    """One row a map below a heading: the agreement, and that with shuffled weights as a floor.

    Args:
        found: What is compared, how far the networks agree, and how far the dense one agrees with
            itself once its weights have been shuffled.
    """
    heading = ("map", "rank correlation", "top 10 % in common", "shuffled", "top 10 %", "samples")
    return [
        heading,
        *(
            (
                name,
                f"{ours.rank_correlation:.3f}",
                f"{ours.top_overlap:.3f}",
                f"{floor.rank_correlation:.3f}",
                f"{floor.top_overlap:.3f}",
                str(ours.samples),
            )
            for name, ours, floor in found
        ),
    ]


def table(found: Sequence[tuple[str, Agreement, Agreement]]) -> str:
    """The rows, aligned."""
    return aligned(rows(found), right_from=1)
