"""The compiled loops that code levels: is it zero, its sign, its magnitude.

The magnitude is coded in unary up to 14 and from there on in the exponential code of Golomb. The
probability of each bit is mixed from those of several contexts: what its neighbours in the grid
are, its row, its unit. More contexts (which neighbours exactly, the unit within the channel) were
tried and gave nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.coding import magnitudes, models
from dwt_keras.coding.grid import (
    AFTER,
    BEFORE,
    LEFT,
    LEFT_LEFT,
    PARENT,
    UP,
    UP_LEFT,
    UP_RIGHT,
    UP_UP,
)
from dwt_keras.coding.magnitudes import coarse, code_size, mean
from dwt_keras.coding.models import code, mixed, updated
from dwt_keras.coding.quantizer import LARGEST_LEVEL
from dwt_keras.compiled import Whole, compiled, inlined

Array = npt.NDArray[Any]

_LIMIT = models.LIMIT
_COUNT = models.COUNT
_CLEAR = ~np.int32(_COUNT)

# Of significance, sign and magnitude: how fast each kind of slot moves, and the starting weights in
# per cent. Found by trying, on the kernels of several networks (docs/benchmarks.md).
STEPS = np.stack(
    [
        models.steps(*pair)
        for pair in (
            (9, 250),  # 0: magnitudes of the nearest neighbours
            (39, 250),  # 1: the row
            (8, 110),  # 2: the unit within the block
            (4, 225),  # 3: the unit, where there is one channel
            (7, 250),  # 4: the unit at the place, where there are several
            (4, 225),  # 5: signs
            (9, 250),  # 6: magnitudes
        )
    ]
)
SIGNIFICANCE = np.array([18, 46, 8, 15], np.int64) * 655
_SIGN = np.array([-14, 49, 16, 10, -2, 23, 2, 0], np.int64) * 655
_MAGNITUDE = (
    np.array(
        [
            [-3, 43, 17, 25, -2, 22, 0, 0],
            [4, 30, 20, 21, 4, 30, 0, 0],
            [8, 23, 19, 23, 9, 23, 0, 0],
            [1, 18, 17, 26, 10, 25, 0, 0],
        ],
        np.int64,
    )
    * 655
)
_PREFIX = np.array([26214, 26214, 0, 0, 0, 0, 0, 0], np.int64)
_SUFFIX = np.array([65536, 0, 0, 0, 0, 0, 0, 0], np.int64)
OTHERS = np.concatenate([_SIGN, *_MAGNITUDE, _PREFIX, _SUFFIX])
_RATE, _BOOST, _SIGN_RATE = 3, 60000, 67

_ROUND = 1 << 19
_BLOCKS = 8  # Finer ones share slots.
# Bytes that one level can take at the most, with every bit at the least probability that there is.
ROOM = 160
# Rows whose slots a row's slot starts from.
_ROW_STARTS = (UP, LEFT, PARENT, BEFORE, AFTER)


@compiled
def code_rows(
    decoding: bool,
    values: Array,
    looks_at: Array,
    blocks: Array,
    channels_of: Array,
    places_of: Array,
    channels: Whole,
    places: Whole,
    share: Whole,
    more: Whole,
    data: Array,
    step: Array,
    weights: Array,
    other_weights: Array,
    effort: Array,
) -> Whole:
    """Codes all rows; `values` has a row of zeros behind them and two columns of zeros before.

    Returns how many bytes were written or read, or NO_ROOM if there is not enough room to write. It
    reads no further where a level is TOO_LARGE, or levels that are not zero take more than the
    `effort` (an array of one number, which becomes what is left): TOO_MUCH.
    """
    count, units = len(looks_at), values.shape[1] - 2
    state = np.zeros(4, np.int64)
    models.start(state, data, decoding)
    initial = np.int32(share << 14)
    near = np.full((_BLOCKS, 16), initial, np.int32)
    # As many as are used: there may be few rows of millions of units.
    used = min(blocks[count - 1] + 1, _BLOCKS) if count else 1
    by_unit = np.full((used, units), initial, np.int32)
    by_place = np.full((places, units), initial, np.int32)
    by_row = np.full(count, initial, np.int32)
    signs = np.full(512 + count + (channels + places) * units, models.HALF, np.int32)
    sizes = np.full(4096, models.HALF, np.int32)
    sizes[: magnitudes.UNARY] = np.int32(more << 14)
    row_sum, row_count = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    unit_sum, unit_count = np.zeros(units, np.int64), np.zeros(units, np.int64)
    learned = np.zeros((16, 4), np.int64)
    near_step, row_step, unit_step = step[0], step[1], step[2]
    near_w, row_w, unit_w, place_w = weights[0], weights[1], weights[2], weights[3]
    scratch = np.zeros(8, np.int64)
    places_in = np.zeros(8, np.int64)
    place_step = step[4] if channels > 1 else step[3]
    for row in range(count):
        if not decoding and state[models.POSITION] + ROOM * units > len(data):
            return models.NO_ROOM
        here = values[row]
        look = looks_at[row]
        up, left = values[look[UP]], values[look[LEFT]]
        up_left, up_right = values[look[UP_LEFT]], values[look[UP_RIGHT]]
        parent, up_up = values[look[PARENT]], values[look[UP_UP]]
        left_left = values[look[LEFT_LEFT]]
        before, after = values[look[BEFORE]], values[look[AFTER]]
        block = min(blocks[row], _BLOCKS - 1)
        channel = channels_of[row]
        place = places_of[row] if channels > 1 else 0
        row_slot = _start_of_row(look, by_row, row, initial)
        rate = _RATE + _RATE * _BOOST // (_BOOST // 4 + row * units + 1)
        near_here, unit_here = near[block], by_unit[block]
        place_here = by_place[place]
        for unit in range(units):
            u = unit + 2
            a, b, e = abs(up[u]), abs(left[u]), abs(parent[u])
            nearest = (min(a, 2) + min(b, 2)) * 3 + min(e, 2)
            busy = 2 * (a + b + e) + abs(up_left[u]) + abs(up_right[u]) + abs(up_up[u])
            busy += abs(left_left[u]) + abs(before[u]) + abs(after[u])
            near_slot = near_here[nearest]
            unit_slot = _or_first(unit_here[unit], near_slot)
            place_slot = _or_first(place_here[unit], near_slot)
            near_t = np.int64(models.STRETCH[near_slot >> 16])
            row_t = np.int64(models.STRETCH[row_slot >> 16])
            unit_t = np.int64(models.STRETCH[unit_slot >> 16])
            place_t = np.int64(models.STRETCH[place_slot >> 16])
            special = learned[min(busy, 15)]
            total = (near_w + special[0]) * near_t + (row_w + special[1]) * row_t
            total += (unit_w + special[2]) * unit_t + (place_w + special[3]) * place_t
            logit: Whole = min(max(total >> 16, -_LIMIT), _LIMIT)
            probability = np.int64(models.SQUASH[logit + _LIMIT])
            bit = code(state, data, 1 if here[u] != 0 else 0, probability, decoding)
            error = ((bit << 16) - probability) * rate
            near_w += (near_t * error + _ROUND) >> 20
            row_w += (row_t * error + _ROUND) >> 20
            unit_w += (unit_t * error + _ROUND) >> 20
            place_w += (place_t * error + _ROUND) >> 20
            # What is learned for one kind of neighbourhood is learned at half the rate.
            error >>= 1
            special[0] += (near_t * error + _ROUND) >> 20
            special[1] += (row_t * error + _ROUND) >> 20
            special[2] += (unit_t * error + _ROUND) >> 20
            special[3] += (place_t * error + _ROUND) >> 20
            goal = (bit << 22) - bit
            near_here[nearest] = updated(near_slot, goal, near_step)
            row_slot = updated(row_slot, goal, row_step)
            unit_here[unit] = updated(unit_slot, goal, unit_step)
            place_here[unit] = updated(place_slot, goal, place_step)
            if bit:
                # Sign.
                balance = 2 * (_sign(up[u]) + _sign(left[u])) + _sign(up_left[u])
                balance += _sign(up_right[u]) + _sign(up_up[u]) + _sign(left_left[u])
                places_in[0] = 0
                places_in[1] = 1 + 9 * block + (_sign(up[u]) + 1) * 3 + _sign(left[u]) + 1
                places_in[2] = 100 + 9 * block + (_sign(parent[u]) + 1) * 3 + _sign(here[u - 1]) + 1
                places_in[3] = 512 + count + channels * units + place * units + unit
                places_in[4] = 512 + row
                places_in[5] = 200 + min(max(balance, -5), 5) + 5 + 16 * block
                places_in[6] = 512 + count + channel * units + unit
                negative = mixed(
                    state,
                    data,
                    1 if here[u] < 0 else 0,
                    decoding,
                    signs,
                    places_in,
                    7 if channels > 1 else 6,
                    other_weights[:8],
                    step[5],
                    scratch,
                    _SIGN_RATE,
                )
                # Magnitude: what it is expected to be, from means of the row, the unit and around.
                c, d = abs(up_left[u]), abs(up_right[u])
                f, g = abs(up_up[u]), abs(left_left[u])
                of_row = mean(row_sum[row], row_count[row])
                if row_count[row] == 0:
                    for i in (UP, LEFT):
                        if row_count[look[i]] > 0:
                            of_row = row_sum[look[i]] // row_count[look[i]]
                of_unit = mean(unit_sum[unit], unit_count[unit])
                weight = 2 * ((a > 0) + (b > 0) + (e > 0) + (of_row > 0) + (of_unit > 0))
                weight += (c > 0) + (d > 0) + (f > 0) + (g > 0)
                around = 2 * (a + b + e + of_row + of_unit) + c + d + f + g
                size = code_size(
                    state,
                    data,
                    abs(here[u]),
                    decoding,
                    sizes,
                    places_in,
                    other_weights[8:],
                    step[6],
                    scratch,
                    16 + (coarse(a + b) * 7 + min(e, 6)) * 16,
                    1024 + min(of_row, 15) * 16,
                    1500 + min(of_unit, 15) * 16,
                    2000 + block * 16,
                    2200 + min(mean(around, weight), 15) * 16,
                    min(of_row, 15),
                )
                if decoding:
                    if size > LARGEST_LEVEL:
                        return models.TOO_LARGE
                    if models.spent(effort, size):
                        return models.TOO_MUCH
                row_sum[row] += size
                row_count[row] += 1
                unit_sum[unit] += size
                unit_count[unit] += 1
                here[u] = -size if negative else size
        by_row[row] = row_slot
    return state[models.POSITION] if decoding else models.finish(state, data)


@compiled
def _start_of_row(look: Array, by_row: Array, row: Whole, initial: Whole) -> Whole:
    """A row's slot starts as the mean of those of the rows that it looks at, or as the last one."""
    total, known = np.int64(0), 0
    for i in _ROW_STARTS:
        if look[i] < len(by_row):
            total += by_row[look[i]] >> 8
            known += 1
    if known:
        return np.int32(((total // known) << 8) | 1)
    return np.int32(((by_row[row - 1] if row else initial) & _CLEAR) | 1)


@inlined
def _or_first(slot: Whole, first: Whole) -> Whole:
    """A slot, or where it has not been used yet the first one, as if it had not been used."""
    return first & _CLEAR if slot & _COUNT == 0 else slot


@inlined
def _sign(x: Whole) -> Whole:
    return (x > 0) - (x < 0)
