"""The headers of PNG and JPEG files: enough to know size and channels without decoding.

PNG: https://www.w3.org/TR/png-3/ (signature, IHDR, IEND). JPEG: ITU-T T.81, annex B (segments,
frame headers).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

from dwt_keras.training.data_files import DataError, reason

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_PNG_GRAY = (0, 4)  # Colour types: grey, and grey with transparency.
# Frame headers of JPEG: all of 0xC0 to 0xCF but tables of Huffman and arithmetic coding.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD8)))
_END, _SCAN = 0xD9, 0xDA
# The chunk that ends a PNG: its length, name and checksum.
_PNG_END = 12


class Header(NamedTuple):
    """Size of an image in pixels, and whether it has colours."""

    height: int
    width: int
    is_gray: bool


def read(path: Path) -> Header:
    """Reads the header of a PNG or JPEG file; its first bytes tell which, not its name.

    Raises:
        DataError: If it is neither, is empty or ends before its end.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_PNG))
            if start == _PNG:
                return _png(stream, path)
            if start.startswith(_JPEG):
                stream.seek(len(_JPEG))
                return _jpeg(stream, path)
    except OSError as error:
        raise DataError(path, f"cannot be read ({reason(error)})") from None
    if not start:
        raise DataError(path, "must be a PNG or JPEG image; is empty")
    raise DataError(path, f"must be a PNG or JPEG image; begins with the bytes {start.hex()}")


def _png(stream: BinaryIO, path: Path) -> Header:
    header = stream.read(18)
    if len(header) < 18 or header[4:8] != b"IHDR":
        raise DataError(path, "is a PNG image that ends within its header, or has none")
    width, height, _, colour = struct.unpack(">IIBB", header[8:18])
    _check_size(height, width, path)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(size - _PNG_END, 0))
    if stream.read()[4:8] != b"IEND" and not _ends(stream, size):
        raise DataError(path, "is a truncated PNG image: its last chunk, IEND, is not there")
    return Header(height, width, colour in _PNG_GRAY)


def _ends(stream: BinaryIO, size: int) -> bool:
    """Whether a PNG has its last chunk, with something else behind it."""
    at = len(_PNG)
    while at + _PNG_END <= size:
        stream.seek(at)
        length, name = struct.unpack(">I4s", stream.read(8))
        if name == b"IEND":
            return True
        at += length + _PNG_END
    return False


def _jpeg(stream: BinaryIO, path: Path) -> Header:
    while True:
        marker = stream.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            break
        kind = marker[1]
        if kind == 0xFF:  # Filling before a marker.
            stream.seek(-1, os.SEEK_CUR)
            continue
        if kind in _WITHOUT_LENGTH:
            continue
        segment = stream.read(8)
        if kind in (_END, _SCAN) or len(segment) < 8:
            break
        length = int.from_bytes(segment[:2], "big")
        if kind in _FRAMES:
            _, height, width, components = struct.unpack(">BHHB", segment[2:8])
            _check_size(height, width, path)
            return Header(height, width, components == 1)
        stream.seek(length - 8, os.SEEK_CUR)
    raise DataError(path, "is a JPEG image that ends within its header, or is damaged there")


def _check_size(height: int, width: int, path: Path) -> None:
    if not height or not width:
        raise DataError(path, f"must have pixels; its header states {height} x {width}")
