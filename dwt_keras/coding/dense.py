"""The compiled loop that codes levels by their expected size alone, fast.

Where many levels are not zero, their neighbours say little of their value; what counts is how large
they are about in their row and in their unit. The geometric mean of the two picks a class; where
there are neighbours above or to the left, a quarter of the row's part is theirs. Each class has
slots of its own for the bits of a magnitude in Rice's code (Rice and Plaunt 1971,
doi:10.1109/TCOM.1971.1090789): a prefix in unary, then low bits, of which the highest is modelled
and the others are taken as they are. The sign looks at those of the rows above and to the left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.coding import models
from dwt_keras.coding.grid import LEFT, UP
from dwt_keras.coding.models import code, updated
from dwt_keras.coding.quantizer import LARGEST_LEVEL
from dwt_keras.compiled import Whole, compiled, inlined

Array = npt.NDArray[Any]

ONE = 1 << 14  # Means of magnitudes are in units of this.
CLASSES = 96
PREFIX = 20  # Longer prefixes go on as an exponential code of Golomb.
_LONGEST_GOLOMB = 24
# Slots of a class: of the prefix, then of the first low bit by the prefix.
_SLOTS = 32
_LAST_LOW = _SLOTS - PREFIX - 1

STEP = models.steps(6, 250)
# How far a mean moves with each magnitude.
MEAN_STEP = np.array([65536 // (n + 12) for n in range(1024)], np.int64)

# Bytes that one level can take at the most, with every bit at the least probability that there is.
ROOM = 48
_LEAST, _MOST = 32, 65504
_TOO_LARGE = 1 << 24


def _logarithms() -> Array:
    """LOGARITHMS[i] is 4 log2(i), rounded down, for i from 1 to 4095; by whole numbers alone."""
    found = np.zeros(4096, np.int64)
    for i in range(1, 4096):
        found[i] = (i**4).bit_length() - 1
    return found


LOGARITHMS = _logarithms()


@compiled
def code_rows(
    decoding: bool,
    values: Array,
    looks_at: Array,
    mean: Whole,
    data: Array,
    logarithms: Array,
    step: Array,
    mean_step: Array,
    effort: Array,
) -> Whole:
    """Codes all rows; `values` has a row behind them and two columns before that stay zero.

    Returns what `levels.code_rows` does.
    """
    count, units = len(looks_at), values.shape[1] - 2
    state = np.zeros(4, np.int64)
    models.start(state, data, decoding)
    slots = np.full((CLASSES, _SLOTS), models.HALF, np.int32)
    signs = np.full(9, models.HALF, np.int32)
    of_row = np.zeros(count, np.int64)
    of_unit = np.full(units, mean, np.int64)
    last = len(mean_step) - 1
    for row in range(count):
        if not decoding and state[models.POSITION] + ROOM * units > len(data):
            return models.NO_ROOM
        here, look = values[row], looks_at[row]
        up, left = values[look[UP]], values[look[LEFT]]
        total, known = np.int64(0), 0
        for i in (UP, LEFT):
            if look[i] < count:
                total += of_row[look[i]]
                known += 1
        expected = total // known if known else mean
        unit_step = mean_step[min(row, last)]
        for unit in range(units):
            near = np.int64(abs(up[unit + 2])) + np.int64(abs(left[unit + 2]))
            local = (3 * known * expected + near * ONE) >> (known + 1) if known else expected
            log = _logarithm(max(local, 1), logarithms) + _logarithm(of_unit[unit], logarithms)
            # The magnitude expected is about 2^(which / 4 - 6).
            which = min(max((log >> 1) - 32, 0), CLASSES - 1)
            own = slots[which]
            low_bits = max((which >> 2) - 7, 0)
            size = np.int64(abs(here[unit + 2]))
            size = _code_size(state, data, size, decoding, own, low_bits, step)
            if size:
                negative = 1 if here[unit + 2] < 0 else 0
                place = 3 * _sign(up[unit + 2]) + _sign(left[unit + 2]) + 4
                negative = _code_bit(state, data, negative, decoding, signs, place, step)
                here[unit + 2] = -size if negative else size
                if decoding:
                    if size > LARGEST_LEVEL:
                        return models.TOO_LARGE
                    if models.spent(effort, size):
                        return models.TOO_MUCH
            found = size * ONE
            of_unit[unit] = max(of_unit[unit] + (((found - of_unit[unit]) * unit_step) >> 16), 1)
            expected = max(expected + (((found - expected) * mean_step[min(unit, last)]) >> 16), 1)
        of_row[row] = expected
    return state[models.POSITION] if decoding else models.finish(state, data)


@inlined
def _logarithm(mean: Whole, logarithms: Array) -> Whole:
    """Four times the logarithm to base 2, rounded down."""
    shifted = 0
    while mean > 4095:
        mean >>= 4
        shifted += 16
    return logarithms[mean] + shifted


@inlined
def _code_size(
    state: Array,
    data: Array,
    size: Whole,
    decoding: bool,
    slots: Array,
    low_bits: Whole,
    step: Array,
) -> Whole:
    wanted = size >> low_bits
    prefix = 0
    while prefix < PREFIX:
        bit = _code_bit(state, data, 1 if wanted > prefix else 0, decoding, slots, prefix, step)
        if bit == 0:
            break
        prefix += 1
    found = np.int64(prefix)
    if prefix == PREFIX:
        rest = wanted - PREFIX + 1
        length = 0
        while length < _LONGEST_GOLOMB:
            bit = code(state, data, 1 if rest >> (length + 1) > 0 else 0, 32768, decoding)
            if bit == 0:
                break
            length += 1
        number = np.int64(1)
        for i in range(length - 1, -1, -1):
            number = 2 * number + code(state, data, (rest >> i) & 1, 32768, decoding)
        found = PREFIX + number - 1
    for i in range(low_bits - 1, -1, -1):
        bit = (size >> i) & 1
        if i == low_bits - 1:
            place = PREFIX + min(prefix, _LAST_LOW)
            bit = _code_bit(state, data, bit, decoding, slots, place, step)
        else:
            bit = code(state, data, bit, 32768, decoding)
        found = 2 * found + bit
    return min(found, _TOO_LARGE)


@inlined
def _code_bit(
    state: Array,
    data: Array,
    bit: Whole,
    decoding: bool,
    slots: Array,
    place: Whole,
    step: Array,
) -> Whole:
    slot = slots[place]
    probability = min(max(np.int64(slot >> 14), _LEAST), _MOST)
    bit = code(state, data, bit, probability, decoding)
    slots[place] = updated(slot, (bit << 22) - bit, step)
    return bit


@inlined
def _sign(x: Whole) -> Whole:
    return 1 if x > 0 else -1 if x < 0 else 0
