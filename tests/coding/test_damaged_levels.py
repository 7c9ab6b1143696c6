"""Bytes that may be no levels: refused, or within every array and limit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_grids import CODERS, LARGEST, check_damaged, fixed, flat, grids, in_python, tensors

from dwt_keras.coding import entropy
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.grid import Grid


@settings(deadline=None, max_examples=1000)
@given(st.binary(max_size=80), grids(most=3, units=6))
def test_any_bytes_are_levels_or_refused(data, grid):
    if check_damaged(data, grid):
        assert grid.rows * grid.shape[3] > 0 or not data


@settings(deadline=None, max_examples=1000)
@given(tensors(most=3, units=6), st.data())
def test_damaged_bytes_are_levels_or_refused(tensor, draw):
    levels, grid = tensor
    data = bytearray(entropy.encode(levels, grid, draw.draw(st.sampled_from(CODERS))))
    kind = draw.draw(st.sampled_from(["cut", "flip", "append", "other grid"]))
    if kind == "cut":
        del data[draw.draw(st.integers(0, len(data))) :]
    elif kind == "flip" and data:
        for place in draw.draw(st.lists(st.integers(0, 8 * len(data) - 1), max_size=5)):
            data[place // 8] ^= 1 << place % 8
    elif kind == "append":
        data += draw.draw(st.binary(max_size=20))
    elif kind == "other grid":
        grid = draw.draw(grids(most=3, units=6))
    check_damaged(bytes(data), grid)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60), grids(1, 2, 4))
def test_any_bytes_stay_within_every_array_and_give_the_same_in_plain_python(
    count, mean, data, grid
):
    # Both coders, and numbers of non-zeros that there can be.
    data = bytes([2 + count % (2 * math.prod(grid.shape)), mean]) + data

    def outcome():
        try:
            return entropy.decode(data, grid).tolist()
        except CodecError as error:
            return str(error)

    with in_python():
        expected = outcome()
    assert outcome() == expected


@pytest.mark.parametrize("count", [0, 1, 2, 3, 16, 17, 18])
@pytest.mark.parametrize("mean", [0, 1, 255])
@pytest.mark.parametrize("byte", [0, 1, 127, 255])
def test_every_first_byte_stays_within_every_array(count, mean, byte):
    with in_python():
        check_damaged(bytes([count, mean]) + bytes([byte]) * 12, Grid((1, 2, 2, 2)))


@pytest.mark.parametrize("coder", [entropy.MIXED, entropy.DENSE])
def test_another_number_of_non_zeros_is_refused(coder):
    levels = fixed((3, 3, 2, 5))
    grid = Grid(levels.shape)
    data = entropy.encode(levels, grid, coder)
    assert data[0] == 2 * np.count_nonzero(levels) + coder < 128
    for count in range(1, 64):
        if count != data[0] // 2:
            with pytest.raises(CodecError, match=r"non-zero|more bytes|larger"):
                entropy.decode(bytes([2 * count + coder]) + data[1:], grid)
    with pytest.raises(CodecError, match=r"182 is above the limit of 181$"):
        entropy.decode(b"\xb6\x01" + data[1:], grid)
    with pytest.raises(CodecError, match=r"^the levels have bytes, and yet no non-zero$"):
        entropy.decode(bytes([coder]) + data[1:], grid)


def test_bytes_that_the_levels_do_not_need_are_refused():
    levels = fixed((3, 3, 2, 5))
    grid = Grid(levels.shape)
    data = entropy.encode(levels, grid)
    for more in (8, 20, 100_000):
        with pytest.raises(CodecError, match=r"^the levels have more bytes than they need$"):
            entropy.decode(data + bytes(more), grid)
        with pytest.raises(CodecError):
            entropy.decode(data + b"\xff" * more, grid)


@pytest.mark.parametrize("data", [b"\x02", b"\x03", b"\xff"])
def test_a_single_byte_is_refused(data):
    with pytest.raises(CodecError, match=r"was expected at byte"):
        entropy.decode(data, flat(3))


@pytest.mark.parametrize("shape", [(0, 3, 2, 4), (3, 3, 2, 0), (1, 1, 0, 5)])
def test_an_empty_grid_has_no_bytes(shape):
    assert entropy.decode(b"", Grid(shape)).shape == shape
    for data in (b"\x01", b"\x01\x02", bytes(40)):
        with pytest.raises(CodecError, match=r"above the limit of 1|no non-zero"):
            entropy.decode(data, Grid(shape))


def test_a_decoded_level_above_the_limit_is_refused():
    with pytest.raises(CodecError, match=rf"^a level is larger than {LARGEST}$"):
        entropy.decode(b"\x02\xff", Grid((1, 1, 8, 8)))
