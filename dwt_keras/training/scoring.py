"""What a network scores on the parts that it does not learn from."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from dwt_keras.training import data, distribution

_EVALUATION_BATCH = 1000
# Accuracies are float32 numbers: a difference of exactly what is allowed may come out larger, by
# less than this, which is less than a sample.
ROUNDING = 1e-6


def validation(dataset: data.Dataset, replicas: int = 1) -> Any:
    """The validation part in batches that can be divided among so many replicas."""
    batch_size = distribution.even_batch(len(dataset.validation), _EVALUATION_BATCH, replicas)
    return dataset.validation.batches(batch_size, shuffle_seed=None)


def validation_accuracy(model: keras.Model, dataset: data.Dataset) -> float:
    """Accuracy on the validation part, 0 to 1."""
    return validation_scores(model, dataset)["accuracy"]


def validation_scores(model: keras.Model, dataset: data.Dataset) -> dict[str, float]:
    """Loss and accuracy on the validation part."""
    return _scores(model, dataset.validation)


def test_scores(model: keras.Model, dataset: data.Dataset) -> dict[str, float]:
    """Loss and accuracy on the test part."""
    return _scores(model, dataset.test)


def probabilities(model: keras.Model, part: data.Part) -> np.ndarray[Any, Any]:
    """What a network says of a part, in its order, of shape (samples, classes)."""
    # Not by predict, which compiles a function for each network that is asked once.
    batches = part.arrays(_EVALUATION_BATCH)
    return np.concatenate([np.asarray(model(inputs, training=False)) for inputs, _ in batches])


def _scores(model: keras.Model, part: data.Part) -> dict[str, float]:
    batches = part.batches(_EVALUATION_BATCH, shuffle_seed=None)
    with part.reading():
        scores: dict[str, float] = model.evaluate(batches, verbose=0, return_dict=True)
    return {name: float(score) for name, score in scores.items()}
