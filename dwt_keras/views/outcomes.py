"""What a network says of the test part, beside what its dense control says."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from dwt_keras.training.data import Dataset
from dwt_keras.training.parts import Part

Array = np.ndarray[Any, Any]

_BATCH = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Outcomes:
    """Predictions on a test part.

    Attributes:
        part: The samples, which need not fit into memory, and their classes.
        classes: How many classes there are.
        predicted: The classes that the network says.
        dense: Those that the dense control says; None where there is none.
    """

    part: Part
    classes: int
    predicted: Array
    dense: Array | None = None

    @property
    def labels(self) -> Array:
        """The samples' classes, from 0 on."""
        return self.part.labels

    def inputs(self, numbers: Sequence[int] | Array) -> Array:
        """The samples of these numbers, in this order, of shape (samples, ...)."""
        found: dict[int, Array] = {}
        wanted, first = set(map(int, numbers)), 0
        for values, _ in self.part.arrays(_BATCH):
            here = wanted.intersection(range(first, first + len(values)))
            found |= {number: values[number - first] for number in here}
            first += len(values)
            if len(found) == len(wanted):
                break
        return np.stack([found[int(number)] for number in numbers])

    @property
    def accuracy(self) -> float:
        """Of the network, 0 to 1."""
        return float(np.mean(self.predicted == self.labels))

    @property
    def dense_accuracy(self) -> float | None:
        """Of the dense control, 0 to 1."""
        return None if self.dense is None else float(np.mean(self.dense == self.labels))

    @property
    def confusion(self) -> Array:
        """How many samples of each class (rows) were taken for which (columns)."""
        counts = np.zeros((self.classes, self.classes), np.int64)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    @property
    def changed(self) -> Array:
        """Indices of the samples of which the network says another class than its control.

        Those that it gets wrong and the control right come first.
        """
        if self.dense is None:
            return np.zeros(0, np.int64)
        found = np.flatnonzero(self.predicted != self.dense)
        order = np.where(
            self.dense[found] == self.labels[found],
            0,
            np.where(self.predicted[found] == self.labels[found], 1, 2),
        )
        return found[np.argsort(order, kind="stable")]


def of(model: Any, dataset: Dataset, dense: Any = None) -> Outcomes:
    """Asks a network, and its dense control where there is one, about the test part.

    Args:
        model: A Keras model that gives one number a class.
        dataset: The data.
        dense: Another such model.
    """

    def classes(network: Any) -> Array:
        found = [
            np.asarray(network(values, training=False)).argmax(axis=1)
            for values, _ in dataset.test.arrays(_BATCH)
        ]
        return np.concatenate(found)

    return Outcomes(
        dataset.test,
        dataset.classes,
        classes(model),
        None if dense is None else classes(dense),
    )
