"""The compiled loops that filter one axis of a block, as `passes` says.

Arithmetic is in the arrays' own dtype and in the written order, without fused operations, so
that the same input gives the same bits everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.compiled import compiled, in_parallel
from dwt_keras.wavelet.passes import Plan

Array = npt.NDArray[Any]

# Elements times taps of a pass below which a second thread does not pay.
_PARALLEL = 1 << 20
# Elements of a plane that are filtered at a time.
_CACHED = 1 << 13


def run(plan: Plan, source: Array, target: Array) -> None:
    """Runs the passes of a plan one after the other.

    Args:
        plan: The passes.
        source: Buffer 0, flat and contiguous, of the plan's dtype.
        target: Buffer 1, likewise.
    """
    passes, taps = plan.passes, plan.taps
    if target.size * int(passes["count"].max(initial=0)) < _PARALLEL:
        _run(passes, taps, source, target, 0, len(passes), 0, -1)
        return
    for index in range(len(passes)):

        def work(first: int, last: int, index: int = index) -> None:
            _run(passes, taps, source, target, index, index + 1, first, last)

        in_parallel(work, int(passes[index]["groups"]))


@compiled
def _run(
    passes: Array,
    taps: Array,
    source: Array,
    target: Array,
    first_pass: int,
    last_pass: int,
    first: int,
    last: int,
) -> None:
    for index in range(first_pass, last_pass):
        step = passes[index]
        x = source if step.source == 0 else target
        y = source if step.target == 0 else target
        end = step.groups if last < 0 else last
        if step.streamed:
            _stream(step, taps, x, y, first, end)
        else:
            _through_planes(step, taps, x, y, first, end)


@compiled
def _stream(step: Any, taps: Array, x: Array, y: Array, first: int, last: int) -> None:
    """Reads and writes rows of the run where they lie, one sample of each output a group."""
    half, count, stride = step.half, step.count, step.stride
    pieces = (step.run + step.width - 1) // step.width
    for group in range(first, last):
        k = group % half
        base, wide = _place(step, group // half, pieces)
        for plane in range(2):
            table = taps[step.taps + 2 * plane * count :]
            low = (k + step.shift[plane, 0]) % half
            high = (k + step.shift[plane, 1]) % half
            out = base + (step.write[plane] + k * step.write_step) * stride
            for i in range(count):
                s = base + (step.read[0] + low * step.read_step) * stride
                t = base + (step.read[1] + high * step.read_step) * stride
                _add(
                    table[i],
                    x[s : s + wide],
                    table[count + i],
                    x[t : t + wide],
                    i == 0,
                    y[out : out + wide],
                )
                low = low + 1 if low + 1 < half else 0
                high = high + 1 if high + 1 < half else 0
        if k == 0 and step.odd[0] >= 0:
            s = base + step.odd[0] * stride
            _copy(x[s : s + wide], y[base + step.odd[1] * stride :])


@compiled
def _through_planes(step: Any, taps: Array, x: Array, y: Array, first: int, last: int) -> None:
    """Gathers the input planes of a piece, wrapped around as far as the taps reach, first."""
    half, count, stride = step.half, step.count, step.stride
    pieces = (step.run + step.width - 1) // step.width
    start_low = min(step.shift[0, 0], step.shift[1, 0])
    start_high = min(step.shift[0, 1], step.shift[1, 1])
    reach_low = half + count - 1 + max(step.shift[0, 0], step.shift[1, 0]) - start_low
    reach_high = half + count - 1 + max(step.shift[0, 1], step.shift[1, 1]) - start_high
    low = np.empty(reach_low * step.width, x.dtype)
    high = np.empty(reach_high * step.width, x.dtype)
    out = np.empty((2, half * step.width), x.dtype)
    carried = np.empty(step.width, x.dtype)
    for group in range(first, last):
        base, wide = _place(step, group, pieces)
        _gather(
            x[base + step.read[0] * stride :],
            step.read_step * stride,
            half,
            start_low,
            wide,
            low[: reach_low * wide],
        )
        _gather(
            x[base + step.read[1] * stride :],
            step.read_step * stride,
            half,
            start_high,
            wide,
            high[: reach_high * wide],
        )
        if step.odd[0] >= 0:
            s = base + step.odd[0] * stride
            _copy(x[s : s + wide], carried)
        size = half * wide
        for plane in range(2):
            table = taps[step.taps + 2 * plane * count :]
            # All taps at what is in the cache: a long axis with few elements beside is not.
            for begin in range(0, size, _CACHED):
                length = min(size - begin, _CACHED)
                for i in range(count):
                    s = (step.shift[plane, 0] - start_low + i) * wide + begin
                    t = (step.shift[plane, 1] - start_high + i) * wide + begin
                    _add(
                        table[i],
                        low[s : s + length],
                        table[count + i],
                        high[t : t + length],
                        i == 0,
                        out[plane, begin : begin + length],
                    )
        for plane in range(2):
            _scatter(
                out[plane],
                step.write_step * stride,
                half,
                wide,
                y[base + step.write[plane] * stride :],
            )
        if step.odd[0] >= 0:
            _copy(carried[:wide], y[base + step.odd[1] * stride :])


@compiled
def _place(step: Any, group: int, pieces: int) -> tuple[int, int]:
    """Where a group begins, and how many elements of the run it takes."""
    piece = group % pieces
    rest = group // pieces
    base = step.offset + piece * step.width
    for axis in range(step.outer - 1, -1, -1):
        base += (rest % step.sizes[axis]) * step.strides[axis]
        rest //= step.sizes[axis]
    return base, min(step.width, step.run - piece * step.width)


@compiled
def _add(a: float, x: Array, b: float, y: Array, fresh: bool, out: Array) -> None:
    """out = a x + b y, or out += a x + b y."""
    if fresh:
        for j in range(len(out)):
            out[j] = a * x[j] + b * y[j]
    else:
        for j in range(len(out)):
            out[j] += a * x[j] + b * y[j]


@compiled
def _copy(x: Array, out: Array) -> None:
    for j in range(len(x)):
        out[j] = x[j]


@compiled
def _gather(x: Array, step: int, half: int, start: int, wide: int, plane: Array) -> None:
    """Row r of the plane = sample (start + r) mod half of x, each of `wide` elements."""
    k = start % half
    rows = len(plane) // wide
    r = 0
    while r < rows:
        stretch = min(half - k, rows - r)
        part, lines = x[k * step :], plane[r * wide : (r + stretch) * wide]
        if step == wide:
            _copy(part[: len(lines)], lines)
        elif wide == 1 and step == 2:
            # The two cases of a last axis, in a form that becomes vector instructions.
            for i in range(stretch):
                lines[i] = part[2 * i]
        else:
            for i in range(stretch):
                _copy(part[i * step : i * step + wide], lines[i * wide :])
        r += stretch
        k = 0


@compiled
def _scatter(plane: Array, step: int, half: int, wide: int, out: Array) -> None:
    """Row r of the plane to sample r of `out`, for all rows."""
    if step == wide:
        _copy(plane[: half * wide], out)
    elif wide == 1 and step == 2:
        for k in range(half):
            out[2 * k] = plane[k]
    else:
        for k in range(half):
            _copy(plane[k * wide : (k + 1) * wide], out[k * step :])
