"""Parts of a dataset that are made of others: samples counted, and two parts in one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dwt_keras.training.parts import ArrayPart, StreamPart

LABELS = np.array([0, 1, 2, 0, 1], np.int32)
INPUTS = np.arange(10, dtype=np.float32).reshape(5, 2)


def arrays(inputs: np.ndarray = INPUTS, labels: np.ndarray = LABELS) -> ArrayPart:
    return ArrayPart(inputs, labels)


def stream(inputs: np.ndarray = INPUTS, labels: np.ndarray = LABELS) -> StreamPart:
    """The same samples, which become what they are when they are decoded."""

    def fail() -> None:
        raise ValueError(f"looked at {len(labels)}")

    return StreamPart(
        labels=labels,
        input_shape=(2,),
        elements=lambda: tf.data.Dataset.from_tensor_slices((inputs / 2, labels)),
        decode=lambda element, label: (element * 2, label),
        shuffle_count=len(labels),
        identity=f"{len(labels)} samples",
        explain=fail,
    )


MAKERS = pytest.mark.parametrize("make", [arrays, stream])
Maker = Callable[..., Any]


def read(part: Any, batch_size: int = 2) -> tuple[np.ndarray, np.ndarray]:
    inputs, labels = zip(*part.arrays(batch_size), strict=True)
    return np.concatenate(inputs), np.concatenate(labels)


@MAKERS
@pytest.mark.parametrize("counts", [(1, 0, 0, 1, 1), (0, 3, 0, 0, 2), (1, 1, 1, 1, 1)])
def test_each_sample_comes_as_often_as_it_is_counted(make: Maker, counts: tuple[int, ...]) -> None:
    part = make().repeated(np.array(counts))
    places = np.repeat(np.arange(5), counts)
    inputs, labels = read(part)
    np.testing.assert_array_equal(inputs, INPUTS[places])
    np.testing.assert_array_equal(labels, LABELS[places])
    np.testing.assert_array_equal(part.labels, LABELS[places])
    assert len(part) == sum(counts)
    assert part.input_shape == (2,)
    np.testing.assert_array_equal(part.samples(2), INPUTS[places][:2])


@MAKERS
def test_batches_of_counted_samples_are_shuffled_and_counted(make: Maker) -> None:
    part = make().repeated(np.array([0, 3, 0, 0, 2]))
    batches = part.batches(2, shuffle_seed=1)
    assert int(batches.cardinality()) == 3
    found = np.concatenate([inputs for inputs, _ in batches.as_numpy_iterator()])
    assert sorted(found[:, 0]) == [2, 2, 2, 8, 8]


@MAKERS
def test_counted_samples_are_other_data(make: Maker) -> None:
    def fingerprint(*counts: int) -> bytes:
        return b"".join(make().repeated(np.array(counts)).fingerprint())

    assert fingerprint(1, 1, 0, 0, 0) == fingerprint(1, 1, 0, 0, 0)
    # Of the same classes in the same order.
    assert fingerprint(1, 1, 0, 0, 0) != fingerprint(0, 0, 0, 1, 1)


@MAKERS
def test_joined_parts_are_read_one_behind_the_other(make: Maker) -> None:
    more = make(INPUTS[:3] + 100, LABELS[2:])
    part = make().joined(more)
    inputs, labels = read(part, 4)
    np.testing.assert_array_equal(inputs, np.concatenate([INPUTS, INPUTS[:3] + 100]))
    np.testing.assert_array_equal(labels, np.concatenate([LABELS, LABELS[2:]]))
    np.testing.assert_array_equal(part.labels, labels)
    assert len(part) == 8
    mixed = part.repeated(np.array([0, 0, 0, 0, 1, 1, 0, 0]))
    np.testing.assert_array_equal(read(mixed)[0][:, 0], [8, 100])
    assert b"".join(part.fingerprint()) != b"".join(more.joined(make()).fingerprint())


def test_a_joined_stream_is_shuffled_as_a_whole_and_explains_both() -> None:
    part = stream().joined(stream(INPUTS[:3], LABELS[:3]))
    assert part.shuffle_count == 8
    with pytest.raises(ValueError, match="looked at 5"):
        part.explain()
    quiet = StreamPart(**{**vars(stream()), "explain": lambda: None})
    with pytest.raises(ValueError, match="looked at 3"):
        quiet.joined(stream(INPUTS[:3], LABELS[:3])).explain()
