"""Where the blocks of a tree lie, what they are called, and which trees there are."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import blocks


def halves(part, axes):
    """What splitting a block makes of it, by letters; the approximation has the odd sample."""
    found = {"": part}
    for axis in axes:
        split = {}
        for letters, piece in found.items():
            kept = math.ceil(piece.shape[axis] / 2)
            low, high = np.split(piece, [kept], axis)
            split[letters + "a"] = low
            if high.shape[axis]:
                split[letters + "d"] = high
        found = split
    return found


def splittable(part, axes):
    return part.size > 0 and any(part.shape[axis] > 1 for axis in axes)


@st.composite
def trees(draw):
    """Shape, axes, a random set of splits in any order, and which elements each leaf has."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=4)))
    axes = tuple(draw(st.lists(st.integers(0, len(shape) - 1), unique=True, max_size=3)))
    splits, leaves = [], {}
    waiting = [("", np.arange(math.prod(shape)).reshape(shape))]
    while waiting:
        path, part = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
        if splittable(part, axes) and len(splits) < 12 and draw(st.integers(0, 3)):
            splits.append(path)
            waiting += [(path + letters, piece) for letters, piece in halves(part, axes).items()]
        else:
            leaves[path] = part
    return shape, axes, tuple(draw(st.permutations(splits))), leaves


@settings(deadline=None)
@given(trees())
def test_the_leaves_cover_the_array_once_and_lie_where_halving_puts_them(tree):
    shape, axes, splits, expected = tree
    indices = np.arange(math.prod(shape)).reshape(shape)
    _, leaves = blocks.in_order(shape, splits, axes)
    covered = np.zeros(shape, int)
    for leaf in leaves:
        covered[leaf.slices] += 1
        assert indices[leaf.slices].shape == leaf.sizes
        np.testing.assert_array_equal(indices[leaf.slices], expected.pop(leaf.path))
    assert np.all(covered == 1)
    assert not expected


@settings(deadline=None)
@given(trees())
def test_each_split_block_comes_after_the_one_it_is_part_of(tree):
    shape, axes, splits, _ = tree
    split, leaves = blocks.in_order(shape, splits, axes)
    paths = [block.path for block in split]
    assert sorted(paths) == sorted(splits)
    for place, path in enumerate(paths):
        assert path == "" or path[: -len(axes)] in paths[:place]
    assert paths == [block.path for block in blocks.in_order(shape, sorted(splits), axes)[0]]
    assert all(leaf.path[: -len(axes)] in paths for leaf in leaves if leaf.path)


def test_the_leaves_are_ordered_as_in_the_tree():
    split, leaves = blocks.in_order((8, 4), ("ad", "", "adda", "aa"), (0, 1))
    assert [block.path for block in split] == ["", "aa", "ad", "adda"]
    assert [leaf.path for leaf in leaves] == (
        "aaaa aaad aada aadd adaa adad addaaa addada addd da dd".split()
    )


def test_an_axis_of_one_sample_is_not_split_and_has_the_letter_a():
    split, leaves = blocks.in_order((2, 5), ("", "aa", "aaaa"), (0, 1))
    assert [block.sizes for block in split] == [(2, 5), (1, 3), (1, 2)]
    assert [(leaf.path, leaf.starts, leaf.sizes) for leaf in leaves] == [
        ("aaaaaa", (0, 0), (1, 1)),
        ("aaaaad", (0, 1), (1, 1)),
        ("aaad", (0, 2), (1, 1)),
        ("ad", (0, 3), (1, 2)),
        ("da", (1, 0), (1, 3)),
        ("dd", (1, 3), (1, 2)),
    ]


@pytest.mark.parametrize(
    ("shape", "axes", "splits", "named"),
    [
        ((4, 4), (0, 1), ("zz",), "zz"),
        ((4, 4), (0, 1), ("", "a"), "a"),
        ((4, 4), (0, 1), ("ad",), "ad"),
        ((4, 4), (0, 1), ("", "aadd"), "aadd"),
        ((4, 4), (0, 1), ("", "ad", "adad", "adadad"), "adad"),
        ((1, 4), (0, 1), ("", "da"), "da"),
        ((4, 1), (1,), ("",), ""),
        ((4,), (), ("",), ""),
        ((0,), (0,), ("",), ""),
        ((4, 0), (0,), ("",), ""),
        ((5,), (0,), ("", "d", "x", "dd"), "dd"),
    ],
)
def test_paths_that_are_no_block_or_cannot_be_split_are_refused_in_one_line(
    shape, axes, splits, named
):
    with pytest.raises(ArgumentError) as refusal:
        blocks.in_order(shape, splits, axes)
    size = "x".join(map(str, shape))
    assert str(refusal.value) == (
        f"splits must be paths of blocks of a {size} array that can be split; given {named!r}"
    )
    with pytest.raises(ArgumentError, match=r"^splits must be paths"):
        blocks.subbands(shape, 1, axes, splits)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.integers(1, 8), st.data())
def test_a_pyramid_splits_approximations_until_one_sample_is_left(shape, level, data):
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    found = blocks.pyramid(shape, level, axes)
    deepest = max((blocks.depth(shape[axis]) for axis in axes), default=0)
    levels = 0 if 0 in shape else min(level, deepest)
    assert found == tuple("a" * len(axes) * k for k in range(levels))
    assert blocks.in_order(shape, found, axes)[0][:1] == [blocks.root(shape)] * bool(levels)


@settings(deadline=None)
@given(trees())
def test_the_subbands_of_packets_are_the_leaves_by_path(tree):
    shape, axes, splits, leaves = tree
    indices = np.arange(math.prod(shape)).reshape(shape)
    bands = blocks.subbands(shape, 1, axes, splits)
    assert {band.name for band in bands} == {path or "root" for path in leaves}
    for band in bands:
        path = "" if band.name == "root" else band.name
        np.testing.assert_array_equal(indices[band.slices], leaves[path])
        assert band.level * len(axes) == len(path)
        assert band.is_approximation == (set(path) <= {"a"})
    assert [band.is_approximation for band in bands] == [True] + [False] * (len(bands) - 1)
    levels = [band.level for band in bands[1:]]
    assert levels == sorted(levels, reverse=True)


def test_an_approximation_that_is_split_less_than_the_details_comes_first_all_the_same():
    bands = blocks.subbands((8,), 1, (0,), ("", "d", "dd"))
    assert [(band.name, band.level) for band in bands] == [
        ("a", 1),
        ("dda", 3),
        ("ddd", 3),
        ("da", 2),
    ]


def test_splits_that_make_a_pyramid_give_its_subbands_under_their_paths():
    for shape, axes, level in [((16,), (0,), 3), ((5, 12, 2), (0, 1), 9), ((3, 3), (1, 0), 2)]:
        plain = blocks.subbands(shape, level, axes)
        packets = blocks.subbands(shape, 1, axes, blocks.pyramid(shape, level, axes))
        assert [band.slices for band in packets] == [band.slices for band in plain]
        assert [band.level for band in packets] == [band.level for band in plain]
        for one, other in zip(packets, plain, strict=True):
            assert one.name[-len(axes) :] + str(one.level) == other.name


@pytest.mark.parametrize("axes", [(0,), (0, 1), (0, 1, 2), (0, 2)])
def test_paths_are_those_of_pywavelets(axes):
    shape = (8, 4, 8)
    packet = pywt.WaveletPacketND(np.zeros(shape), "haar", "periodization", maxlevel=2, axes=axes)
    expected = {node.path: node.data.shape for node in packet.get_level(2)}
    root = blocks.root(shape)
    splits = ["", *(child.path for child in blocks.children(root, axes))]
    _, leaves = blocks.in_order(shape, splits, axes)
    assert {leaf.path: leaf.sizes for leaf in leaves} == expected
    assert len(leaves) == 4 ** len(axes)


@pytest.mark.parametrize(
    ("level", "axes", "shape", "expected"),
    [
        (1, (0,), (2,), (1, "")),
        (2, (0,), (2,), (1, "level 2 capped at 1 for 2 samples")),
        (4, (1, 0), (9, 7), (4, "level 4 capped at 3 for 7 samples")),
        (5, (0, 1), (9, 7), (4, "level 5 capped at 4 for 9 samples, at 3 for 7 samples")),
        (5, (0, 1), (7, 7), (3, "level 5 capped at 3 for 7 samples")),
        (5, (0,), (32, 2), (5, "")),
        ("max", (0, 1), (9, 7), (4, "")),
        ("max", (1,), (9, 7), (3, "")),
    ],
)
def test_the_level_is_capped_by_the_longest_axis_with_a_note(level, axes, shape, expected):
    assert blocks.cap(level, axes, shape) == expected


@pytest.mark.parametrize("axes", [(0,), (0, 1), (1, 0), (2,)])
def test_children_are_named_by_axis_and_the_approximation_is_first(axes):
    block = blocks.Block("x", (4, 1, 2), (5, 2, 1))
    found = blocks.children(block, axes)
    letters = itertools.product(*("ad" if block.sizes[axis] > 1 else "a" for axis in axes))
    assert [child.path for child in found] == ["x" + "".join(each) for each in letters]
    for child in found:
        for axis in range(3):
            start, size = block.starts[axis], block.sizes[axis]
            letter = child.path[1 + axes.index(axis)] if axis in axes else ""
            low = math.ceil(size / 2)
            expected = {"": (start, size), "a": (start, low), "d": (start + low, size - low)}
            assert (child.starts[axis], child.sizes[axis]) == expected[letter]
    assert blocks.can_split(block, axes) == (axes != (2,))
