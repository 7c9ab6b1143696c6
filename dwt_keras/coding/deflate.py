"""Raw deflate (RFC 1951) with a preset dictionary, for short texts and tables."""

from __future__ import annotations

import zlib

from dwt_keras.coding.errors import CodecError


def deflated(data: bytes, dictionary: bytes) -> bytes:
    """Compresses bytes, the most that zlib can.

    Another library than zlib (zlib-ng, say) may choose other bytes, which inflate to the same.
    """
    found = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy, dictionary)
        found.append(packer.compress(data) + packer.flush())
    return min(found, key=len)


def inflated(data: bytes | memoryview, dictionary: bytes, most: int, what: str) -> bytes:
    """Inverts `deflated`.

    Args:
        data: All of it, and nothing behind.
        dictionary: The one given to `deflated`.
        most: Size of the result from which on it is refused, before memory is taken for more.
        what: Whose bytes they are, for messages.

    Raises:
        CodecError: If the data are damaged, cut short, followed by others, or too long inflated.
    """
    unpacker = zlib.decompressobj(-15, dictionary)
    try:
        found = unpacker.decompress(data, most)
    except zlib.error as error:
        raise CodecError(f"{what} is damaged: {error}") from None
    if not unpacker.eof and len(found) >= most:
        raise CodecError(f"{what} is longer than {most} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise CodecError(f"{what} is cut short or has bytes behind its end")
    return found
