"""The outer form of a .dwtz file: sections of bytes, whose damage shows.

    file      magic (4 bytes), major version, minor version (1 byte each), sections, digest
    section   tag (1 byte), length of the payload (varint), payload, checksum (4 bytes)

The tag is the kind of the section, plus 128 if a reader that does not know the kind may skip it.
The checksum is the CRC-32 of the section's number, counted from 1 (4 bytes), and of all of its
bytes before the checksum: each flip of up to 32 neighbouring bits shows, and so does a section in
another's place. The digest is the BLAKE2b of 8 bytes of all before it. Whole numbers are
little-endian.

Neither is a signature: they show accidents, not forgery. A reader must expect any bytes in a
payload, whatever the checksums say.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.coding import fields
from dwt_keras.coding.errors import CodecError

# The first byte is no ASCII, and no UTF-8 either: what takes the file for text will change it.
MAGIC = b"\x89DWZ"
VERSION = (1, 0)

_CHECKSUM_BYTES = 4
_DIGEST_BYTES = 8
_OPTIONAL = 0x80
_LAST_KIND = 0x7F

# What becomes of the magic if the file is taken for text: the highest bits cut off, the bytes
# decoded as Latin-1, or those that are not UTF-8 replaced.
_AS_TEXT = (b"\x09DWZ", b"\xc2\x89DWZ", b"\xef\xbf\xbdDWZ", b"?DWZ")


@dataclass(frozen=True)
class Limits:
    """How much a file may make its reader do.

    A few bytes can say "a million zeros", and rightly so. What a file may decode to grows with its
    size, so that only a large file can ask for much.

    Attributes:
        file_bytes: Largest file.
        sections: Most sections.
        value_bytes: Most bytes that all decoded arrays together may take, whatever the size.
        small_value_bytes: How many of them a file may take, however small it is, ...
        expansion: ... and how many for each of its bytes, if that is more.
        layer_calls: Most calls of layers that building its model may take, whatever the size;
            making a layer counts as three more, and a variable as one. One takes about a
            millisecond.
        small_layer_calls: How many of them a file may take, however small it is, ...
        bytes_a_call: ... and one for so many of its bytes, if that is more.
    """

    file_bytes: int = 1 << 28
    sections: int = 1 << 12
    value_bytes: int = 1 << 32
    small_value_bytes: int = 1 << 25
    expansion: int = 1 << 11
    layer_calls: int = 7500
    small_layer_calls: int = 2500
    bytes_a_call: int = 16

    def values_of(self, file_bytes: int) -> int:
        """Most bytes that the decoded arrays of a file of that size may take."""
        return min(self.value_bytes, max(self.small_value_bytes, self.expansion * file_bytes))

    def calls_of(self, file_bytes: int) -> int:
        """Most calls of layers that building the model of a file of that size may take."""
        return min(self.layer_calls, max(self.small_layer_calls, file_bytes // self.bytes_a_call))


LIMITS = Limits()
# For files that one has made oneself.
UNLIMITED = Limits(1 << 62, 1 << 62, 1 << 62, 1 << 62, 1, 1 << 62, 1 << 62, 1 << 62)


@dataclass(frozen=True)
class Section:
    """A part of the file.

    Attributes:
        kind: What it is, from 0 to 127; the container gives no kind a meaning.
        payload: Its bytes.
        optional: Whether a reader that does not know the kind may skip it.
    """

    kind: int
    payload: bytes
    optional: bool = False

    def __post_init__(self) -> None:
        if checks.integer("kind", self.kind, least=0) > _LAST_KIND:
            raise checks.ArgumentError("kind", f"must be at most {_LAST_KIND}; given {self.kind}")


def pack(
    sections: Sequence[Section], limits: Limits = LIMITS, *, several: Collection[int] = ()
) -> bytes:
    """The bytes of a file; they depend on the sections alone.

    Args:
        sections: In the order of the file.
        limits: What its readers allow.
        several: Kinds that may occur more than once.

    Raises:
        ArgumentError: If another kind occurs more than once, or a limit is exceeded.
    """
    if len(sections) > limits.sections:
        raise checks.ArgumentError(
            "sections", f"must be at most {limits.sections}; given {len(sections)}"
        )
    parts = [MAGIC, bytes(VERSION)]
    seen: set[int] = set()
    for number, section in enumerate(sections, start=1):
        if section.kind in seen and section.kind not in several:
            raise checks.ArgumentError(
                "sections", f"must have each kind once; given kind {section.kind} again"
            )
        seen.add(section.kind)
        head = fields.Writer()
        head.raw(bytes([section.kind | (_OPTIONAL if section.optional else 0)]))
        head.unsigned(len(section.payload))
        parts += [head.to_bytes(), section.payload]
        parts.append(_checksum(number, *parts[-2:]))
    size = sum(map(len, parts)) + _DIGEST_BYTES
    if size > limits.file_bytes:
        raise checks.ArgumentError(
            "sections", f"must make a file of at most {limits.file_bytes} bytes; given {size}"
        )
    return b"".join([*parts, _digest(*parts)])


def unpack(
    data: bytes | memoryview,
    limits: Limits = LIMITS,
    *,
    known: Collection[int] | None = None,
    several: Collection[int] = (),
) -> list[Section]:
    """The sections of a file, in its order.

    Args:
        data: All bytes of the file.
        limits: Checked before memory is taken; the payloads take no more than the file does.
        known: Kinds that the caller reads; others are left out if they are optional, and refused
            if not. None for all kinds.
        several: Kinds that may occur more than once.

    Raises:
        CodecError: If the data are anything else than a whole file within the limits, of a major
            version and of kinds that are known.
    """
    view = fields.as_bytes(data)
    if len(view) > limits.file_bytes:
        raise CodecError(
            f"the file has {len(view)} bytes, more than the limit of {limits.file_bytes}"
        )
    _check_head(view)
    reader = fields.Reader(view[:-_DIGEST_BYTES])
    reader.raw(len(MAGIC) + len(VERSION), "the header")
    found: list[Section] = []
    seen: set[int] = set()
    number = 0
    while reader.left:
        number += 1
        if number > limits.sections:
            raise CodecError(f"the file has more sections than the limit of {limits.sections}")
        section = _read_section(reader, view, number)
        if known is not None and section.kind not in known:
            if section.optional:
                continue
            raise CodecError(
                f"section {number} is of kind {section.kind}, which this reader does not know "
                "and must not skip; a newer version may read the file"
            )
        if section.kind in seen and section.kind not in several:
            raise CodecError(f"section {number} is another one of kind {section.kind}")
        seen.add(section.kind)
        found.append(section)
    if _digest(view[:-_DIGEST_BYTES]) != view[-_DIGEST_BYTES:]:
        raise CodecError("the file is damaged: its digest is not that of its bytes")
    return found


def _check_head(view: memoryview) -> None:
    """Checks magic and major version; a later version may have changed all that follows."""
    start = bytes(view[:8])
    if not start.startswith(MAGIC):
        if start.startswith(_AS_TEXT):
            raise CodecError("the file was taken for text and changed; copy it as binary")
        raise CodecError(
            f"this is no .dwtz file: it begins with {start[:4].hex() or 'nothing'} instead of "
            f"{MAGIC.hex()}"
        )
    if len(view) < len(MAGIC) + len(VERSION):
        raise CodecError("the file is damaged: it ends within its version")
    major, minor = view[len(MAGIC)], view[len(MAGIC) + 1]
    if major != VERSION[0]:
        raise CodecError(
            f"the file has version {major}.{minor} of the format; this reader knows version "
            f"{VERSION[0]}"
        )
    if len(view) < len(MAGIC) + len(VERSION) + _DIGEST_BYTES:
        raise CodecError("the file is damaged: it ends within its digest")


def _read_section(reader: fields.Reader, view: memoryview, number: int) -> Section:
    start = reader.position
    tag = reader.raw(1, f"section {number}")[0]
    payload = reader.block(f"the payload of section {number}")
    checksum = _checksum(number, view[start : reader.position])
    if reader.raw(_CHECKSUM_BYTES, f"the checksum of section {number}") != checksum:
        raise CodecError(
            f"the file is damaged: section {number} has another checksum than its bytes"
        )
    return Section(tag & _LAST_KIND, bytes(payload), bool(tag & _OPTIONAL))


def _checksum(number: int, *parts: bytes | memoryview) -> bytes:
    value = zlib.crc32(number.to_bytes(_CHECKSUM_BYTES, "little"))
    for part in parts:
        value = zlib.crc32(part, value)
    return value.to_bytes(_CHECKSUM_BYTES, "little")


def _digest(*parts: bytes | memoryview) -> bytes:
    state = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        state.update(part)
    return state.digest()
