"""Entropy coding of sparse whole numbers: the levels of quantised coefficients.

Every level is coded as bits (`levels`), each with a probability that adapts (`models`), in an order
that lets it look at what has been coded before it (`grid`). Nothing about the statistics is in the
data but the share of non-zeros and their mean magnitude, one byte each; the decoder learns as the
encoder did.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.coding import levels as coded_levels
from dwt_keras.coding import models
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.grid import Grid, Rows, rows
from dwt_keras.coding.quantizer import LARGEST_LEVEL

Array = npt.NDArray[Any]
Levels = npt.NDArray[np.int32]

_HEADER_BYTES = 2


def encode(levels: Levels, grid: Grid) -> bytes:
    """Codes whole numbers.

    Args:
        levels: int32, as many as the grid has; magnitudes up to 2^24 - 1.
        grid: How they lie.

    Returns:
        The bytes; empty if all are zero.

    Raises:
        ArgumentError: If a magnitude is larger.
    """
    # The magnitude of the least int32 is none.
    largest = max(int(levels.max(initial=0)), -int(levels.min(initial=0)))
    if largest > LARGEST_LEVEL:
        raise checks.ArgumentError(
            "levels", f"must be at most {LARGEST_LEVEL} in magnitude; given {largest}"
        )
    count = int(np.count_nonzero(levels))
    if count == 0:
        return b""
    order = rows(grid)
    units = grid.shape[3]
    values = np.zeros((grid.rows + 1, units + 2), np.int32)
    values[:-1, 2:] = levels.reshape(-1, units)[order.order]
    mean = int(np.abs(levels).sum(dtype=np.int64)) * 16 // count
    share = int(np.searchsorted(-models.SHARES, -(65536 * count // levels.size)))
    header = (min(max(share, 1), 255), min(int(np.searchsorted(models.MEANS, mean)), 255))
    room = levels.size // 8 + 2 * count + 2 * coded_levels.ROOM * units
    while True:
        data = np.zeros(room, np.uint8)
        size = _code(False, values, order, grid, header, data)
        if size >= 0:
            return bytes(header) + data[:size].tobytes()
        room *= 2


def memory(grid: Grid) -> int:
    """About how many bytes decoding takes: of rows, which may be short, and of levels."""
    return 160 * grid.rows + 12 * math.prod(grid.shape)


def decode(data: bytes | memoryview, grid: Grid) -> Levels:
    """Inverts `encode`.

    Args:
        data: What `encode` returned.
        grid: The grid given to it.

    Returns:
        int32 of the grid's shape.

    Raises:
        CodecError: If there are more bytes than a decoder reads, which is up to seven beyond the
            end, or a level is too large. Other bytes decode to some levels or other.
    """
    units = grid.shape[3]
    found = np.zeros((grid.rows, units), np.int32)
    if not len(data):
        return found.reshape(grid.shape)
    if len(data) < _HEADER_BYTES or not found.size:
        raise CodecError("the levels have too many or too few bytes")
    if data[0] == 0:  # Slots of probability one would be beyond the table of logarithms.
        raise CodecError("the levels begin with a share of non-zeros that is never written")
    order = rows(grid)
    values = np.zeros((grid.rows + 1, units + 2), np.int32)
    coded = np.frombuffer(data, np.uint8)[_HEADER_BYTES:].copy()
    used = _code(True, values, order, grid, (data[0], data[1]), coded)
    # A decoder reads ahead, and zeros at the end are left out.
    if coded.size > used:
        raise CodecError("the levels have more bytes than they need")
    if np.abs(values).max() > LARGEST_LEVEL:
        raise CodecError(f"a level is larger than {LARGEST_LEVEL}")
    found[order.order] = values[:-1, 2:]
    return found.reshape(grid.shape)


def _code(
    decoding: bool, values: Array, order: Rows, grid: Grid, header: tuple[int, int], data: Array
) -> int:
    mean = int(models.MEANS[header[1]])
    places, channels = grid.shape[0] * grid.shape[1], grid.shape[2]
    channel = order.channel
    if places == 1:
        # Rows without geometry. Slots for each of them and each unit would learn nothing.
        channels, channel = 1, np.zeros_like(channel)
    return int(
        coded_levels.code_rows(
            decoding,
            values,
            order.looks_at,
            order.block,
            channel,
            order.place,
            channels,
            places if channels > 1 else 1,
            int(models.SHARES[header[0]]),
            65536 - 65536 * 16 // mean if mean > 16 else 600,
            data,
            models.SQUASH,
            models.STRETCH,
            coded_levels.STEPS,
            coded_levels.SIGNIFICANCE.copy(),
            coded_levels.OTHERS.copy(),
        )
    )
