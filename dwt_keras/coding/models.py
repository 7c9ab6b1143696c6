"""Adaptive bit models of the entropy coder, their mixing, and the arithmetic coder: whole numbers.

A bit's probability is mixed from several adaptive ones in the logistic domain, as in PAQ (Mahoney
2005, https://www.mattmahoney.net/dc/dce.html): each probability p is stretched to ln(p / (1 - p)),
their weighted sum is squashed back, and the weights move along the error. All of it is integer
arithmetic with tables that are made by integer arithmetic, so that a decoder anywhere takes the
very same steps.

A slot holds a probability that the next bit is one in its upper 22 of 30 bits, and how many bits it
has seen in the lower 8. Probabilities of the coder have 16 bits; logistic values are in 1/256.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.compiled import Whole, compiled, inlined

Array = npt.NDArray[Any]

LIMIT = 3071  # Logistic values lie between -LIMIT and LIMIT.
HALF = np.int32(1 << 29)  # A slot that knows nothing.
COUNT = 255  # The bits of a slot that count.

# A level that is not zero counts as its magnitude, this at most, and one more: about its bits.
MOST_EFFORT = 64
# What code_rows() of both coders returns instead of a number of bytes.
NO_ROOM, TOO_LARGE, TOO_MUCH = -1, -2, -3

LOW, HIGH, VALUE, POSITION = range(4)  # The state of the arithmetic coder.
_STATE_BYTES = 7


def _tables() -> tuple[Array, Array, Array]:
    """Squash, stretch, and a scale of numbers that a file's header picks from.

    Made of Python's whole numbers alone, with 80 or 60 fractional bits.
    """
    one = 1 << 80
    term, e, n = one, one, 1
    while term:  # e^(1/256) by its series.
        term //= 256 * n
        e += term
        n += 1
    squash = np.zeros(2 * LIMIT + 1, np.int32)
    power = one
    for x in range(LIMIT + 1):
        p = (65536 * power + (one + power) // 2) // (one + power)
        squash[LIMIT + x], squash[LIMIT - x] = min(p, 65533), max(65536 - p, 3)
        power = power * e // one
    stretch = np.zeros(1 << 14, np.int16)
    x = 0
    for index in range(1 << 14):
        while x < 2 * LIMIT and squash[x] < 4 * index + 2:
            x += 1
        stretch[index] = x - LIMIT
    low, high = 1 << 60, 2 << 60
    while high - low > 1:  # 2^(1/16) by bisection.
        middle = (low + high) // 2
        low, high = (low, middle) if middle**16 > 2 << 960 else (middle, high)
    powers = [1 << 60]
    for _ in range(255):
        powers.append(powers[-1] * low >> 60)
    means = np.array([16 * value >> 60 for value in powers], np.int64)
    return squash, stretch, means


# MEANS[i] is 16 * 2^(i / 16).
SQUASH, STRETCH, MEANS = _tables()


def steps(prior: int, limit: int) -> Array:
    """How far a slot moves by the number of bits that it has seen: 65536 / (n + prior / 2).

    Args:
        prior: Twice the bits that the first probability counts as.
        limit: The number of bits from which on the step stays.
    """
    return np.array([131072 // (2 * min(n, limit) + prior) for n in range(256)], np.int32)


@compiled
def start(state: Array, data: Array, decoding: bool) -> None:
    """Sets the coder's state to the beginning; a decoder reads its first bytes."""
    state[LOW], state[HIGH], state[VALUE], state[POSITION] = 0, (1 << 56) - 1, 0, 0
    if decoding:
        for i in range(_STATE_BYTES):
            byte = np.int64(data[i]) if i < data.size else np.int64(0)
            state[VALUE] = (state[VALUE] << 8) | byte
        state[POSITION] = _STATE_BYTES


@inlined
def code(state: Array, data: Array, bit: Whole, probability: Whole, decoding: bool) -> Whole:
    """Codes one bit; the interval is divided at the probability that it is one, of 65536."""
    low, high, value, position = state[LOW], state[HIGH], state[VALUE], state[POSITION]
    middle = low + ((high - low) >> 16) * probability
    if decoding:
        bit = 1 if value <= middle else 0
    if bit:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) >> 48 == 0:
        if decoding:
            byte = np.int64(data[position]) if position < data.size else np.int64(0)
            value = ((value & 0xFFFFFFFFFFFF) << 8) | byte
        else:
            data[position] = low >> 48
        position += 1
        low = (low & 0xFFFFFFFFFFFF) << 8
        high = ((high & 0xFFFFFFFFFFFF) << 8) | 255
    state[LOW], state[HIGH], state[VALUE], state[POSITION] = low, high, value, position
    return bit


@compiled
def finish(state: Array, data: Array) -> Whole:
    """Writes the shortest end, missing bytes being read as zeros; returns the number of bytes."""
    position = state[POSITION]
    count = 0
    kept = np.int64(0)
    while count <= _STATE_BYTES:
        shift = 56 - 8 * count
        kept = ((state[LOW] + (1 << shift) - 1) >> shift) << shift
        if kept <= state[HIGH]:
            break
        count += 1
    for i in range(count):
        data[position] = (kept >> (48 - 8 * i)) & 255
        position += 1
    while position > 0 and data[position - 1] == 0:
        position -= 1
    return position


@inlined
def spent(effort: Array, size: Whole) -> bool:
    """Takes what a level counts from the effort that is left; whether that is too much."""
    effort[0] -= min(size, MOST_EFFORT) + 1
    return bool(effort[0] < 0)


@inlined
def updated(slot: Whole, goal: Whole, step: Array) -> Whole:
    """A slot after one more bit; the goal is 0 or 2^22 - 1."""
    count = slot & COUNT
    probability = np.int64(slot >> 8)
    probability += ((goal - probability) * step[count]) >> 16
    return np.int32((probability << 8) | (count + (count < COUNT)))


@inlined
def mixed(
    state: Array,
    data: Array,
    bit: int,
    decoding: bool,
    slots: Array,
    places: Array,
    count: int,
    weights: Array,
    step: Array,
    stretched: Array,
    rate: int,
) -> int:
    """Codes a bit with the slots at some places, and lets slots and weights learn from it.

    A slot that is used for the first time starts as the first of them stands.
    """
    total: Whole = np.int64(0)
    first = slots[places[0]]
    for i in range(count):
        slot = slots[places[i]]
        if slot & COUNT == 0 and i > 0:
            slot = first & ~np.int32(COUNT)
            slots[places[i]] = slot
        stretched[i] = np.int64(STRETCH[slot >> 16])
        total += weights[i] * stretched[i]
    logit: Whole = min(max(total >> 16, -LIMIT), LIMIT)
    probability = np.int64(SQUASH[logit + LIMIT])
    bit = code(state, data, bit, probability, decoding)
    error = ((bit << 16) - probability) * rate
    goal = (bit << 22) - bit
    for i in range(count):
        weights[i] += (stretched[i] * error + (1 << 19)) >> 20
        slots[places[i]] = updated(slots[places[i]], goal, step)
    return bit
