"""The folds of a cross-validation: what each run learns from, and what it is scored on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from dwt_keras import checks
from dwt_keras.settings.folds import FoldSettings
from dwt_keras.training import data
from dwt_keras.training.array_data import SPLIT_SEED, validation_count
from dwt_keras.training.sampling import systematic

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Split:
    """One fold.

    Attributes:
        repeat: Which division into folds it belongs to, from 1 on.
        fold: Its number in that, from 1 on.
        held_out: Indices of its samples in the pool, ascending.
    """

    repeat: int
    fold: int
    held_out: Array


def pool(dataset: data.Dataset) -> data.Part:
    """All that is not the test part: the training part, and behind it the validation part."""
    return dataset.train.joined(dataset.validation)


def splits(labels: Array, told: FoldSettings, seed: int) -> list[Split]:
    """The folds, each with its share of every class.

    They are those of scikit-learn's RepeatedStratifiedKFold, whose first division is that of
    StratifiedKFold(shuffle=True), with the same seed.

    Args:
        labels: The class of each sample of the pool.
        told: How many folds, and how often.
        seed: Of the run.
    """
    from sklearn.model_selection import RepeatedStratifiedKFold

    folds = int(told.folds or 0)
    splitter = RepeatedStratifiedKFold(
        n_splits=folds, n_repeats=told.fold_repeats, random_state=seed
    )
    return [
        Split(number // folds + 1, number % folds + 1, held_out)
        for number, (_, held_out) in enumerate(splitter.split(np.zeros(len(labels)), labels))
    ]


def dataset_of(
    split: Split, whole: data.Part, dataset: data.Dataset, validation_fraction: float
) -> data.Dataset:
    """The data of one fold's run: the fold is its test part, the others are all else.

    Args:
        split: The fold.
        whole: The pool.
        dataset: What the pool was made of.
        validation_fraction: Share of the other folds that validates, drawn evenly from all classes.
    """
    others = np.setdiff1d(np.arange(len(whole)), split.held_out)
    count = validation_count(len(others), validation_fraction)
    kept, drawn = systematic(whole.labels[others], count, SPLIT_SEED)
    return dataclasses.replace(
        dataset,
        train=_selected(whole, others[kept]),
        validation=_selected(whole, others[drawn]),
        test=_selected(whole, split.held_out),
    )


def check(told: FoldSettings, dataset: data.Dataset, validation_fraction: float) -> None:
    """Checks, without TensorFlow, that the data can be divided into so many folds.

    Raises:
        ArgumentError: If a class has fewer samples than there are folds, or nothing would be left
            to validate.
    """
    labels = np.concatenate([dataset.train.labels, dataset.validation.labels])
    present, counts = np.unique(labels, return_counts=True)
    folds, least = int(told.folds or 0), int(np.argmin(counts))
    if counts[least] < folds:
        label = int(present[least])
        name = f" ({dataset.class_names[label]})" if dataset.class_names else ""
        raise checks.ArgumentError(
            "folds",
            f"must be at most the samples of the rarest class: class {label}{name} has "
            f"{counts[least]} outside of the test part; given {folds}",
        )
    validation_count(len(labels) - -(-len(labels) // folds), validation_fraction)


def _selected(whole: data.Part, places: Array) -> data.Part:
    counts = np.zeros(len(whole), np.int64)
    counts[places] = 1
    return whole.repeated(counts)
