"""Fields of a payload: what is written comes back, and nothing else is read."""

from __future__ import annotations

import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.checks import ArgumentError
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.fields import MOST_AXES, MOST_TEXT, Reader, Writer

LARGEST = 2**64 - 1

# For each kind of field: values, and what reading it needs.
FIELDS = {
    "unsigned": (st.integers(0, LARGEST), {}),
    "signed": (st.integers(-(2**63) + 1, 2**63 - 1), {}),
    "float32": (st.floats(width=32, allow_nan=False, allow_infinity=False), {}),
    "float64": (st.floats(allow_nan=False, allow_infinity=False), {}),
    "text": (st.text(st.characters(exclude_categories=["Cs"]), max_size=40), {}),
    "block": (st.binary(max_size=300), {}),
    "shape": (
        st.lists(st.integers(0, 9), max_size=6).map(tuple),
        {"limit": 9**6},
    ),
}

named_values = st.lists(
    st.sampled_from(sorted(FIELDS)).flatmap(lambda name: st.tuples(st.just(name), FIELDS[name][0])),
    max_size=8,
)


def written(name, *values, **options):
    """The bytes of fields of one kind."""
    writer = Writer()
    for value in values:
        getattr(writer, name)(value, **options)
    return writer.to_bytes()


def read(name, data, **options):
    """The only field of some bytes."""
    reader = Reader(data)
    value = getattr(reader, name)(**{**FIELDS[name][1], **options})
    reader.finish()
    return value


def refused(name, data, *what, **options):
    """What is said about bytes that are no such field."""
    reader = Reader(data)
    with pytest.raises(CodecError) as refusal:
        getattr(reader, name)(*what, **{**FIELDS.get(name, (None, {}))[1], **options})
    message = str(refusal.value)
    assert message.isprintable()
    assert len(message) < 200
    return message


def peak(call):
    """Most bytes that a call had at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@settings(deadline=None)
@given(named_values)
def test_fields_come_back_in_their_order(values):
    writer = Writer()
    for name, value in values:
        getattr(writer, name)(value)
    data = writer.to_bytes()
    for source in (data, bytearray(data), memoryview(data)):
        reader = Reader(source)
        for name, value in values:
            again = getattr(reader, name)(**FIELDS[name][1])
            assert again == value
            if isinstance(value, float):
                assert math.copysign(1, again) == math.copysign(1, value)
        assert (reader.position, reader.left) == (len(data), 0)
        reader.finish()


def test_the_bytes_are_those_of_version_1():
    writer = Writer()
    writer.unsigned(300)
    writer.signed(-65)
    writer.signed(64)
    writer.float32(-1.5)
    writer.float64(0.1)
    writer.text("ψ4")
    writer.block(b"\x00\xff")
    writer.shape((3, 1, 128))
    writer.raw(b"end")
    expected = "ac02 8101 8001 0000c0bf 9a9999999999b93f 03cf8834 0200ff 0303018001 656e64"
    assert writer.to_bytes() == bytes.fromhex(expected)


@pytest.mark.parametrize("bits", range(1, 65))
def test_a_whole_number_takes_a_byte_for_seven_bits(bits):
    for value in (1 << bits - 1, (1 << bits) - 1):
        data = written("unsigned", value)
        assert len(data) == math.ceil(bits / 7)
        assert read("unsigned", data) == value


@pytest.mark.parametrize(
    ("value", "coded"), [(0, 0), (-1, 1), (1, 2), (-2, 3), (2**63 - 1, 2**64 - 2)]
)
def test_a_sign_is_the_lowest_bit(value, coded):
    assert written("signed", value) == written("unsigned", coded)


def test_numbers_of_numpy_are_numbers():
    assert written("unsigned", np.uint64(LARGEST)) == written("unsigned", LARGEST)
    assert written("signed", np.int8(-3)) == b"\x05"
    assert written("float32", np.float32(0.1)) == np.float32(0.1).tobytes()
    assert written("shape", np.zeros((4, 2)).shape) == b"\x02\x04\x02"
    assert written("shape", np.array([4, 2])) == b"\x02\x04\x02"
    values = np.arange(3, dtype="<i2")
    assert written("block", values.data) == b"\x06" + values.tobytes()
    assert written("block", np.zeros((2, 0)).data) == b"\x00"


@pytest.mark.parametrize(
    "data",
    [b"\x80\x00", b"\xff\x00", b"\x81\x80\x00", b"\xff" * 9 + b"\x00", b"\x80" * 9 + b"\x00"],
)
@pytest.mark.parametrize("name", ["unsigned", "signed", "text", "block", "shape"])
def test_a_number_that_is_not_in_its_shortest_form_is_refused(name, data):
    assert "shortest form" in refused(name, data + bytes(200))


@pytest.mark.parametrize(
    "data", [b"\xff" * 9 + b"\x02", b"\x80" * 9 + b"\x7f", b"\xff" * 10 + b"\x01", b"\x80" * 500]
)
@pytest.mark.parametrize("name", ["unsigned", "signed", "text", "block", "shape"])
def test_a_number_of_more_than_64_bits_is_refused(name, data):
    assert "more than 64 bits" in refused(name, data + bytes(200))


@settings(deadline=None)
@given(named_values.filter(bool))
def test_data_that_end_too_early_are_refused(values):
    *before, (name, value) = values
    writer = Writer()
    for each, content in before:
        getattr(writer, each)(content)
    start = len(writer.to_bytes())
    getattr(writer, name)(value)
    data = writer.to_bytes()
    for length in range(start, len(data)):
        reader = Reader(data[:length])
        for each, _ in before:
            getattr(reader, each)(**FIELDS[each][1])
        with pytest.raises(CodecError, match=r"the wanted was expected at|of the wanted was exp"):
            getattr(reader, name)("the wanted", **FIELDS[name][1])


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(FIELDS)), st.binary(max_size=40))
def test_any_bytes_are_refused_or_the_one_form_of_a_value(name, data):
    reader = Reader(data)
    try:
        value = getattr(reader, name)(**FIELDS[name][1])
    except CodecError as refusal:
        assert str(refusal).isprintable()
    else:
        assert written(name, value) == data[: reader.position]


def test_bytes_behind_the_last_field_are_refused():
    reader = Reader(b"\x01\x02\x03")
    reader.unsigned()
    for _ in range(2):
        left = reader.left
        with pytest.raises(CodecError) as refusal:
            reader.finish()
        assert str(refusal.value) == (
            f"the data go on behind their last field, at byte {3 - left}: "
            f"{left} byte{'s' * (left > 1)} too many"
        )
        reader.unsigned()
    reader.finish()


def test_a_message_says_what_was_expected_where():
    reader = Reader(b"\x07\x90\x03")
    assert reader.unsigned("the number of layers") == 7
    with pytest.raises(CodecError) as refusal:
        reader.unsigned("the number of axes", limit=255)
    assert str(refusal.value) == (
        "the number of axes was expected at byte 1: 400 is above the limit of 255"
    )
    assert refused("raw", b"abc", 4, "the header") == (
        "the header was expected at byte 0: it needs 4 bytes, 3 are left"
    )
    assert refused("unsigned", b"", "the level") == (
        "the level was expected at byte 0: the data end too early"
    )


@pytest.mark.parametrize(
    ("name", "value", "size"),
    [
        ("unsigned", 300, 300),
        ("signed", 300, 300),
        ("signed", -300, 300),
        ("text", "é" * 150, 300),
        ("block", bytes(300), 300),
        ("shape", (3, 1, 10, 10), 300),
        ("shape", (300,), 300),
        ("shape", (0, 300), 300),
        ("shape", (300, 0), 300),
    ],
)
def test_a_limit_is_what_is_still_allowed(name, value, size):
    data = written(name, value)
    assert read(name, data, limit=size) == value
    assert f"the limit of {size - 1}" in refused(name, data, limit=size - 1)


@pytest.mark.parametrize("length", [1 << 24, 1 << 60, LARGEST])
@pytest.mark.parametrize("name", ["text", "block"])
def test_a_declared_length_that_is_not_there_takes_no_memory(name, length):
    data = written("unsigned", length) + b"short"
    assert peak(lambda: refused(name, data, limit=LARGEST)) < 50_000
    assert f"needs {length} bytes, 5 are left" in refused(name, data, limit=LARGEST)


def test_a_block_is_not_copied():
    data = written("block", bytes(1 << 20))
    assert peak(lambda: read("block", data)) < 50_000


@pytest.mark.parametrize("shape", [(1 << 60,), (1 << 40, 1 << 40), (LARGEST, 0), (0, 1 << 62)])
def test_a_shape_that_numpy_cannot_make_is_refused(shape):
    assert "more values than the limit" in refused("shape", written("shape", shape), limit=1 << 30)


def test_the_number_of_axes_is_limited():
    most = (1,) * MOST_AXES
    assert read("shape", written("shape", most), limit=1) == most
    assert f"limit of {MOST_AXES}" in refused("shape", bytes([MOST_AXES + 1]) + bytes([1] * 99))
    with pytest.raises(ArgumentError, match="at most 32 axes; given 33"):
        Writer().shape((*most, 1))


def test_the_length_of_a_text_is_limited_unless_the_call_says_otherwise():
    longest = "a" * MOST_TEXT
    assert read("text", written("text", longest)) == longest
    longer = longest + "a"
    data = written("text", longer, limit=MOST_TEXT + 1)
    assert read("text", data, limit=MOST_TEXT + 1) == longer
    assert f"the limit of {MOST_TEXT}" in refused("text", data)
    with pytest.raises(ArgumentError, match=f"at most {MOST_TEXT} bytes; given {MOST_TEXT + 1}"):
        Writer().text(longer)


@pytest.mark.parametrize(
    "data", [b"\xff", b"\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xce", b"\xf4\x90\x80\x80"]
)
def test_text_in_another_form_than_utf8_is_refused(data):
    assert refused("text", written("block", data), "a name") == (
        "a name was expected at byte 0: the text is not UTF-8"
    )


@pytest.mark.parametrize(("name", "form"), [("float32", "<f"), ("float64", "<d")])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_infinite_numbers_and_nan_are_only_for_those_who_ask(name, form, value):
    data = struct.pack(form, value)
    assert f"{value} is not finite" in refused(name, data)
    again = read(name, data, finite=False)
    assert again == value or (math.isnan(again) and math.isnan(value))
    assert written(name, value, finite=False) == data
    with pytest.raises(ArgumentError, match="value must be a finite number; given"):
        getattr(Writer(), name)(value)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("unsigned", -1, "must be a whole number from 0"),
        ("unsigned", 2**64, "must be a whole number from 0"),
        pytest.param("unsigned", 1 << 20000, "given one of 20001 bits", id="huge"),
        ("signed", 2**63, "at most 63 bits"),
        ("signed", -(2**63), "at most 63 bits"),
        ("float32", 1e39, "must fit a float of 32 bits"),
        ("float32", -3.5e38, "must fit a float of 32 bits"),
        ("float64", 10**400, "must fit a float of 64 bits"),
        ("text", "\ud800", "must be text that UTF-8 can encode"),
        ("shape", (3, -1), "must be a whole number from 0"),
    ],
)
def test_a_value_that_cannot_be_read_again_is_not_written(name, value, problem):
    with pytest.raises(ArgumentError, match=problem):
        getattr(Writer(), name)(value)


@pytest.mark.parametrize("name", ["unsigned", "signed", "shape"])
@pytest.mark.parametrize("value", [3.0, np.float32(3), "3", None])
def test_only_whole_numbers_are_written_as_such(name, value):
    with pytest.raises(TypeError):
        getattr(Writer(), name)((value,) if name == "shape" else value)


def test_the_smallest_of_signed_numbers_is_refused_as_it_is_not_written():
    data = written("unsigned", LARGEST)
    assert "-9223372036854775808 is beyond" in refused("signed", data)
    assert "-9223372036854775808 is beyond" in refused("signed", data, limit=LARGEST)


def test_a_number_of_32_bits_is_the_nearest():
    assert read("float32", written("float32", 0.1)) == float(np.float32(0.1))
    assert read("float32", written("float32", 3.4028235e38)) == float(np.finfo(np.float32).max)


def test_a_negative_count_is_refused():
    reader = Reader(b"abc")
    reader.raw(2)
    with pytest.raises(CodecError, match="needs -1 bytes"):
        reader.raw(-1)
    assert reader.raw(1) == b"c"


def test_a_name_from_the_file_cannot_break_the_line_of_a_message():
    name = "ψ a\nb\r\x1b[2J\u202e\u2028\0"
    assert refused("raw", b"", 1, name) == (
        r"ψ a\nb\r\x1b[2J\u202e\u2028\x00 was expected at byte 0: it needs 1 byte, 0 are left"
    )
