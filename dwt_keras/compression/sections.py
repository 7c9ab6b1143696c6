"""The sections of a compact file. Loads nothing but NumPy."""

from __future__ import annotations

import os
from pathlib import Path

from dwt_keras.coding import container
from dwt_keras.coding.errors import CodecError

# Kinds of sections. A file without an architecture is for a model that its reader has.
FINGERPRINT, WEIGHTS, ARCHITECTURE = 1, 2, 3
_KNOWN = (FINGERPRINT, WEIGHTS, ARCHITECTURE)


def file_bytes(path: Path, limits: container.Limits) -> bytes:
    """The bytes of a file, or so many that it is seen to have too many.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        # One byte more than allowed is enough to tell.
        return file.read(min(os.fstat(file.fileno()).st_size, limits.file_bytes) + 1)


def split(data: bytes, limits: container.Limits) -> dict[int, bytes]:
    """The payloads of a file's sections by their kinds.

    Raises:
        CodecError: If it is no compact file, is damaged, or exceeds the limits.
    """
    found = container.unpack(data, limits, known=_KNOWN)
    payloads = {section.kind: section.payload for section in found}
    missing = {FINGERPRINT, WEIGHTS} - set(payloads)
    if missing:
        raise CodecError(f"lacks the section of kind {min(missing)}")
    return payloads
