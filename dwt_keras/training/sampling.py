"""Drawing samples for a part of the data."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def systematic(labels: Array, count: int, seed: int) -> tuple[Array, Array]:
    """Draws samples evenly from all classes.

    The samples are shuffled, sorted by class and taken at equal distances, so that each class
    gives its share, to the next whole number.

    Args:
        labels: The class of each sample.
        count: How many to draw.
        seed: Of the order.

    Returns:
        Indices of those left and of those drawn, both shuffled.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    places = ((np.arange(count) + 0.5) * len(labels) / count).astype(np.intp)
    drawn = np.zeros(len(labels), bool)
    drawn[order[places]] = True
    shuffled = generator.permutation(len(labels))
    return shuffled[~drawn[shuffled]], shuffled[drawn[shuffled]]
