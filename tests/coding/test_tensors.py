"""Tensors as bytes and back, and payloads that are none."""

from __future__ import annotations

import math
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dwt_keras.checks import ArgumentError, UserError
from dwt_keras.coding import entropy, records, tensors
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.fields import Writer
from dwt_keras.coding.grid import Grid
from dwt_keras.coding.records import Transform
from dwt_keras.coding.tensors import Tensor

PLENTY = 1 << 20
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
DTYPES = list(records.DTYPES.values())
FLOATING = [np.dtype(d) for d in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
FLOAT = np.dtype(np.float32)


def grids(shape, transform):
    """The last axis are the units; haar and the identity are all there is."""
    if transform is not None:
        if transform.wavelet not in ("haar", "none"):
            raise UserError(f"there is no wavelet {transform.wavelet}")
        shape = transform.shape
    return Grid((1, 1, math.prod(shape[:-1]), math.prod(shape[-1:])))


def random_values(dtype, shape, seed):
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in FLOATING:
        return rng.standard_normal(shape).astype(dtype)
    return np.frombuffer(rng.bytes(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)


def random_levels(shape, seed):
    return np.random.default_rng(seed).integers(-2, 3, shape, dtype=np.int32)


def raw(name="a", shape=(2, 3), dtype=FLOAT, seed=0):
    return Tensor(name, shape, dtype, values=random_values(dtype, shape, seed))


def levelled(name="a", shape=(2, 3), dtype=FLOAT, step=0.5, transform=None, seed=0):
    levels = random_levels(transform.shape if transform else shape, seed)
    return Tensor(name, shape, dtype, levels=levels, step=step, transform=transform)


@st.composite
def transforms(draw, shape):
    """None, or one with any axes; whether a basis exists is for others to say."""
    if draw(st.booleans()):
        return None
    unflattened = draw(st.sampled_from([shape, (1, *shape, 1), (math.prod(shape),)]))
    axes = tuple(axis for axis in range(len(unflattened)) if draw(st.booleans()))
    paths = st.lists(st.text("ad", max_size=9), min_size=1, max_size=4, unique=True).map(tuple)
    splits = draw(st.none() | paths)
    level = draw(st.integers(0, 64))
    return Transform(draw(st.sampled_from(["haar", "none"])), level, axes, unflattened, splits)


@st.composite
def any_tensor(draw):
    name = draw(st.text("ab/é", max_size=8))
    shape, dtype = draw(SHAPES), draw(st.sampled_from(DTYPES))
    seed, kind = draw(st.integers(0, 99)), draw(st.sampled_from(["raw", "half", "levels"]))
    if dtype not in FLOATING:
        kind = "raw"
    if kind == "levels":
        step = draw(st.floats(0, 2**100, width=32))
        return levelled(name, shape, dtype, step, draw(transforms(shape)), seed)
    kept = dtype if kind == "raw" else np.dtype(np.float16)
    return Tensor(name, shape, dtype, values=random_values(kept, shape, seed))


def assert_same(found, expected):
    assert found.name == expected.name
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.step == expected.step
    assert found.transform == expected.transform
    assert (found.values is None) == (expected.values is None)
    for one, other in ((found.values, expected.values), (found.levels, expected.levels)):
        if other is not None:
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert one.tobytes() == other.tobytes()


def assert_round_trip(given_tensors):
    data = tensors.encode(given_tensors, grids)
    found = tensors.decode(data, grids, PLENTY)
    assert len(found) == len(given_tensors)
    for one, other in zip(found, given_tensors, strict=True):
        assert_same(one, other)
    assert tensors.encode(found, grids) == data
    return data


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


def payload(kind, shape=(2,), dtype=0, rest=b"", name="a", shared=0, count=1):
    """A payload by hand, of one tensor; the rest are its values, or `level_fields`."""
    writer = Writer()
    writer.unsigned(count)
    writer.unsigned(shared)
    writer.text(name)
    writer.raw(bytes([dtype]))
    writer.shape(shape)
    fields, coded = rest if isinstance(rest, tuple) else (b"", rest)
    writer.raw(bytes([kind]) + fields)
    return records.pack(writer.to_bytes(), [coded])


def level_fields(step=0.5, wavelet="", unflattened=None, level=1, mask=1, splits=(), data=b""):
    writer = Writer()
    writer.float32(step, finite=False)
    writer.text(wavelet)
    if wavelet:
        writer.shape(unflattened)
        writer.unsigned(level)
        writer.unsigned(mask)
        writer.unsigned(len(splits))
        for path in splits:
            writer.text(path)
    writer.unsigned(len(data))
    return writer.to_bytes(), data


HAAR = {"wavelet": "haar", "unflattened": (2,)}


def test_payloads_by_hand_are_read_where_they_are_right():
    (found,) = tensors.decode(payload(0, rest=b"\0\0\x80?" * 2), grids, PLENTY)
    np.testing.assert_array_equal(found.values, np.ones(2, np.float32))
    (found,) = tensors.decode(payload(2, rest=level_fields(**HAAR)), grids, PLENTY)
    assert found.transform == Transform("haar", 1, (0,), (2,))
    np.testing.assert_array_equal(found.levels, [0, 0])


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


def test_values_are_copies_that_may_be_written():
    data = tensors.encode([raw("a", (3,)), levelled("b", (3,))], grids)
    values, levels = tensors.decode(data, grids, PLENTY)
    values.values[:] = 1
    levels.levels[:] = 1
    assert_same(tensors.decode(data, grids, PLENTY)[0], raw("a", (3,)))


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


@settings(max_examples=400)
@given(CHANGES)
def test_changed_payloads_are_refused_or_give_tensors_within_the_limit(changes):
    data = bytearray(WHOLE)
    for what, place, byte in changes:
        if what == "set" and place < len(data):
            data[place] = byte
        elif what == "insert":
            data.insert(place, byte)
        elif what == "delete":
            del data[place : place + 1]
        elif what == "cut":
            del data[place:]
    decoded_or_refused(bytes(data), 1 << 12)


@settings(max_examples=400)
@given(CHANGES)
def test_changed_indexes_are_refused_or_give_tensors_within_the_limit(changes):
    """Behind the deflate, where a change of the payload seldom gets to."""
    index, values = records.unpack(WHOLE)
    data = bytearray(index)
    for what, place, byte in changes:
        place %= max(len(data), 1)
        if what == "set":
            data[place : place + 1] = bytes([byte])
        elif what == "insert":
            data.insert(place, byte)
        elif what == "delete":
            del data[place : place + 1]
        elif what == "cut":
            del data[place:]
    decoded_or_refused(records.pack(bytes(data), [bytes(values)]), 1 << 12)


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


@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_give_tensors_within_the_limit(data):
    decoded_or_refused(data, 1 << 12)
    decoded_or_refused(records.pack(b"\x01\x00\x01a" + data, [data]), 1 << 12)


def test_the_records_of_a_small_payload_are_few():
    """Reading each takes time, and deflated they take next to no bytes."""
    some = [raw("", (0,))] * 7000
    data = tensors.encode(some, grids)
    assert len(data) < 500
    assert len(records.unpack(tensors.encode(some[:5000], grids))[0]) < 1 << 15
    with pytest.raises(CodecError, match=r"^the index of the tensors is longer than 3[0-9]{4}"):
        tensors.decode(data, grids, PLENTY)
    assert len(tensors.decode(tensors.encode(some[:5000], grids), grids, PLENTY)) == 5000
