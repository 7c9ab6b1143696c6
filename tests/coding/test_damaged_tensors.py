"""Payloads that are no tensors, or too many or too large."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_tensors import FLOAT, HAAR, PLENTY, grids, level_fields, levelled, payload, raw

from dwt_keras.coding import records, tensors
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.records import Transform
from dwt_keras.coding.tensors import Tensor


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the index of the tensors was expected at byte 0"),
        (payload(0, rest=bytes(8), count=16385), "16385 is above the limit of 16384"),
        (payload(0, rest=bytes(8), count=2), "what two names share was expected at byte 8"),
        (payload(0, rest=bytes(9)), "the data go on behind their last field, at byte 8: 1 byte"),
        (payload(0, rest=bytes(7)), "the values of a was expected at byte 0: it needs 8 bytes"),
        (payload(1, rest=bytes(3)), "the values of a was expected at byte 0: it needs 4 bytes"),
        (payload(3, rest=bytes(8)), "a: the way in which it is kept is none of this format"),
        (payload(0, dtype=13, rest=bytes(8)), "a: the dtype is none of this format"),
        (payload(0, shared=1, rest=bytes(8)), "what two names share .* 1 is above the limit of 0"),
        (payload(0, name="a" * 1025, rest=bytes(8)), "a name .* 1025 is above the limit of 1024"),
        (payload(2, rest=level_fields(-0.5)), "a: the step must not be negative; it is -0.5"),
        (payload(2, rest=level_fields(np.nan)), "the step of a was expected .* nan is not finite"),
        (payload(2, rest=level_fields(np.inf)), "the step of a was expected .* inf is not finite"),
        (payload(2, rest=level_fields(data=b"\x02")), "the mean magnitude was expected at byte 1"),
        (payload(2, rest=level_fields(data=b"\x02" * 99)), "the levels have more bytes than they"),
        (
            payload(2, rest=level_fields(wavelet="morl", unflattened=(2,))),
            "^a: there is no wavelet morl$",
        ),
        (
            payload(2, rest=level_fields(wavelet="haar", unflattened=(1,))),
            r"a: shape \(2,\) cannot be unflattened to \(1,\)",
        ),
        (
            payload(2, rest=level_fields(wavelet="haar", unflattened=(2, 2))),
            "the unflattened shape of a .* more values than the limit of 2",
        ),
        (
            payload(2, rest=level_fields(wavelet="haar", unflattened=(2, *[1] * 16))),
            "cannot be unflattened",
        ),
        (payload(2, rest=level_fields(**HAAR, level=65)), "the level of a .* 65 is above"),
        (payload(2, rest=level_fields(**HAAR, mask=2)), "the axes of a .* 2 is above"),
        (
            payload(2, rest=level_fields(wavelet="haar", unflattened=(2, 1, 1, 1, 1), mask=31)),
            "a: more than 4 axes are transformed",
        ),
        (payload(2, rest=level_fields(**HAAR, splits=[""] * 4097)), "the splits of a .* 4097"),
        (payload(2, rest=level_fields(**HAAR, splits=["a" * 1025])), "a split of a .* 1025"),
    ],
)
def test_payloads_that_are_wrong_are_refused_in_one_clear_line(data, message):
    with pytest.raises(CodecError, match=message) as caught:
        tensors.decode(data, grids, PLENTY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "dtype", "size"),
    [((5, 7), 0, 140), ((5, 7), 3, 280), ((5, 7), 2, 140)],
    ids=["float32", "float64", "bfloat16"],
)
def test_the_limit_is_on_the_values_of_at_least_four_bytes_each(shape, dtype, size):
    data = payload(2, shape, dtype, level_fields())
    assert len(tensors.decode(data, grids, size)) == 1
    with pytest.raises(CodecError, match=r"limit"):
        tensors.decode(data, grids, size - 1)


def test_the_limit_is_on_all_tensors_together():
    some = [raw(name, (10,)) for name in "abc"]
    data = tensors.encode(some, grids)
    assert len(tensors.decode(data, grids, 120)) == 3
    for limit in range(0, 120, 17):
        with pytest.raises(CodecError, match=r"limit"):
            tensors.decode(data, grids, limit)


HUGE = 1 << 24


@pytest.mark.parametrize(
    "data",
    [
        payload(0, (HUGE,)),
        payload(1, (HUGE,)),
        payload(2, (HUGE,), rest=level_fields()),
        payload(2, (HUGE, 4), dtype=4, rest=level_fields(data=b"\x01\x01\x55")),
        payload(2, (1 << 40, 1 << 40), rest=level_fields()),
        payload(2, (0, 1 << 62), rest=level_fields()),
        payload(2, (4,), rest=level_fields(wavelet="none", unflattened=(0, 1 << 50), mask=0)),
        payload(2, (4,), rest=level_fields(wavelet="none", unflattened=(1 << 30,), mask=0)),
        payload(2, (0,), rest=level_fields(wavelet="none", unflattened=(0, 1 << 30), mask=0)),
        records.pack(b"\x01\x00\xff\xff\xff\xff\x07a", [bytes(16)]),
    ],
)
def test_sizes_that_are_only_declared_are_refused_before_memory_is_taken(data):
    tensors.decode(payload(0, rest=bytes(8)), grids, PLENTY)
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            tensors.decode(data, grids, PLENTY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 17


def test_an_index_that_inflates_without_end_is_refused_at_its_limit():
    data = records.pack(b"\x01\x00\x01a" + bytes(1 << 26), [bytes(1 << 16)])
    assert len(data) < 1 << 18
    tracemalloc.start()
    try:
        with pytest.raises(CodecError, match=r"^the index of the tensors is longer than 2097152"):
            tensors.decode(data, grids, PLENTY)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 23


WHOLE = tensors.encode(
    [
        raw("net/dense/bias", (3,)),
        Tensor("net/dense/gamma", (2, 2), FLOAT, values=np.ones((2, 2), np.float16)),
        levelled("net/dense/kernel", (16, 3), transform=Transform("haar", 2, (0, 1), (4, 4, 3))),
        levelled("net/other", (9,), transform=Transform("haar", 1, (0,), (9,), ("", "a", "d"))),
        levelled("net/third", (2, 3), np.dtype(np.float16)),
        raw("net/count", (), np.dtype(np.int64)),
        raw("net/flags", (3,), np.dtype(np.bool_)),
    ],
    grids,
)


def decoded_or_refused(data, limit):
    try:
        found = tensors.decode(data, grids, limit)
    except CodecError as error:
        assert "\n" not in str(error)
        return
    held = [one.levels if one.values is None else one.values for one in found]
    assert sum(array.nbytes for array in held) <= limit
    for one, array in zip(found, held, strict=True):
        assert array.shape == (one.transform.shape if one.transform else one.shape)


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["set", "insert", "delete", "cut"]),
        st.integers(0, len(WHOLE) - 1),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=4,
)


def changed(data, changes):
    found = bytearray(data)
    for what, place, byte in changes:
        place %= max(len(found), 1)
        if what == "set":
            found[place : place + 1] = bytes([byte])
        elif what == "insert":
            found.insert(place, byte)
        elif what == "delete":
            del found[place : place + 1]
        elif what == "cut":
            del found[place:]
    return bytes(found)


@settings(deadline=None, max_examples=400)
@given(CHANGES)
def test_changed_payloads_are_refused_or_give_tensors_within_the_limit(changes):
    decoded_or_refused(changed(WHOLE, changes), 1 << 12)


@settings(deadline=None, max_examples=400)
@given(CHANGES)
def test_changed_indexes_are_refused_or_give_tensors_within_the_limit(changes):
    """Behind the deflate, where a change of the payload seldom gets to."""
    index, values = records.unpack(WHOLE)
    decoded_or_refused(records.pack(changed(index, changes), [bytes(values)]), 1 << 12)


def test_every_flip_of_a_bit_is_refused_or_gives_tensors_within_the_limit():
    for place in range(len(WHOLE)):
        for bit in range(8):
            data = bytearray(WHOLE)
            data[place] ^= 1 << bit
            decoded_or_refused(bytes(data), 1 << 12)


def test_every_truncation_is_refused():
    for size in range(len(WHOLE)):
        with pytest.raises(CodecError):
            tensors.decode(WHOLE[:size], grids, PLENTY)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_give_tensors_within_the_limit(data):
    decoded_or_refused(data, 1 << 12)
    decoded_or_refused(records.pack(b"\x01\x00\x01a" + data, [data]), 1 << 12)
