"""The grid of the entropy coder: the order of rows, and what each may look at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.coding.grid import (
    AFTER,
    BEFORE,
    LEFT,
    LEFT_LEFT,
    LOOKS,
    PARENT,
    UP,
    UP_LEFT,
    UP_RIGHT,
    UP_UP,
    Block,
    Grid,
    rows,
)
from dwt_keras.wavelet.blocks import subbands

NEIGHBOURS = {
    UP: (-1, 0),
    LEFT: (0, -1),
    UP_LEFT: (-1, -1),
    UP_RIGHT: (-1, 1),
    UP_UP: (-2, 0),
    LEFT_LEFT: (0, -2),
}
FAR = {BEFORE: (-1, -2), AFTER: (-1, 2)}
SIZES = [(28, 28, 3), (7, 5, 2), (9, 1, 2), (1, 6, 3), (13, 3, 4), (2, 2, 1), (15, 17, 2)]


def pyramid(height, width, depth):
    """The blocks of a pyramid: halves, the approximation rounded up."""
    finer = []
    level = 0
    while level < depth and max(height, width) > 1:
        level += 1
        tall, wide = (height + 1) // 2, (width + 1) // 2
        details = [
            Block(0, wide, tall, width - wide, level, "ad"),
            Block(tall, 0, height - tall, wide, level, "da"),
            Block(tall, wide, height - tall, width - wide, level, "dd"),
        ]
        finer = [block for block in details if block.height and block.width] + finer
        height, width = tall, wide
    return (Block(0, 0, height, width, level, "aa"), *finer)


def looks_of(grid):
    """For each row its place and channel, and the places and channels that it looks at."""
    found = rows(grid)
    _, width, channels, _ = grid.shape
    where = [(*divmod(int(n) // channels, width), int(n) % channels) for n in found.order]
    where.append(None)
    return [(where[row], [where[k] for k in found.looks_at[row]]) for row in range(grid.rows)]


def block_at(blocks, y, x):
    """The block at a place, and where in it that is."""
    for block in blocks:
        if 0 <= y - block.top < block.height and 0 <= x - block.left < block.width:
            return block, y - block.top, x - block.left
    raise AssertionError


grids = st.builds(
    lambda height, width, channels, depth: Grid(
        (height, width, channels, 2), pyramid(height, width, depth) if depth else ()
    ),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(0, 4),
)


@settings(deadline=None)
@given(grids)
def test_rows_cover_the_array_once_and_block_after_block(grid):
    found = rows(grid)
    np.testing.assert_array_equal(np.sort(found.order), np.arange(grid.rows))
    channels = grid.shape[2]
    np.testing.assert_array_equal(found.order, found.place * channels + found.channel)
    assert ((found.channel >= 0) & (found.channel < channels)).all()
    sizes = [block.height * block.width * channels for block in grid.blocks] or [grid.rows]
    np.testing.assert_array_equal(found.block, np.repeat(np.arange(len(sizes)), sizes))
    for number, block in enumerate(grid.blocks):
        for place in found.place[found.block == number]:
            assert block_at(grid.blocks, *divmod(int(place), grid.shape[1]))[0] is block


@settings(deadline=None)
@given(grids)
def test_a_row_looks_at_rows_before_it_or_at_the_one_behind_the_last(grid):
    looks_at = rows(grid).looks_at
    assert looks_at.shape == (grid.rows, LOOKS)
    assert (looks_at >= 0).all()
    before = looks_at < np.arange(grid.rows)[:, None]
    assert (before | (looks_at == grid.rows)).all()


@settings(deadline=None)
@given(grids)
def test_neighbours_are_the_places_around_within_the_block_and_the_channel(grid):
    height, width, _, _ = grid.shape
    blocks = grid.blocks or (Block(0, 0, height, width, 0, "aa"),)
    offsets = NEIGHBOURS if len(blocks) > 1 else NEIGHBOURS | FAR
    for (y, x, channel), looks in looks_of(grid):
        block, down, aside = block_at(blocks, y, x)
        for look, (j, k) in offsets.items():
            inside = 0 <= down + j < block.height and 0 <= aside + k < block.width
            assert looks[look] == ((y + j, x + k, channel) if inside else None)


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("shape", SIZES)
def test_the_parent_is_at_the_same_place_of_the_next_coarser_block(shape, depth):
    height, width, _ = shape
    blocks = pyramid(height, width, depth)
    by_name = {(block.level, block.letters): block for block in blocks}
    parents = 0
    for (y, x, channel), looks in looks_of(Grid((*shape, 2), blocks)):
        block, down, aside = block_at(blocks, y, x)
        if block.letters == "aa":
            assert looks[PARENT] == ((y, x, channel - 1) if channel else None)
            continue
        coarser, half = by_name.get((block.level + 1, block.letters)), 2
        if coarser is None and block.level == blocks[0].level:
            coarser, half = blocks[0], 1
        expected = None
        if coarser is not None:
            j, k = down // half, aside // half
            if j < coarser.height and k < coarser.width:
                expected = coarser.top + j, coarser.left + k, channel
        elif channel:
            expected = y, x, channel - 1
        assert looks[PARENT] == expected
        parents += expected is not None
    assert parents > 0


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("shape", SIZES)
def test_siblings_are_at_the_same_place_of_the_blocks_before_of_the_same_level(shape, depth):
    blocks = pyramid(*shape[:2], depth)
    for (y, x, channel), looks in looks_of(Grid((*shape, 2), blocks)):
        if len(blocks) == 1:
            continue
        block, down, aside = block_at(blocks, y, x)
        expected = [None, None]
        if block.letters != "aa":
            before = [
                other
                for other in blocks[: blocks.index(block)]
                if other.level == block.level and other.letters != "aa"
            ]
            for i, other in enumerate(before):
                if down < other.height and aside < other.width:
                    expected[i] = other.top + down, other.left + aside, channel
        assert [looks[BEFORE], looks[AFTER]] == expected


def test_rows_of_a_28x28_pyramid_look_where_one_would_point():
    looks = dict(looks_of(Grid((28, 28, 1, 2), pyramid(28, 28, 2))))
    # The approximation and the coarsest details have 7x7 places, the finest details 14x14.
    assert looks[3, 4, 0][PARENT] is None
    assert looks[3, 7 + 4, 0][PARENT] == (3, 4, 0)
    assert looks[7 + 6, 7 + 6, 0][PARENT] == (6, 6, 0)
    assert looks[5, 14 + 9, 0][PARENT] == (2, 7 + 4, 0)
    assert looks[14 + 13, 14 + 13, 0][PARENT] == (7 + 6, 7 + 6, 0)
    assert looks[14 + 5, 9, 0][BEFORE : AFTER + 1] == [(5, 14 + 9, 0), None]
    assert looks[14 + 5, 14 + 9, 0][BEFORE : AFTER + 1] == [(5, 14 + 9, 0), (14 + 5, 9, 0)]
    assert looks[14, 20, 0][UP] is None
    assert looks[20, 14, 0][LEFT] is None
    assert looks[20, 27, 0][UP_RIGHT] is None
    assert looks[20, 20, 0][UP:PARENT] == [(19, 20, 0), (20, 19, 0), (19, 19, 0), (19, 21, 0)]


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("shape", SIZES)
def test_subbands_of_a_transform_are_these_blocks(shape, depth):
    bands = [
        Block(*((s.start, t.start, s.stop - s.start, t.stop - t.start)), band.level, band.name[:2])
        for band in subbands(shape, depth, (0, 1))
        for s, t in [band.slices[:2]]
    ]
    assert bands == list(pyramid(*shape[:2], depth))


def test_no_blocks_are_one_block_in_the_order_of_the_array():
    none = rows(Grid((4, 5, 2, 3)))
    one = rows(Grid((4, 5, 2, 3), (Block(0, 0, 4, 5, 0, "aa"),)))
    for name in ("order", "looks_at", "block", "channel", "place"):
        np.testing.assert_array_equal(getattr(none, name), getattr(one, name))
    np.testing.assert_array_equal(none.order, np.arange(40))
    assert not none.block.any()


def test_channels_of_a_place_follow_each_other_and_look_only_at_their_own_neighbours():
    grid = Grid((3, 3, 4, 2))
    found = rows(grid)
    np.testing.assert_array_equal(found.channel, np.tile(np.arange(4), 9))
    np.testing.assert_array_equal(found.place, np.repeat(np.arange(9), 4))
    for look in (UP, LEFT, UP_LEFT, UP_RIGHT, UP_UP, LEFT_LEFT, BEFORE, AFTER):
        seen = found.looks_at[:, look]
        there = seen < grid.rows
        assert there.any()
        np.testing.assert_array_equal(found.channel[seen[there]], found.channel[there])
    expected = np.where(found.channel > 0, np.arange(36) - 1, 36)
    np.testing.assert_array_equal(found.looks_at[:, PARENT], expected)


@pytest.mark.parametrize("shape", [(0, 3, 2, 4), (3, 0, 2, 4), (3, 3, 0, 4), (2, 3, 2, 0)])
def test_a_grid_may_be_empty(shape):
    grid = Grid(shape)
    assert grid.rows == np.prod(shape[:3])
    found = rows(grid)
    assert found.looks_at.shape == (grid.rows, LOOKS)
    assert len(found.order) == grid.rows
