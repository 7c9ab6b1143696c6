"""Image files made by hand, for tests and measurements: the project has no other way to."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np


def png(pixels: np.ndarray) -> bytes:
    """A PNG of uint8 pixels, (height, width), or (height, width, 3) in colours."""
    height, width = pixels.shape[:2]
    colour = 0 if pixels.ndim == 2 else 2
    rows = pixels.reshape(height, -1)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()

    def chunk(name: bytes, data: bytes) -> bytes:
        check = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(raw, 1))
        + chunk(b"IEND", b"")
    )


def write_classes(
    root: Path, counts: dict[str, int], size: tuple[int, ...] = (8, 6), seed: int = 0
) -> None:
    """A folder of noise for each class, whose mean is that of the class."""
    random = np.random.default_rng(seed)
    for number, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for index in range(count):
            low = 40 + 120 * number // max(len(counts) - 1, 1)
            pixels = random.integers(low, low + 60, size, dtype=np.uint8)
            (root / name / f"{index:05d}.png").write_bytes(png(pixels))
