"""Entropy coding of sparse whole numbers: the levels of quantised coefficients.

There are two coders, and a tensor has the one that suits it. Both code a level as bits, each with a
probability that adapts (`models`), in an order that lets them look at what has been coded before
(`grid`). One mixes many contexts (`levels`), which pays where most levels are zero; the other looks
at the expected size alone (`dense`), which is several times faster and as good where many are not
zero. Nothing about the statistics is in the data but the number of non-zeros and, in one byte,
their mean magnitude; the decoder learns as the encoder did.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.coding import dense, fields, models
from dwt_keras.coding import levels as coded_levels
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.grid import Grid, Rows, rows
from dwt_keras.coding.quantizer import LARGEST_LEVEL

Array = npt.NDArray[Any]
Levels = npt.NDArray[np.int32]

MIXED, DENSE = 0, 1  # The coders.

# Mixing takes several times as long, and is not even tried on tensors that are large and have so
# large a share of non-zeros; where it is, it must make the data this much smaller.
_LARGE, _MANY = 1 << 11, 0.25
_WORTH_THE_TIME = 0.998

# Of 65536. Slots that begin with probability one would be beyond the table of logarithms.
_LEAST_SHARE, _LARGEST_SHARE = 4, 65535


def encode(levels: Levels, grid: Grid, coder: int | None = None) -> bytes:
    """Codes whole numbers.

    Args:
        levels: int32, as many as the grid has; magnitudes up to 2^24 - 1.
        grid: How they lie.
        coder: MIXED or DENSE; None for the one that suits them.

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
    scale = min(int(np.searchsorted(models.MEANS, mean)), 255)
    if coder is not None:
        return _coded(coder, values, order, grid, count, scale)
    found = _coded(DENSE, values, order, grid, count, scale)
    if levels.size >= _LARGE and count >= _MANY * levels.size:
        return found
    mixed = _coded(MIXED, values, order, grid, count, scale)
    return mixed if len(mixed) < _WORTH_THE_TIME * len(found) else found


def _coded(coder: int, values: Array, order: Rows, grid: Grid, count: int, scale: int) -> bytes:
    header = fields.Writer()
    header.unsigned(2 * count + coder)
    header.raw(bytes([scale]))
    least = dense.ROOM if coder == DENSE else coded_levels.ROOM
    room = math.prod(grid.shape) // 8 + 2 * count + 2 * least * grid.shape[3]
    while True:
        data = np.zeros(room, np.uint8)
        size = _code(False, coder, values, order, grid, count, scale, data, np.zeros(1, np.int64))
        if size >= 0:
            return header.to_bytes() + data[:size].tobytes()
        room *= 2


def memory(grid: Grid, size: int) -> int:
    """About how many bytes decoding `size` bytes takes: of rows, which may be short, units, levels.

    Levels that are all zero take nothing but themselves.
    """
    if size == 0:
        return 4 * math.prod(grid.shape)
    places, channels, units = grid.shape[0] * grid.shape[1], grid.shape[2], grid.shape[3]
    # As _code() gives them to the coder.
    contexts = channels + places if places > 1 and channels > 1 else 2
    return 160 * grid.rows + (48 + 8 * contexts) * units + 8 * math.prod(grid.shape)


def decode(data: bytes | memoryview, grid: Grid, effort: Array | None = None) -> Levels:
    """Inverts `encode`.

    Args:
        data: What `encode` returned.
        grid: The grid given to it.
        effort: How many bits of levels that are not zero may be decoded, about (see `levels`), as
            an array of one number, from which those that were are taken. None for any.

    Returns:
        int32 of the grid's shape.

    Raises:
        CodecError: If there are more bytes than a decoder reads, which is up to seven beyond the
            end, a level is too large, the number of non-zeros is not the one stated, or they take
            more than the effort. Other bytes decode to some levels or other.
    """
    units = grid.shape[3]
    found = np.zeros((grid.rows, units), np.int32)
    if not len(data):
        return found.reshape(grid.shape)
    reader = fields.Reader(data)
    both = reader.unsigned("the number of non-zeros", limit=2 * found.size + 1)
    count, coder = both >> 1, both & 1
    if count == 0:
        raise CodecError("the levels have bytes, and yet no non-zero")
    scale = reader.raw(1, "the mean magnitude")[0]
    order = rows(grid)
    values = np.zeros((grid.rows + 1, units + 2), np.int32)
    coded = np.frombuffer(reader.raw(reader.left), np.uint8).copy()
    if effort is None:
        effort = np.full(1, np.iinfo(np.int64).max)
    used = _code(True, coder, values, order, grid, count, scale, coded, effort)
    if used == models.TOO_LARGE:
        raise CodecError(f"a level is larger than {LARGEST_LEVEL}")
    if used == models.TOO_MUCH:
        raise CodecError("the levels take more work than a file of this size may ask for")
    # A decoder reads ahead, and zeros at the end are left out.
    if coded.size > used:
        raise CodecError("the levels have more bytes than they need")
    if np.count_nonzero(values) != count:
        raise CodecError("the levels have another number of non-zeros than they say")
    found[order.order] = values[:-1, 2:]
    return found.reshape(grid.shape)


def _code(
    decoding: bool,
    coder: int,
    values: Array,
    order: Rows,
    grid: Grid,
    count: int,
    scale: int,
    data: Array,
    effort: Array,
) -> int:
    mean, size = int(models.MEANS[scale]), math.prod(grid.shape)
    if coder == DENSE:
        of_all = max(mean * (dense.ONE // 16) * count // size, 1)
        tables = (dense.LOGARITHMS, dense.STEP, dense.MEAN_STEP)
        return int(dense.code_rows(decoding, values, order.looks_at, of_all, data, *tables, effort))
    share = min(max(65536 * count // size, _LEAST_SHARE), _LARGEST_SHARE)
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
            share,
            65536 - 65536 * 16 // mean if mean > 16 else 600,
            data,
            coded_levels.STEPS,
            coded_levels.SIGNIFICANCE.copy(),
            coded_levels.OTHERS.copy(),
            effort,
        )
    )
