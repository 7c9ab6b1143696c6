"""A compact file, opened: its sections, and the records of its tensors. Loads little but NumPy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dwt_keras.coding import container, records
from dwt_keras.coding.errors import CodecError

# Kinds of sections. A file without an architecture is for a model that its reader has.
FINGERPRINT, WEIGHTS, ARCHITECTURE = 1, 2, 3
_KNOWN = (FINGERPRINT, WEIGHTS, ARCHITECTURE)


@dataclass(frozen=True)
class Opened:
    """A compact file, its tensors not decoded yet.

    Attributes:
        path: Where it is, for messages.
        file_bytes: Its size.
        parts: The payloads of its sections by their kinds.
        records: What it says of its tensors.
        value_bytes: Most bytes that they may take.
    """

    path: str
    file_bytes: int
    parts: dict[int, bytes]
    records: list[records.Record]
    value_bytes: int

    def refusal(self, problem: object) -> CodecError:
        """The error that says what is wrong with the file."""
        return CodecError(f"{self.path}: {problem}" if self.path else str(problem))


def read(path: Path, limits: container.Limits = container.LIMITS) -> Opened:
    """Opens a file.

    Args:
        path: The file.
        limits: How much it may make the reader do.

    Raises:
        CodecError: If it is no compact file, is damaged, or exceeds the limits.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        # One byte more than allowed is enough to tell.
        data = file.read(min(os.fstat(file.fileno()).st_size, limits.file_bytes) + 1)
    try:
        return opened(data, limits, str(path))
    except CodecError as error:
        raise CodecError(f"{path}: {error}") from None


def opened(data: bytes, limits: container.Limits = container.LIMITS, path: str = "") -> Opened:
    """What `read` returns, from the bytes of a file.

    Raises:
        CodecError: As `read`.
    """
    found = container.unpack(data, limits, known=_KNOWN)
    parts = {section.kind: section.payload for section in found}
    missing = {FINGERPRINT, WEIGHTS} - set(parts)
    if missing:
        raise CodecError(f"lacks the section of kind {min(missing)}")
    most = limits.values_of(len(data))
    return Opened(path, len(data), parts, records.read(parts[WEIGHTS], most), most)
