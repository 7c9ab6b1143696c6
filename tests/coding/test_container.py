"""The outer form of a file: what is written, and that damage of any kind is one clear error."""

from __future__ import annotations

import hashlib
import random
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.checks import ArgumentError, UserError
from dwt_keras.coding import container
from dwt_keras.coding.container import Limits, Section, pack, unpack
from dwt_keras.coding.errors import CodecError

SMALL = [Section(1, b"first\n"), Section(2, b"", optional=True), Section(3, b"\x00\xff\r\n" * 40)]

# 127 is the longest payload whose length takes one byte.
GOLDEN = [Section(0, b"wavelets"), Section(127, b"", optional=True), Section(5, b"-" * 128)]
GOLDEN_BYTES = bytes.fromhex(
    "8944575a 0100"
    "00 08 776176656c657473 942e224d"
    "ff 00 dafd2e6f"
    "05 8001" + "2d" * 128 + "16f5dd79 213e3bfe7c04ad9f"
)


def varint(number):
    """The shortest varint, written down independently."""
    groups = [number >> 7 * k & 127 for k in range(max(1, -(-number.bit_length() // 7)))]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


def sealed(parts, header=b"\x89DWZ\x01\x00"):
    """A file of sections without checksums: those, and the digest, are put in."""
    body = header
    for number, part in enumerate(parts, start=1):
        body += part + struct.pack("<I", zlib.crc32(struct.pack("<I", number) + part))
    return body + hashlib.blake2b(body, digest_size=8).digest()


def bare(section):
    """A section without its checksum."""
    tag = section.kind + 128 * section.optional
    return bytes([tag]) + varint(len(section.payload)) + section.payload


def pieces(sections):
    """The header, each section with its checksum, and the digest of a file."""
    data = pack(sections)
    cuts = [0, 6]
    for section in sections:
        cuts.append(cuts[-1] + len(bare(section)) + 4)
    assert cuts[-1] + 8 == len(data)
    return [data[a:b] for a, b in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def refused(data, **options):
    """What is said about a file that must be refused."""
    with pytest.raises(CodecError) as refusal:
        unpack(data, **options)
    message = str(refusal.value)
    assert message
    assert message.isprintable()
    assert len(message) < 200
    return message


sections_of_any_kind = st.lists(
    st.builds(Section, st.integers(0, 127), st.binary(max_size=300), st.booleans()),
    max_size=6,
    unique_by=lambda section: section.kind,
)


@settings(deadline=None)
@given(sections_of_any_kind)
def test_what_is_packed_comes_out_in_the_same_order(sections):
    data = pack(sections)
    assert data == sealed(map(bare, sections))
    assert unpack(data) == sections
    assert unpack(memoryview(bytearray(data))) == sections
    assert all(type(section.payload) is bytes for section in unpack(memoryview(data)))


def test_the_bytes_are_those_of_version_1():
    assert pack(GOLDEN) == GOLDEN_BYTES
    assert unpack(GOLDEN_BYTES) == GOLDEN


def test_a_file_without_sections_is_the_header_and_a_digest():
    assert unpack(pack([])) == []
    assert len(pack([])) == 14


def test_three_large_sections_cost_at_most_45_bytes():
    sections = [Section(kind, bytes(1 << 21)) for kind in (1, 2, 3)]
    assert len(pack(sections)) - 3 * (1 << 21) == 14 + 3 * 9
    assert len(pack([Section(1, bytes(1000)), Section(2, b"text")])) - 1004 == 14 + 7 + 6


def test_every_flipped_bit_is_found():
    data = pack(SMALL)
    for place in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        refused(bytes(flipped))


def test_every_truncation_is_found():
    data = pack(SMALL)
    for length in range(len(data)):
        refused(data[:length])
        refused(data[len(data) - length :])


def test_every_appended_byte_is_found():
    data = pack(SMALL)
    for byte in range(256):
        refused(data + bytes([byte]))
    refused(data + data)
    refused(data + data[-8:])


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_is_found(seed):
    data = pack(SMALL)
    chance = random.Random(seed)
    for _ in range(500):
        damaged = bytearray(data)
        start = chance.randrange(len(data))
        stop = start + chance.randrange(1, 9)
        damaged[start:stop] = chance.randbytes(chance.randrange(9))
        if damaged != data:
            refused(bytes(damaged))


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_bytes_of_any_other_origin_are_refused(data):
    refused(data)
    refused(b"\x89DWZ\x01\x00" + data)


def test_a_section_in_another_place_is_found_with_a_new_digest_too():
    # Of one length, so that all but the checksums fit.
    sections = [Section(kind, bytes([kind]) * 9) for kind in (1, 2, 3)]
    header, one, two, three, digest = pieces(sections)
    for order in (
        [two, one, three],
        [one, three, two],
        [one, one, two, three],
        [one, two, two, three],
        [one, two, three, three],
        [two, three],
        [one, three],
    ):
        body = b"".join([header, *order])
        refused(body + digest)
        message = refused(body + hashlib.blake2b(body, digest_size=8).digest())
        assert "has another checksum than its bytes" in message


def test_a_missing_last_section_is_found_by_the_digest():
    header, one, two, three, digest = pieces(SMALL)
    assert refused(header + one + two + digest) == (
        "the file is damaged: its digest is not that of its bytes"
    )
    assert three


def test_sections_rearranged_with_all_checksums_are_another_file():
    one, two, three = map(bare, SMALL)
    assert unpack(sealed([three, one, two])) == [SMALL[2], SMALL[0], SMALL[1]]
    assert unpack(sealed([one])) == SMALL[:1]
    assert "section 3 is another one of kind 1" in refused(sealed([one, two, one]))


@settings(deadline=None, max_examples=500)
@given(st.data())
def test_forged_sections_are_refused_or_read_as_what_they_say(data):
    """With right checksums; lengths that reach into the next section or beyond the end."""
    parts = [bytearray(bare(section)) for section in SMALL]
    for _ in range(data.draw(st.integers(1, 3))):
        part = data.draw(st.sampled_from(parts))
        start = data.draw(st.integers(0, min(len(part), 4)))
        stop = start + data.draw(st.integers(0, 3))
        part[start:stop] = data.draw(st.binary(max_size=11))
    forged = sealed(map(bytes, parts))
    try:
        sections = unpack(forged)
    except CodecError as refusal:
        assert str(refusal).isprintable()
    else:
        assert pack(sections) == forged  # Each list of sections has one form alone.


@pytest.mark.parametrize("overlap", range(1, 12))
def test_a_length_that_reaches_into_the_next_section_is_refused(overlap):
    one, two = bare(Section(1, b"first")), bare(Section(2, b"second"))
    longer = one[:1] + varint(5 + overlap) + one[2:]
    refused(sealed([longer, two]))
    # The checksum made for the bytes that the length covers, in the place where it is sought.
    body = bytearray(sealed([one, two])[:-8])
    body[7] = 5 + overlap
    place = 6 + 2 + 5 + overlap
    body[place : place + 4] = struct.pack("<I", zlib.crc32(b"\x01\0\0\0" + body[6:place]))
    assert refused(bytes(body) + hashlib.blake2b(body, digest_size=8).digest())


@pytest.mark.parametrize("length", [1 << 20, 1 << 27, 1 << 28, 1 << 60, (1 << 64) - 1])
def test_a_declared_length_that_is_not_there_takes_no_memory(length):
    data = sealed([b"\x01" + varint(length) + b"short"])
    tracemalloc.start()
    try:
        message = refused(data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert f"needs {length} bytes" in message
    assert most < 100_000


@pytest.mark.parametrize(
    "length",
    [b"\x85\x00", b"\x85\x80\x00", b"\x80" * 9 + b"\x02", b"\xff" * 10 + b"\x01", b"\x80" * 40],
)
def test_a_length_in_another_form_is_refused(length):
    assert unpack(sealed([b"\x01\x05first"]))
    assert "number" in refused(sealed([b"\x01" + length + b"first"]))


@pytest.mark.parametrize(("major", "minor"), [(0, 9), (2, 0), (2, 7), (255, 255)])
@pytest.mark.parametrize("behind", [b"", b"what a later version holds"])
def test_another_major_version_is_refused_with_both_versions(major, minor, behind):
    assert refused(b"\x89DWZ" + bytes([major, minor]) + behind) == (
        f"the file has version {major}.{minor} of the format; this reader knows version 1"
    )


@pytest.mark.parametrize("minor", [1, 255])
def test_a_later_minor_version_is_read(minor):
    assert unpack(sealed(map(bare, SMALL), b"\x89DWZ\x01" + bytes([minor]))) == SMALL


def test_a_section_of_an_unknown_kind_is_skipped_if_it_is_optional():
    assert unpack(pack(SMALL), known={1, 3}) == [SMALL[0], SMALL[2]]
    twice = sealed(map(bare, [*SMALL, SMALL[1]]))
    assert unpack(twice, known={1, 3}) == [SMALL[0], SMALL[2]]
    assert refused(twice, known={1, 2, 3}) == "section 4 is another one of kind 2"


def test_a_skipped_section_is_checked_all_the_same():
    header, one, two, three, _ = pieces(SMALL)
    body = header + one + two[:-1] + bytes([two[-1] ^ 1]) + three
    data = body + hashlib.blake2b(body, digest_size=8).digest()
    assert "section 2 has another checksum" in refused(data, known={1, 3})


def test_a_section_of_an_unknown_kind_is_refused_if_it_is_required():
    assert refused(pack(SMALL), known={1, 2}) == (
        "section 3 is of kind 3, which this reader does not know and must not skip; "
        "a newer version may read the file"
    )
    assert "section 1" in refused(pack(SMALL), known=())


def test_only_kinds_that_allow_it_occur_several_times():
    sections = [Section(4, b"a"), Section(4, b"b"), Section(6, b"c"), Section(4, b"a")]
    data = pack(sections, several={4})
    assert unpack(data, several={4}) == sections
    assert refused(data) == "section 2 is another one of kind 4"
    assert refused(data, several={6}) == "section 2 is another one of kind 4"
    with pytest.raises(ArgumentError, match=r"^sections must have each kind once; given kind 4"):
        pack(sections)


def test_limits_hold_for_readers_and_writers():
    data = pack(SMALL)
    exact = Limits(file_bytes=len(data), sections=3)
    assert pack(SMALL, exact) == data
    assert unpack(data, exact) == SMALL
    small, few = Limits(file_bytes=len(data) - 1), Limits(sections=2)
    assert refused(data, limits=small) == (
        f"the file has {len(data)} bytes, more than the limit of {len(data) - 1}"
    )
    assert refused(data, limits=few) == "the file has more sections than the limit of 2"
    with pytest.raises(ArgumentError, match=f"file of at most {len(data) - 1} bytes; given"):
        pack(SMALL, small)
    with pytest.raises(ArgumentError, match="sections must be at most 2; given 3"):
        pack(SMALL, few)


def test_skipped_sections_count_too():
    data = sealed([bare(Section(9, b"", optional=True))] * 5000)
    assert "more sections than the limit of 4096" in refused(data, known={1})


def test_the_limits_by_default():
    limits = container.LIMITS
    assert (limits.file_bytes, limits.sections, limits.value_bytes) == (2**28, 4096, 2**32)
    assert (limits.small_value_bytes, limits.expansion) == (2**25, 2**11)


def test_a_small_file_may_ask_for_little_and_a_large_one_for_more():
    limits = Limits(value_bytes=1000, small_value_bytes=100, expansion=5)
    assert [limits.values_of(size) for size in (1, 20, 21, 200, 201)] == [100, 100, 105, 1000, 1000]
    assert container.UNLIMITED.values_of(1) == 2**62
    limits = Limits(layer_calls=1000, small_layer_calls=100, bytes_a_call=5)
    assert [limits.calls_of(size) for size in (1, 504, 505, 4999, 5001)] == [
        100,
        100,
        101,
        999,
        1000,
    ]
    assert container.UNLIMITED.calls_of(1) == 2**62


def test_the_payloads_take_no_more_memory_than_the_file():
    data = pack([Section(1, bytes(1 << 20)), Section(2, bytes(1 << 20))])
    tracemalloc.start()
    try:
        sections = unpack(data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(sections) == 2
    assert most < len(data) + 50_000


@pytest.mark.parametrize(
    "change",
    [
        lambda data: bytes(byte & 127 for byte in data),
        lambda data: data.decode("latin-1").encode("utf-8"),
        lambda data: data.decode("utf-8", "replace").encode("utf-8"),
        lambda data: data.decode("ascii", "replace").replace("\ufffd", "?").encode("ascii"),
    ],
)
def test_a_file_that_was_taken_for_text_is_told_so(change):
    assert refused(change(pack(SMALL))) == (
        "the file was taken for text and changed; copy it as binary"
    )


@pytest.mark.parametrize("ends", [(b"\n", b"\r\n"), (b"\r\n", b"\n"), (b"\n", b"\r")])
def test_changed_line_ends_are_found(ends):
    data = pack(SMALL)
    assert data.replace(*ends) != data
    refused(data.replace(*ends))


@pytest.mark.parametrize(
    ("data", "start"), [(b"", "nothing"), (b"\x89D", "8944"), (b"\x89HDF\r\n\x1a\n", "89484446")]
)
def test_another_file_is_told_by_how_it_begins(data, start):
    assert refused(data) == (f"this is no .dwtz file: it begins with {start} instead of 8944575a")


@pytest.mark.parametrize("place", range(4))
def test_another_magic_is_refused_though_the_digest_is_right(place):
    header = bytearray(b"\x89DWZ\x01\x00")
    header[place] ^= 1
    assert "no .dwtz file" in refused(sealed(map(bare, SMALL), bytes(header)))


@pytest.mark.parametrize(
    ("length", "part"), [(4, "version"), (5, "version"), (6, "digest"), (13, "digest")]
)
def test_a_file_that_ends_before_any_section_is_told_where(length, part):
    assert refused(pack([])[:length]) == f"the file is damaged: it ends within its {part}"


@pytest.mark.parametrize("kind", [-1, 128, 1.0, True, None])
def test_a_kind_that_has_no_byte_is_refused(kind):
    with pytest.raises(ArgumentError, match=r"^kind must be"):
        Section(kind, b"")


def test_an_error_is_for_a_person():
    assert issubclass(CodecError, UserError)


@pytest.mark.parametrize("name", ["a" * 10_000, "\x1b" * 900, "\n" * 1_000_000])
def test_a_message_is_short_whatever_names_are_in_it(name):
    text = str(CodecError(f"{name}: is damaged"))
    assert len(text) == 1000
    assert text.isprintable()
    assert text.endswith("...")
    assert str(CodecError("a: is damaged")) == "a: is damaged"
