"""Tensors of every kind, and the grids in which their levels are coded."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dwt_keras.checks import UserError
from dwt_keras.coding import records, tensors
from dwt_keras.coding.fields import Writer
from dwt_keras.coding.grid import Grid
from dwt_keras.coding.records import Transform
from dwt_keras.coding.tensors import Tensor

PLENTY = 1 << 20
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
DTYPES = list(records.DTYPES.values())
FLOATING = [np.dtype(d) for d in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)]
FLOAT = np.dtype(np.float32)


def grids(shape, transform):
    """The last axis are the units; haar and the identity are all there is."""
    if transform is not None:
        if transform.wavelet not in ("haar", "none"):
            raise UserError(f"there is no wavelet {transform.wavelet}")
        shape = transform.shape
    return Grid((1, 1, math.prod(shape[:-1]), math.prod(shape[-1:])))


def random_values(dtype, shape, seed):
    rng = np.random.default_rng(seed)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in FLOATING:
        return rng.standard_normal(shape).astype(dtype)
    return np.frombuffer(rng.bytes(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)


def random_levels(shape, seed):
    return np.random.default_rng(seed).integers(-2, 3, shape, dtype=np.int32)


def raw(name="a", shape=(2, 3), dtype=FLOAT, seed=0):
    return Tensor(name, shape, dtype, values=random_values(dtype, shape, seed))


def levelled(name="a", shape=(2, 3), dtype=FLOAT, step=0.5, transform=None, seed=0):
    levels = random_levels(transform.shape if transform else shape, seed)
    return Tensor(name, shape, dtype, levels=levels, step=step, transform=transform)


@st.composite
def transforms(draw, shape):
    """None, or one with any axes; whether a basis exists is for others to say."""
    if draw(st.booleans()):
        return None
    unflattened = draw(st.sampled_from([shape, (1, *shape, 1), (math.prod(shape),)]))
    axes = tuple(axis for axis in range(len(unflattened)) if draw(st.booleans()))
    paths = st.lists(st.text("ad", max_size=9), min_size=1, max_size=4, unique=True).map(tuple)
    splits = draw(st.none() | paths)
    level = draw(st.integers(0, 64))
    return Transform(draw(st.sampled_from(["haar", "none"])), level, axes, unflattened, splits)


@st.composite
def any_tensor(draw):
    name = draw(st.text("ab/é", max_size=8))
    shape, dtype = draw(SHAPES), draw(st.sampled_from(DTYPES))
    seed, kind = draw(st.integers(0, 99)), draw(st.sampled_from(["raw", "half", "levels"]))
    if dtype not in FLOATING:
        kind = "raw"
    if kind == "levels":
        step = draw(st.floats(0, 2**100, width=32))
        return levelled(name, shape, dtype, step, draw(transforms(shape)), seed)
    kept = dtype if kind == "raw" else np.dtype(np.float16)
    return Tensor(name, shape, dtype, values=random_values(kept, shape, seed))


def assert_same(found, expected):
    assert found.name == expected.name
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert found.step == expected.step
    assert found.transform == expected.transform
    assert (found.values is None) == (expected.values is None)
    for one, other in ((found.values, expected.values), (found.levels, expected.levels)):
        if other is not None:
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert one.tobytes() == other.tobytes()


def assert_round_trip(given_tensors):
    data = tensors.encode(given_tensors, grids)
    found = tensors.decode(data, grids, PLENTY)
    assert len(found) == len(given_tensors)
    for one, other in zip(found, given_tensors, strict=True):
        assert_same(one, other)
    assert tensors.encode(found, grids) == data
    return data


def payload(kind, shape=(2,), dtype=0, rest=b"", name="a", shared=0, count=1):
    """A payload by hand, of one tensor; the rest are its values, or `level_fields`."""
    writer = Writer()
    writer.unsigned(count)
    writer.unsigned(shared)
    writer.text(name)
    writer.raw(bytes([dtype]))
    writer.shape(shape)
    fields, coded = rest if isinstance(rest, tuple) else (b"", rest)
    writer.raw(bytes([kind]) + fields)
    return records.pack(writer.to_bytes(), [coded])


def level_fields(step=0.5, wavelet="", unflattened=None, level=1, mask=1, splits=(), data=b""):
    writer = Writer()
    writer.float32(step, finite=False)
    writer.text(wavelet)
    if wavelet:
        writer.shape(unflattened)
        writer.unsigned(level)
        writer.unsigned(mask)
        writer.unsigned(len(splits))
        for path in splits:
            writer.text(path)
    writer.unsigned(len(data))
    return writer.to_bytes(), data


HAAR = {"wavelet": "haar", "unflattened": (2,)}
