"""Where the blocks of a decomposition lie in the array of its coefficients.

A decomposition is a tree. Its root is the whole array; splitting a block along the transformed axes
puts, along each, the approximation of ceil(n / 2) samples first and the floor(n / 2) details behind
it. The leaves are the subbands. Splitting the approximation alone, level by level, gives Mallat's
pyramid (doi:10.1109/34.192463); splitting details too gives wavelet packets (Coifman and
Wickerhauser 1992, doi:10.1109/18.119732).

A block is named by its path, as in PyWavelets' `WaveletPacketND`: for each level one letter an
axis, a for approximation and d for details, "" for the root. An axis of one sample is not split
and has the letter a.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dwt_keras import checks

Slices = tuple[slice, ...]


@dataclass(frozen=True)
class Block:
    """A part of the coefficient array.

    Attributes:
        path: Its name.
        starts: Where it begins, by axis of the array.
        sizes: How many coefficients it has, by axis of the array.
    """

    path: str
    starts: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def slices(self) -> Slices:
        """The block as an index."""
        return tuple(
            slice(start, start + size) for start, size in zip(self.starts, self.sizes, strict=True)
        )


@dataclass(frozen=True)
class Subband:
    """One block of the coefficient array.

    Attributes:
        name: For a pyramid one letter an axis of the transform, as in PyWavelets' `wavedecn`,
            then the level: "ad2". For packets the path: "addd".
        level: How often it was split; 1 is the finest.
        slices: Where the block lies in the coefficient array.
        is_approximation: Whether it is what remains after all splits of the approximation.
    """

    name: str
    level: int
    slices: Slices
    is_approximation: bool


def depth(length: int) -> int:
    """The deepest level of an axis: how often it can be split until one sample remains."""
    return max(length - 1, 0).bit_length()


def root(shape: Sequence[int]) -> Block:
    """The block that is the whole array."""
    return Block("", (0,) * len(shape), tuple(shape))


def can_split(block: Block, axes: Sequence[int]) -> bool:
    """Whether a block has an axis of two samples or more left, and no empty one."""
    return 0 not in block.sizes and any(block.sizes[axis] > 1 for axis in axes)


def children(block: Block, axes: Sequence[int]) -> list[Block]:
    """The blocks that splitting makes of one, the approximation first."""
    found = []
    for letters in itertools.product(
        *(("a", "d") if block.sizes[axis] > 1 else ("a",) for axis in axes)
    ):
        starts, sizes = list(block.starts), list(block.sizes)
        for axis, letter in zip(axes, letters, strict=True):
            kept = -(-block.sizes[axis] // 2)
            sizes[axis] = kept if letter == "a" else block.sizes[axis] - kept
            starts[axis] += 0 if letter == "a" else kept
        found.append(Block(block.path + "".join(letters), tuple(starts), tuple(sizes)))
    return found


def pyramid(shape: Sequence[int], level: int, axes: Sequence[int]) -> tuple[str, ...]:
    """The paths of the blocks that so many levels split: the approximation each time."""
    found: list[str] = []
    sizes = list(shape)
    while len(found) < level and 0 not in sizes and any(sizes[axis] > 1 for axis in axes):
        found.append("a" * (len(axes) * len(found)))
        for axis in axes:
            sizes[axis] -= sizes[axis] // 2
    return tuple(found)


def in_order(
    shape: Sequence[int], splits: Iterable[str], axes: Sequence[int]
) -> tuple[list[Block], list[Block]]:
    """The tree of a decomposition.

    Args:
        shape: Shape of the array.
        splits: Paths of the blocks to split.
        axes: The transformed axes.

    Returns:
        The blocks that are split, each before what it is split into; and the leaves.

    Raises:
        ArgumentError: If a path is no block of this tree, or one that cannot be split.
    """
    wanted = set(splits)
    split: list[Block] = []
    leaves: list[Block] = []
    waiting = [root(shape)]
    while waiting:
        block = waiting.pop()
        if block.path in wanted and can_split(block, axes):
            wanted.remove(block.path)
            split.append(block)
            waiting.extend(reversed(children(block, axes)))
        else:
            leaves.append(block)
    if wanted:
        raise checks.ArgumentError(
            "splits",
            f"must be paths of blocks of a {'x'.join(map(str, shape))} array that can be split; "
            f"given {min(wanted)!r}",
        )
    return split, leaves


def subbands(
    shape: Sequence[int], level: int, axes: Sequence[int], splits: Sequence[str] | None = None
) -> list[Subband]:
    """Where each subband lies in the coefficient array, the approximation first.

    Args:
        shape: Shape of the array.
        level: Level of the decomposition.
        axes: Its axes.
        splits: For wavelet packets, the paths of all blocks that are split; then `level` is not
            looked at.

    Returns:
        Subbands from the coarsest to the finest; together they cover the array once.

    Raises:
        ArgumentError: On a level, axes or splits that `transform.decompose` refuses.
    """
    axes = check(len(shape), level, axes)
    paths = pyramid(shape, level, axes) if splits is None else splits
    _, leaves = in_order(shape, paths, axes)
    found = []
    for leaf in leaves:
        levels = len(leaf.path) // len(axes) if axes else 0
        last = leaf.path[-len(axes) :] or "a" * len(axes)
        name = (leaf.path or "root") if splits is not None else last + str(levels)
        found.append(Subband(name, levels, leaf.slices, "d" not in leaf.path))
    return sorted(found, key=lambda band: (not band.is_approximation, -band.level))


def cap(level: int | str, axes: Sequence[int], shape: Sequence[int]) -> tuple[int, str]:
    """The level that axes allow, and a note on those that do not allow the wanted one.

    Args:
        level: Wanted levels, or "max" for the deepest.
        axes: The axes to transform, one at least.
        shape: Shape of the array.

    Returns:
        The level, at most that of the longest axis; and one line, or "".
    """
    depths = {axis: depth(shape[axis]) for axis in axes}
    deepest = max(depths.values())
    if isinstance(level, str):
        return deepest, ""
    capped = [f"at {d} for {shape[axis]} samples" for axis, d in depths.items() if d < level]
    note = f"level {level} capped {', '.join(dict.fromkeys(capped))}" if capped else ""
    return min(level, deepest), note


def check(ndim: int, level: int, axes: Sequence[int]) -> list[int]:
    """Checks level and axes; returns the axes counted from the first.

    Raises:
        ArgumentError: If the level is below 1, or the axes are not different ones of the array.
    """
    checks.integer("level", level, least=1)
    normal = [axis + ndim if axis < 0 else axis for axis in axes]
    if len(set(normal)) != len(normal) or any(not 0 <= axis < ndim for axis in normal):
        raise checks.ArgumentError(
            "axes",
            f"must be different axes of an array of {ndim} dimensions; given {tuple(axes)}",
        )
    return normal
