"""What a network says of the test part, beside what its dense control says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from dwt_keras.training.data import Dataset

Array = np.ndarray[Any, Any]

_BATCH = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Outcomes:
    """Predictions on a test part.

    Attributes:
        inputs: The samples.
        labels: Their classes, from 0 on.
        classes: How many classes there are.
        predicted: The classes that the network says.
        dense: Those that the dense control says; None where there is none.
    """

    inputs: Array
    labels: Array
    classes: int
    predicted: Array
    dense: Array | None = None

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
        outputs = network.predict(dataset.test_images, batch_size=_BATCH, verbose=0)
        return np.asarray(outputs).argmax(axis=1)

    return Outcomes(
        dataset.test_images,
        dataset.test_labels,
        dataset.classes,
        classes(model),
        None if dense is None else classes(dense),
    )
