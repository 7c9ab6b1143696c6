"""How the entropy coder sees a tensor: rows at places of a grid, and the rows that a row looks at.

A tensor is an array of shape (height, width, channels, units). A row is all units at one place and
channel. Rows are coded block by block, the coarsest first, and every row looks at rows that have
been coded before it: neighbours within its block, its parent (the row of the next coarser block of
the same orientation at the same place) and its siblings (the same place in blocks of the same level
coded before). Where there is no such row, it looks at the row behind the last, which is all zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.compiled import compiled

Array = npt.NDArray[Any]

# What a row looks at, in the order of `Rows.looks_at`.
UP, LEFT, UP_LEFT, UP_RIGHT, PARENT, UP_UP, LEFT_LEFT, BEFORE, AFTER = range(9)
LOOKS = 9
_DOWN = (-1, 0, -1, -1, 0, -2, 0, -1, -1)
_ASIDE = (0, -1, -1, 1, 0, 0, -2, -2, 2)

_APPROXIMATION = "aa"


@dataclass(frozen=True)
class Block:
    """A subband of a pyramid over height and width.

    Attributes:
        top: First row of places.
        left: First column of places.
        height: Number of rows of places.
        width: Number of columns of places.
        level: 1 is the finest.
        letters: a for approximation and d for details, along height, then width.
    """

    top: int
    left: int
    height: int
    width: int
    level: int
    letters: str


@dataclass(frozen=True)
class Grid:
    """A tensor as (height, width, channels, units), and its subbands.

    Attributes:
        shape: These four sizes.
        blocks: The subbands of a pyramid over height and width, the approximation first, then from
            the coarsest to the finest; together they cover all places once. None: one block.
    """

    shape: tuple[int, int, int, int]
    blocks: tuple[Block, ...] = ()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return math.prod(self.shape[:3])


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a grid in the order of coding.

    Attributes:
        order: For each the number of the row in the array, (place * channels + channel).
        looks_at: Of shape (rows, LOOKS): the rows that each looks at; `rows` where there is none.
        block: The block that each is in, counted from the coarsest.
        channel: The channel of each.
        place: The place of each.
    """

    order: Array
    looks_at: Array
    block: Array
    channel: Array
    place: Array


def rows(grid: Grid) -> Rows:
    """The rows of a grid in the order of coding."""
    height, width, channels, _ = grid.shape
    blocks = grid.blocks or (Block(0, 0, height, width, 0, _APPROXIMATION),)
    return Rows(*_rows(_table(blocks), height, width, channels))


def _table(blocks: Sequence[Block]) -> Array:
    """Of each block: position, size, parent, whether that has the same size, two siblings."""
    found: dict[tuple[int, str], int] = {}
    table = np.full((len(blocks), 8), -1, np.int64)
    for index, block in enumerate(blocks):
        parent, same_size = -1, False
        siblings: list[int] = []
        if block.letters != _APPROXIMATION:
            coarser = found.get((block.level + 1, block.letters))
            same_size = coarser is None
            # The coarsest details have the approximation, which is as large as they are.
            parent = found.get((block.level, _APPROXIMATION), -1) if coarser is None else coarser
            siblings = [
                found[block.level, letters]
                for letters in ("ad", "da", "dd")
                if (block.level, letters) in found
            ]
        table[index, :6] = block.top, block.left, block.height, block.width, parent, same_size
        table[index, 6 : 6 + len(siblings[:2])] = siblings[:2]
        found[block.level, block.letters] = index
    return table


@compiled
def _rows(
    table: Array, height: int, width: int, channels: int
) -> tuple[Array, Array, Array, Array, Array]:
    count = height * width * channels
    number = np.full((height, width, channels), count, np.int64)
    order = np.zeros(count, np.int64)
    looks_at = np.full((count, LOOKS), count, np.int64)
    block = np.zeros(count, np.int64)
    channel = np.zeros(count, np.int64)
    place = np.zeros(count, np.int64)
    row = 0
    for b in range(len(table)):
        top, left, tall, wide, parent, same_size = table[b, :6]
        for y in range(tall):
            for x in range(wide):
                for c in range(channels):
                    order[row] = ((top + y) * width + left + x) * channels + c
                    number[top + y, left + x, c] = row
                    for i in range(LOOKS):
                        j, k = y + _DOWN[i], x + _ASIDE[i]
                        # With several blocks siblings are more telling than far neighbours.
                        wanted = i != PARENT and (i < BEFORE or len(table) == 1)
                        if wanted and 0 <= j < tall and 0 <= k < wide:
                            looks_at[row, i] = number[top + j, left + k, c]
                    for i in range(2):
                        s = table[b, 6 + i]
                        if s >= 0 and y < table[s, 2] and x < table[s, 3]:
                            looks_at[row, BEFORE + i] = number[table[s, 0] + y, table[s, 1] + x, c]
                    if parent >= 0:
                        j, k = (y, x) if same_size else (y // 2, x // 2)
                        if j < table[parent, 2] and k < table[parent, 3]:
                            looks_at[row, PARENT] = number[
                                table[parent, 0] + j, table[parent, 1] + k, c
                            ]
                    elif c > 0:
                        looks_at[row, PARENT] = row - 1
                    block[row], channel[row] = b, c
                    place[row] = (top + y) * width + left + x
                    row += 1
    return order, looks_at, block, channel, place
