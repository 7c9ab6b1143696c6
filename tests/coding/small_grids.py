"""Levels and the grids in which they lie, and what coding them must give."""

from __future__ import annotations

import contextlib
import math
import sys

import numpy as np
import pytest
from hypothesis import strategies as st

from dwt_keras.coding import dense, entropy
from dwt_keras.coding import levels as coded_levels
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.grid import Block, Grid
from dwt_keras.wavelet.blocks import subbands

LARGEST = entropy.LARGEST_LEVEL
CODERS = (entropy.MIXED, entropy.DENSE, None)


def blocks_of(height, width, depth):
    return tuple(
        Block(s.start, t.start, s.stop - s.start, t.stop - t.start, band.level, band.name[:2])
        for band in subbands((height, width), depth, (0, 1))
        for s, t in [band.slices]
    )


@st.composite
def grids(draw, least=0, most=5, units=12):
    shape = (*(draw(st.integers(least, most)) for _ in range(3)), draw(st.integers(least, units)))
    depth = draw(st.integers(0, 3))
    return Grid(shape, blocks_of(*shape[:2], depth) if depth and 0 not in shape else ())


@st.composite
def tensors(draw, **sizes):
    grid = draw(grids(**sizes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    largest = draw(st.sampled_from([0, 1, 4, 8, 16, 24]))
    magnitudes = np.minimum(2.0 ** rng.uniform(0, largest + 1e-9, grid.shape), LARGEST)
    signs = rng.choice([-1, 1], grid.shape, p=[1 - (p := draw(st.floats(0, 1))), p])
    kept = rng.random(grid.shape) < draw(st.sampled_from([0, 0.02, 0.2, 0.5, 0.9, 1]))
    return (magnitudes * signs * kept).astype(np.int32), grid


def check(levels, grid):
    """Codes levels with each coder and asserts that they come back; returns the chosen bytes."""
    for coder in CODERS:
        data = entropy.encode(levels, grid, coder)
        assert isinstance(data, bytes)
        again = entropy.decode(data, grid)
        assert (again.dtype, again.shape) == (np.dtype(np.int32), grid.shape)
        np.testing.assert_array_equal(again, levels)
    return data


def check_damaged(data, grid):
    """Asserts that bytes decode to levels, or that CodecError says why not; returns which."""
    try:
        levels = entropy.decode(data, grid)
    except CodecError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 100
        return False
    assert (levels.dtype, levels.shape) == (np.dtype(np.int32), grid.shape)
    assert np.abs(levels.astype(np.int64)).max(initial=0) <= LARGEST
    np.testing.assert_array_equal(entropy.decode(data, grid), levels)
    return True


def flat(count):
    return Grid((1, 1, 1, count))


@contextlib.contextmanager
def in_python():
    """Has the compiled loops run as plain Python, where every index and overflow is checked."""

    def checked(original):
        def code_rows(decoding, values, *others):
            # As Python's numbers truth values add up, as they do in compiled code.
            numbers = values.astype(object)
            with np.errstate(all="raise"):
                size = original(decoding, numbers, *others)
            values[:] = numbers
            return size

        return code_rows

    with pytest.MonkeyPatch.context() as patch:
        for path, module in list(sys.modules.items()):
            if path.startswith("dwt_keras.coding."):
                for name, function in list(vars(module).items()):
                    if hasattr(function, "py_func"):
                        patch.setattr(module, name, function.py_func)
        for module in (coded_levels, dense):
            patch.setattr(module, "code_rows", checked(module.code_rows))
        yield


def fixed(shape):
    """Levels that do not hang on any generator of random numbers."""
    hashed = np.arange(1, math.prod(shape) + 1, dtype=np.uint64) * 2654435761 % 2**32 >> 8
    sizes = np.where(hashed % 5 == 0, hashed >> hashed % 7 * 4, hashed % 3 * (hashed % 4 // 2))
    return np.where(hashed >> 9 & 1, -1, 1).astype(np.int32).reshape(shape) * sizes.astype(
        np.int32
    ).reshape(shape)
