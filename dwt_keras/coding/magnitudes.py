"""The compiled loop that codes a magnitude: unary up to 14, then the exponential code of Golomb."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from dwt_keras.coding.models import code, mixed
from dwt_keras.compiled import Whole, inlined

Array = npt.NDArray[Any]

UNARY = 14
_LONGEST_PREFIX = 24
_RATE = 24


@inlined
def code_size(
    state: Array,
    data: Array,
    size: int,
    decoding: bool,
    slots: Array,
    places: Array,
    weights: Array,
    step: Array,
    scratch: Array,
    neighbours: int,
    of_row: int,
    of_unit: int,
    block: int,
    around: int,
    row_class: int,
) -> int:
    """Codes a magnitude of 1 or more; the numbers at the end are where its contexts begin."""
    left = size - 1
    ones = 0
    while ones < UNARY:
        places[0] = ones
        places[1], places[2], places[3] = neighbours + ones, of_row + ones, of_unit + ones
        places[4], places[5] = block + ones, around + ones
        bit = mixed(
            state,
            data,
            1 if left > ones else 0,
            decoding,
            slots,
            places,
            6,
            weights[8 * min(ones, 3) :],
            step,
            scratch,
            _RATE,
        )
        if bit == 0:
            return ones + 1
        ones += 1
    rest = left - UNARY + 1
    prefix = 0
    while prefix < _LONGEST_PREFIX:
        places[0], places[1] = 3080 + prefix, 3120 + prefix * 16 + row_class
        bit = mixed(
            state,
            data,
            1 if rest >> (prefix + 1) > 0 else 0,
            decoding,
            slots,
            places,
            2,
            weights[32:],
            step,
            scratch,
            _RATE,
        )
        if bit == 0:
            break
        prefix += 1
    number = 1
    for i in range(prefix - 1, -1, -1):
        bit = (rest >> i) & 1
        if i >= prefix - 2:
            places[0] = 3800 + prefix * 4 + (number & 1) + 2 * (i == prefix - 1)
            bit = mixed(
                state,
                data,
                bit,
                decoding,
                slots,
                places,
                1,
                weights[40:],
                step,
                scratch,
                0,
            )
        else:
            bit = code(state, data, bit, 32768, decoding)
        number = 2 * number + bit
    return UNARY + number


@inlined
def mean(total: Whole, count: Whole) -> Whole:
    """A mean, rounded; 0 of nothing."""
    return (2 * total + count) // (2 * count) if count else 0


@inlined
def coarse(size: Whole) -> Whole:
    """One of seven classes of a sum of two magnitudes."""
    if size < 4:
        return size
    return 4 if size < 6 else 5 if size < 10 else 6
