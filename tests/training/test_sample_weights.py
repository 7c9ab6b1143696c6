"""Samples that count more or less: their weights stay with them on the way into the loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dwt_keras.settings import DataSettings, Settings
from dwt_keras.settings.augmentation import AugmentationSettings
from dwt_keras.training import augmentation, data, fitting, parts, soft_labels

COUNT = 40
# Each sample can be told by its weight, and its weight by the sample.
INPUTS = np.arange(COUNT, dtype=np.float32)[:, np.newaxis]
LABELS = np.arange(COUNT, dtype=np.int32) % 4
WEIGHTS = np.arange(COUNT, dtype=np.float32) / 8


def in_memory() -> parts.Part:
    return parts.ArrayPart(INPUTS, LABELS)


def stream_of(elements: Any, decode: Callable[..., Any]) -> parts.Part:
    def undecoded() -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices(elements)

    return parts.StreamPart(LABELS, (1,), undecoded, decode, COUNT, "numbers", lambda: None)


def stream_of_pairs() -> parts.Part:
    return stream_of((INPUTS, LABELS), lambda value, label: (value, label))


def stream_of_numbers() -> parts.Part:
    return stream_of(
        np.arange(COUNT), lambda number: (tf.cast(number, tf.float32)[tf.newaxis], number % 4)
    )


PARTS = [in_memory, stream_of_pairs, stream_of_numbers]


@pytest.mark.parametrize("make", PARTS)
def test_each_sample_keeps_its_weight(make: Callable[[], parts.Part]) -> None:
    part = make().weighted(WEIGHTS)
    batches = list(part.batches(16, shuffle_seed=1).as_numpy_iterator())
    inputs, labels, weights = (np.concatenate(each) for each in zip(*batches, strict=True))
    assert not np.array_equal(inputs, INPUTS)
    np.testing.assert_array_equal(np.sort(inputs[:, 0]), INPUTS[:, 0])
    np.testing.assert_array_equal(inputs[:, 0] % 4, labels)
    np.testing.assert_array_equal(weights, inputs[:, 0] / 8)


@pytest.mark.parametrize("make", PARTS)
def test_who_looks_at_samples_sees_no_weights(make: Callable[[], parts.Part]) -> None:
    part = make().weighted(WEIGHTS)
    ((inputs, labels),) = part.arrays(COUNT)
    np.testing.assert_array_equal(inputs, INPUTS)
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(part.samples(3), INPUTS[:3])


@pytest.mark.parametrize("make", PARTS)
def test_repeated_samples_keep_their_weights(make: Callable[[], parts.Part]) -> None:
    counts = np.arange(COUNT) % 3
    part = make().weighted(WEIGHTS).repeated(counts)
    ((_, _, weights),) = part.batches(200, shuffle_seed=None).as_numpy_iterator()
    np.testing.assert_array_equal(weights, np.repeat(WEIGHTS, counts))


@pytest.mark.parametrize("make", PARTS)
def test_weights_tell_data_apart(make: Callable[[], parts.Part]) -> None:
    one, other = make().weighted(WEIGHTS), make().weighted(WEIGHTS + 1)
    assert b"".join(one.fingerprint()) != b"".join(other.fingerprint())
    assert b"".join(one.fingerprint()) != b"".join(make().fingerprint())


def test_a_mixture_counts_as_its_parts_would_by_their_own_weights() -> None:
    """The loss of what mixup makes is the same mixture of weighted losses."""
    part = in_memory().weighted(WEIGHTS)
    batches = soft_labels.smoothed(part.batches(COUNT, shuffle_seed=None), 4, 0.1)
    told = AugmentationSettings(augment="mixup=0.5")
    ((mixed, labels, weights),) = augmentation.varied(batches, told, seed=2).as_numpy_iterator()
    # A sample is its number, and is mixed with the one before it.
    before = np.roll(INPUTS[:, 0], 1)
    share = (mixed[:, 0] - before) / (INPUTS[:, 0] - before)
    logs = np.random.default_rng(0).normal(size=(COUNT, 4))
    targets = np.eye(4)[LABELS] * 0.9 + 0.1 / 4
    weighted = WEIGHTS[:, np.newaxis] * targets
    # Both parts lose by the same prediction.
    own, other = ((-each * logs).sum(1) for each in (weighted, np.roll(weighted, 1, axis=0)))
    wanted = share * own + (1 - share) * other
    np.testing.assert_allclose(weights * -(labels * logs).sum(1), wanted, rtol=1e-4, atol=1e-4)


def test_samples_without_weight_teach_nothing(tmp_path: Path) -> None:
    varied = {"augment": "noise=0.1,mixup=0.2", "label_smoothing": 0.1}
    settings = Settings.from_flat(
        {"hidden_units": (4,), "epochs": 1, "wavelet": "none", "threshold": 0.0, **varied}
    )
    dataset = data.load(DataSettings())
    train = parts.ArrayPart(dataset.train.samples(96), dataset.train.labels[:96])
    for weight in (0.0, 1.0):
        weighted = train.weighted(np.full(96, weight, np.float32))
        given = dataclasses.replace(dataset, train=weighted)
        prepared = fitting.prepare(settings, given)
        before = prepared.model.get_weights()
        folder = tmp_path / str(weight)
        folder.mkdir()
        trained = fitting.fit(prepared, settings, given, folder)
        after = trained.model.get_weights()
        is_same = all(map(np.array_equal, before, after))
        assert is_same == (weight == 0.0)
