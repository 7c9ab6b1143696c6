"""Tensors as bytes and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_tensors import (
    DTYPES,
    FLOAT,
    FLOATING,
    HAAR,
    PLENTY,
    any_tensor,
    assert_round_trip,
    assert_same,
    grids,
    level_fields,
    levelled,
    payload,
    random_values,
    raw,
)

from dwt_keras.checks import ArgumentError
from dwt_keras.coding import entropy, records, tensors
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.records import Transform
from dwt_keras.coding.tensors import Tensor


@settings(deadline=None)
@given(st.lists(any_tensor(), max_size=4))
@example([])
def test_tensors_come_back_as_they_were_and_give_the_same_bytes_again(some):
    assert_round_trip(some)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (7,), (2, 3, 5, 1)], ids=str)
def test_every_dtype_comes_back_in_every_way_of_keeping(dtype, shape):
    some = [raw("raw", shape, dtype)]
    if dtype in FLOATING:
        half = random_values(np.dtype(np.float16), shape, 1)
        some += [Tensor("half", shape, dtype, values=half), levelled("levels", shape, dtype)]
    assert_round_trip(some)


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, np.bool_])
@pytest.mark.parametrize("kind", ["half", "levels"])
def test_what_is_no_float_is_kept_as_it_is_and_in_no_other_way(dtype, kind):
    dtype = np.dtype(dtype)
    half = Tensor("a", (2, 3), dtype, values=random_values(np.dtype(np.float16), (2, 3), 1))
    data = tensors.encode([half if kind == "half" else levelled(dtype=dtype)], grids)
    with pytest.raises(CodecError, match=r"^a: .* is kept as it is, and in no other way$"):
        tensors.decode(data, grids, PLENTY)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    data = tensors.encode([Tensor("a", (2,), FLOAT, values=np.array([1.0, bad], FLOAT))], grids)
    with pytest.raises(CodecError, match=r"^a: has values that are NaN or infinite$"):
        tensors.decode(data, grids, PLENTY)


def test_a_truth_value_is_0_or_1():
    data = tensors.encode([Tensor("a", (2,), np.dtype(np.uint8), values=np.uint8([1, 2]))], grids)
    index, values = records.unpack(data)
    forged = records.pack(index.replace(bytes([5, 1, 2]), bytes([12, 1, 2])), [bytes(values)])
    assert forged != data
    with pytest.raises(CodecError, match=r"^a: a truth value is neither 0 nor 1$"):
        tensors.decode(forged, grids, PLENTY)


def test_rows_of_few_levels_count_towards_the_memory_that_decoding_takes():
    data = tensors.encode([levelled("a", (1 << 14, 1))], grids)
    assert len(tensors.decode(data, grids, 1 << 20)) == 1
    with pytest.raises(CodecError, match=r"^a: decoding it would take more memory"):
        tensors.decode(data, grids, 1 << 16)


def test_a_row_of_many_units_counts_with_all_that_is_learned_of_them():
    data = tensors.encode([levelled("a", (1 << 16,))], grids)
    assert len(tensors.decode(data, grids, 1 << 21)) == 1
    with pytest.raises(CodecError, match=r"^a: decoding it would take more memory"):
        tensors.decode(data, grids, 1 << 20)
    # Nothing is learned of zeros.
    zeros = tensors.encode([Tensor("a", (1 << 16,), FLOAT, levels=np.zeros(1 << 16, "i4"))], grids)
    assert len(tensors.decode(zeros, grids, 1 << 18)) == 1


@pytest.mark.parametrize(
    ("level", "coder"), [(1, entropy.MIXED), (-13, entropy.MIXED), (1, entropy.DENSE)]
)
def test_few_bytes_may_not_ask_for_many_bits(level, coder):
    """Levels that are all alike take next to no bytes, and as long to decode as others."""
    shape = (200, 1000)
    levels = np.full(shape, level, np.int32)
    coded = entropy.encode(levels, grids(shape, None), coder)
    data = payload(2, shape, rest=level_fields(data=coded))
    count = (abs(level) + 1) * levels.size
    enough = 8 * (count - 512 * len(coded))
    assert enough > 4 * levels.size
    assert len(tensors.decode(data, grids, enough)) == 1
    with pytest.raises(CodecError, match=r"^a: the levels take more work than a file of this size"):
        tensors.decode(data, grids, enough - 8)


@pytest.mark.parametrize(
    "transform",
    [
        Transform("haar", 2, (0, 1), (4, 4, 3)),
        Transform("haar", 2, (1,), (3, 16), ("", "a", "d")),
        Transform("haar", 1, (0,), (48,), ("",)),
        Transform("none", 0, (), (2, 2, 4, 3)),
    ],
    ids=["pyramid", "packets", "packets of one split", "identity"],
)
def test_a_transform_travels_along_with_its_unflattened_shape(transform):
    for shape in [(16, 3), (48,), transform.shape]:
        tensor = levelled("a", shape, transform=transform)
        assert tensor.levels.shape == transform.shape
        assert_round_trip([tensor])


@pytest.mark.parametrize("end", [1, -1, 1 << 20, (1 << 24) - 1, 1 - (1 << 24)])
def test_levels_of_all_sizes_come_back(end):
    levels = np.array([0, end, 0, 0, -end], np.int32)
    assert_round_trip([Tensor("a", (5,), FLOAT, levels=levels, step=0.25)])


def test_values_are_kept_in_their_own_bits():
    values = np.array([1.0, -0.0, np.inf, -np.nan, 1e-45], np.float32)
    data = tensors.encode([Tensor("a", (5,), FLOAT, values=values)], grids)
    assert data.endswith(values.astype("<f4").tobytes())
    big_endian = Tensor("a", (5,), FLOAT, values=values.astype(">f4"))
    assert tensors.encode([big_endian], grids) == data


def test_half_precision_takes_half_the_bytes_and_stays_half():
    values = np.arange(100, dtype=np.float16)
    data = tensors.encode([Tensor("a", (100,), FLOAT, values=values)], grids)
    assert len(data) < 212
    (found,) = tensors.decode(data, grids, PLENTY)
    assert found.values.dtype == np.float16
    assert found.dtype == np.float32


def test_no_levels_take_no_bytes_whatever_their_number():
    zeros = Tensor("a", (500, 2), FLOAT, levels=np.zeros((500, 2), np.int32), step=1.0)
    assert len(assert_round_trip([zeros])) == 19


@pytest.mark.parametrize(
    "names",
    [
        ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"],
        ["", "a", "ab", "a", "", "ab", "ab"],
        ["é", "éé", "è", "日本", "日本語", "日"],
        ["x" * 1024, "x" * 1023 + "y", "x" * 1024],
    ],
)
def test_names_that_begin_alike_come_back(names):
    assert_round_trip([raw(name, ()) for name in names])


def test_what_names_begin_with_alike_is_written_once():
    def size(*names):
        data = tensors.encode([raw(name, ()) for name in names], grids)
        return len(records.unpack(data)[0])

    assert size("block/layer/kernel", "block/layer/bias") - size("block/layer/kernel") == (
        size("bias")  # One byte says that there is one tensor; it also says that there are two.
        - 1
    )


def test_names_that_are_written_can_be_read():
    names = ["x" * 1000, "x" * 1000 + "y" * 100]
    try:
        data = tensors.encode([raw(name, ()) for name in names], grids)
    except ArgumentError:
        return
    assert [one.name for one in tensors.decode(data, grids, PLENTY)] == names


def test_a_tensor_without_values_and_levels_is_no_tensor():
    with pytest.raises(ValueError, match=r"^a has neither values nor levels$"):
        tensors.encode([Tensor("a", (2,), FLOAT)], grids)


def test_payloads_by_hand_are_read_where_they_are_right():
    (found,) = tensors.decode(payload(0, rest=b"\0\0\x80?" * 2), grids, PLENTY)
    np.testing.assert_array_equal(found.values, np.ones(2, np.float32))
    (found,) = tensors.decode(payload(2, rest=level_fields(**HAAR)), grids, PLENTY)
    assert found.transform == Transform("haar", 1, (0,), (2,))
    np.testing.assert_array_equal(found.levels, [0, 0])


def test_values_are_copies_that_may_be_written():
    data = tensors.encode([raw("a", (3,)), levelled("b", (3,))], grids)
    values, levels = tensors.decode(data, grids, PLENTY)
    values.values[:] = 1
    levels.levels[:] = 1
    assert_same(tensors.decode(data, grids, PLENTY)[0], raw("a", (3,)))


def test_the_records_of_a_small_payload_are_few():
    """Reading each takes time, and deflated they take next to no bytes."""
    some = [raw("", (0,))] * 7000
    data = tensors.encode(some, grids)
    assert len(data) < 500
    assert len(records.unpack(tensors.encode(some[:5000], grids))[0]) < 1 << 15
    with pytest.raises(CodecError, match=r"^the index of the tensors is longer than 3[0-9]{4}"):
        tensors.decode(data, grids, PLENTY)
    assert len(tensors.decode(tensors.encode(some[:5000], grids), grids, PLENTY)) == 5000
