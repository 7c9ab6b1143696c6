"""The folds of a cross-validation, in memory and in streams."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.settings.folds import FoldSettings
from dwt_keras.studies import splits
from dwt_keras.training import data

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
import image_files


@pytest.mark.parametrize("seed", [0, 7])
def test_folds_are_those_of_scikit_learn(digits: data.Dataset, seed: int) -> None:
    labels = np.concatenate([digits.train.labels, digits.validation.labels])
    pool = splits.pool(digits)
    np.testing.assert_array_equal(pool.labels, labels)
    found = splits.splits(pool.labels, FoldSettings(folds=5), seed)
    theirs = StratifiedKFold(5, shuffle=True, random_state=seed).split(labels, labels)
    assert [(each.repeat, each.fold) for each in found] == [(1, n) for n in range(1, 6)]
    for mine, (_, held_out) in zip(found, theirs, strict=True):
        np.testing.assert_array_equal(mine.held_out, held_out)


def test_repeats_divide_otherwise(digits: data.Dataset) -> None:
    labels = splits.pool(digits).labels
    found = splits.splits(labels, FoldSettings(folds=3, fold_repeats=2), 1)
    theirs = RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=1).split(labels, labels)
    for mine, (_, held_out) in zip(found, theirs, strict=True):
        np.testing.assert_array_equal(mine.held_out, held_out)
    assert [(each.repeat, each.fold) for each in found[2:4]] == [(1, 3), (2, 1)]
    assert not np.array_equal(found[0].held_out, found[3].held_out)


def test_a_fold_is_tested_on_and_the_others_teach(digits: data.Dataset) -> None:
    pool = splits.pool(digits)
    split = splits.splits(pool.labels, FoldSettings(folds=4), 0)[2]
    found = splits.dataset_of(split, pool, digits, 0.25)
    np.testing.assert_array_equal(found.test.samples(), pool.samples()[split.held_out])
    np.testing.assert_array_equal(found.test.labels, pool.labels[split.held_out])
    others = len(pool) - len(split.held_out)
    assert len(found.validation) == round(0.25 * others)
    assert len(found.train) + len(found.validation) == others
    # Each sample is in one part; the real test part in none.
    together = np.concatenate([part.samples() for part in (found.train, found.validation)])
    rest = np.delete(pool.samples(), split.held_out, axis=0)
    key = lambda inputs: sorted(each.tobytes() for each in inputs)  # noqa: E731
    assert key(together) == key(rest)
    counts = np.bincount(found.validation.labels, minlength=10)
    shares = 0.25 * np.bincount(np.delete(pool.labels, split.held_out), minlength=10)
    assert np.abs(counts - shares).max() <= 1


def test_labels_of_the_fold_change_nothing_of_what_teaches(digits: data.Dataset) -> None:
    pool = splits.pool(digits)
    split = splits.splits(pool.labels, FoldSettings(folds=3), 0)[0]
    labels = pool.labels.copy()
    labels[split.held_out] = 9 - labels[split.held_out]
    garbage = data.ArrayPart(pool.samples(), labels)
    mine, other = (splits.dataset_of(split, each, digits, 0.1) for each in (pool, garbage))
    for part in ("train", "validation"):
        for one, another in zip(
            getattr(mine, part).fingerprint(), getattr(other, part).fingerprint(), strict=True
        ):
            assert one == another
    assert not np.array_equal(mine.test.labels, other.test.labels)


def test_folders_of_images_are_divided_as_they_are_read(tmp_path: Path) -> None:
    image_files.write_classes(tmp_path, {"cat": 30, "dog": 20})
    streamed = data.load(DataSettings(dataset=f"{tmp_path}/"))
    held = dataclasses.replace(
        streamed,
        **{
            name: data.ArrayPart(getattr(streamed, name).samples(), getattr(streamed, name).labels)
            for name in ("train", "validation", "test")
        },
    )
    pools = [splits.pool(each) for each in (streamed, held)]
    (split, *_) = splits.splits(pools[0].labels, FoldSettings(folds=2), 0)
    one, other = (
        splits.dataset_of(split, pool, each, 0.2)
        for pool, each in zip(pools, (streamed, held), strict=True)
    )
    for name in ("train", "validation", "test"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert len(mine) == len(theirs) > 0
        np.testing.assert_array_equal(mine.samples(), theirs.samples())
        np.testing.assert_array_equal(mine.labels, theirs.labels)


def dataset(*counts: int, names: tuple[str, ...] = ()) -> data.Dataset:
    labels = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    half = data.ArrayPart(np.zeros((len(labels), 4), np.float32), labels)
    one = data.ArrayPart(np.zeros((1, 4), np.float32), np.zeros(1, np.int32))
    return data.Dataset("mine", len(counts), half, one, one, names)


def test_more_folds_than_samples_of_a_class_are_refused() -> None:
    splits.check(FoldSettings(folds=3), dataset(20, 3), 0.1)
    with pytest.raises(
        checks.ArgumentError,
        match=r"^folds must be at most the samples of the rarest class: class 1 \(dog\) has 3 "
        "outside of the test part; given 4$",
    ):
        splits.check(FoldSettings(folds=4), dataset(20, 3, names=("cat", "dog")), 0.1)


def test_nothing_to_validate_on_is_refused() -> None:
    with pytest.raises(checks.ArgumentError, match="validation_fraction must leave at least one"):
        splits.check(FoldSettings(folds=2), dataset(3, 3), 0.01)
