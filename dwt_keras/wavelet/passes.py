"""The passes of a transform: for each split block and axis, where its samples lie and its taps.

Both directions are the same work. Two input planes of half the axis each (even and odd samples, or
approximation and details) give two output planes, each a sum of short correlations with both.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.wavelet import blocks, families

Array = npt.NDArray[Any]

_MOST_OUTER_AXES = 8

# One pass over a block. All positions are counted in elements of the flat array.
PASS = np.dtype(
    [
        ("source", np.int64),  # Which of two buffers is read,
        ("target", np.int64),  # and which written. Equal: the pass works in place.
        ("streamed", np.int64),  # Whether it works row by row; not in place then.
        ("offset", np.int64),  # Where the block begins.
        ("half", np.int64),  # Samples of each plane.
        ("stride", np.int64),  # From one sample of the axis to the next.
        ("run", np.int64),  # Elements that lie together at each sample,
        ("width", np.int64),  # and how many of them are treated at a time.
        ("read", np.int64, (2,)),  # First sample of each input plane,
        ("read_step", np.int64),  # and the step to its next one.
        ("write", np.int64, (2,)),  # The same for the output planes.
        ("write_step", np.int64),
        ("odd", np.int64, (2,)),  # From and to where an odd sample is carried; -1 if there is none.
        ("taps", np.int64),  # Where its taps begin in the table of taps, by output and input,
        ("count", np.int64),  # how many there are for each pair of planes,
        ("shift", np.int64, (2, 2)),  # and from which sample on, by output and input plane.
        ("outer", np.int64),  # Number of axes around, with their sizes and strides.
        ("sizes", np.int64, (_MOST_OUTER_AXES,)),
        ("strides", np.int64, (_MOST_OUTER_AXES,)),
        ("groups", np.int64),  # Pieces of work that do not depend on each other.
    ]
)

# Runs at least this long are worth streaming, and not worth dividing further.
_LONG_RUN = 64
# At most so many elements of a run are streamed at a time, ...
_STREAM = 1 << 11
# ... and about so many elements of a piece go through planes in cache.
_PIECE = 1 << 14


@dataclass(frozen=True, eq=False)
class Plan:
    """The passes of a transform, of dtype `PASS`, and the table of their taps."""

    passes: Array
    taps: Array


@dataclass(frozen=True, eq=False)
class _Taps:
    """Taps of shape (output planes, input planes, count), and the sample of each first one."""

    values: families.Taps
    shift: Array


@functools.lru_cache(maxsize=1024)
def plan(
    bank: families.FilterBank,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    splits: tuple[str, ...],
    dtype: str,
    inverse: bool,
    in_place: bool = False,
) -> Plan:
    """The passes that transform a contiguous array, or transform it back.

    Args:
        bank: The filters.
        shape: Shape of the array.
        axes: The axes to transform.
        splits: Paths of the blocks to split, as in `blocks`.
        dtype: What to compute in.
        inverse: Whether to go from coefficients to samples.
        in_place: Whether there is but one buffer, which stands for both.

    Returns:
        Passes from buffer 0 to buffer 1: decomposing, the first goes over and the others work in
        buffer 1; reconstructing, all work in buffer 0 but the last, which goes over. Empty where
        there is nothing to split.

    Raises:
        ArgumentError: If a path is no block, or the array has too many axes.
    """
    split, _ = blocks.in_order(shape, splits, axes)
    steps = [(block, axis) for block in split for axis in axes if block.sizes[axis] > 1]
    rows = np.zeros(len(steps), PASS)
    tables: dict[int, tuple[int, _Taps]] = {}
    used = 0
    for index, (block, axis) in enumerate(steps):
        half = block.sizes[axis] // 2
        if half not in tables:
            taps = _taps(bank, half, inverse)
            tables[half] = used, taps
            used += taps.values.size
        place = -1 - index if inverse else index
        _fill(rows[place], shape, block, axis, inverse, crosses=index == 0 and not in_place)
        rows[place]["taps"], taps = tables[half]
        rows[place]["count"], rows[place]["shift"] = taps.values.shape[2], taps.shift
    values = [taps.values.reshape(-1) for _, taps in tables.values()]
    return Plan(rows, np.concatenate([np.zeros(0), *values]).astype(dtype))


def _fill(
    row: Any,
    shape: Sequence[int],
    block: blocks.Block,
    axis: int,
    inverse: bool,
    crosses: bool,
) -> None:
    """Everything of a pass but its taps. `crosses`: it goes from buffer 0 to buffer 1."""
    strides = [int(np.prod(shape[place + 1 :])) for place in range(len(shape))]
    length = block.sizes[axis]
    half = length // 2
    run, outer = _run_and_outer(shape, strides, block, axis)
    streamed = crosses and run >= _LONG_RUN
    wide = min(run, _STREAM if streamed else max(_LONG_RUN, _PIECE // length))
    samples, coefficients = ((0, 1), 2), ((0, length - half), 1)
    carried = (length - 1, half) if length % 2 else (-1, -1)
    read, write = (coefficients, samples) if inverse else (samples, coefficients)
    row["source"] = 0 if crosses or inverse else 1
    row["target"] = 1 if crosses or not inverse else 0
    row["streamed"] = streamed
    row["offset"] = sum(s * t for s, t in zip(block.starts, strides, strict=True))
    row["half"], row["stride"], row["run"], row["width"] = half, strides[axis], run, wide
    row["read"], row["read_step"] = read
    row["write"], row["write_step"] = write
    row["odd"] = carried[::-1] if inverse else carried
    row["outer"] = len(outer)
    for place, (size, stride) in enumerate(outer):
        row["sizes"][place], row["strides"][place] = size, stride
    around = int(np.prod([size for size, _ in outer], dtype=np.int64))
    row["groups"] = around * -(-run // wide) * (half if streamed else 1)


def _run_and_outer(
    shape: Sequence[int], strides: Sequence[int], block: blocks.Block, axis: int
) -> tuple[int, list[tuple[int, int]]]:
    """The length of what lies together at each sample, and size and stride of the axes around."""
    run, last = 1, len(shape) - 1
    while last > axis and run == strides[last]:
        run *= block.sizes[last]
        last -= 1
    outer: list[tuple[int, int]] = []
    for place in range(last + 1):
        size, stride = block.sizes[place], strides[place]
        if place == axis or size == 1:
            continue
        if outer and outer[-1][1] == size * stride:
            outer[-1] = outer[-1][0] * size, stride
        else:
            outer.append((size, stride))
    if len(outer) > _MOST_OUTER_AXES:
        raise checks.ArgumentError(
            "array", f"has too many axes to transform; given {len(shape)} dimensions"
        )
    return run, outer


def _taps(bank: families.FilterBank, half: int, inverse: bool) -> _Taps:
    start = bank.synthesis_start if inverse else bank.analysis_start
    low, high = (
        (bank.synthesis_low, bank.synthesis_high)
        if inverse
        else (bank.analysis_low, bank.analysis_high)
    )
    found: dict[tuple[int, int], dict[int, float]] = {}
    for band, taps in enumerate((low, high)):
        for place, tap in enumerate(taps.tolist(), start):
            # Sample 2 k + place is in the plane of its parity, shifted by place // 2.
            if tap == 0.0:  # PyWavelets pads filters with zeros.
                continue
            key = (place % 2, band) if inverse else (band, place % 2)
            found.setdefault(key, {})[-(place // 2) if inverse else place // 2] = tap
    count = max(max(line) - min(line) + 1 for line in found.values())
    folded = count > half
    values = np.zeros((2, 2, min(count, half)))
    shift = np.zeros((2, 2), np.int64)
    for key, line in found.items():
        shift[key] = 0 if folded else min(line)
        for place, tap in line.items():
            # A filter longer than the axis wraps around it: its taps add up.
            values[(*key, place % half if folded else place - min(line))] += tap
    return _Taps(values, shift)
