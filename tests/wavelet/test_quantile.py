"""The quantile of all coefficients, exact and without having them all at once."""

from __future__ import annotations

import math
import sys
import weakref

import numpy as np
import pytest
from drawn import COMPLEX, REAL, draw, zeroed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import rules
from dwt_keras.wavelet.threshold import shrink


def in_chunks(x, cuts):
    pieces = np.split(x, sorted(cuts))
    return lambda: iter(pieces)


def sorted_threshold(x, fraction):
    rank = round(fraction * x.size)
    if rank == 0:
        return 0.0
    kth = np.sort(np.abs(x), axis=None)[rank - 1]
    return float(np.nextafter(kth, x.dtype.type(np.inf))) if kth else 0.0


def coefficients(dtype):
    """Spread over the whole range, or a few values again and again, zeros among them."""
    bound = float(np.finfo(dtype).max) / 2
    wide = st.floats(-bound, bound, width=dtype(0).itemsize * 8)
    few = st.sampled_from([0.0, -0.0, 1.0, -1.0, 1.0000001, 1e-40, 2.5])
    size = st.integers(0, 60)
    return arrays.arrays(dtype, size, elements=wide, fill=st.nothing()) | arrays.arrays(
        dtype, size, elements=few.map(dtype), fill=st.nothing()
    )


FRACTIONS = st.floats(0, 1, exclude_max=True) | st.sampled_from([0.0, 0.5, 0.9, 1 - 1e-12])


@settings(deadline=None, max_examples=200)
@given(
    x=st.sampled_from(REAL).flatmap(coefficients),
    fraction=FRACTIONS,
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
@example(x=np.array([], np.float32), fraction=0.5, cuts=[])
@example(x=np.zeros(4, np.float64), fraction=0.5, cuts=[2])
@example(x=np.array([1, 1, 1, 1], np.float32), fraction=0.5, cuts=[1, 2])
def test_the_quantile_is_that_of_sorting(x, fraction, cuts):
    found = rules.quantile_threshold(in_chunks(x, cuts), fraction)
    assert type(found) is float
    assert found == sorted_threshold(x, fraction)
    zeros = np.count_nonzero(shrink(x, found, "hard") == 0)
    assert zeros >= round(fraction * x.size)


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("fraction", [0.0, 1e-9, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999, 1 - 1e-12])
def test_without_ties_exactly_the_fraction_goes(dtype, scale, fraction):
    x = (np.random.default_rng(0).standard_normal((50, 211)) * scale).astype(dtype)
    x = np.unique(np.abs(x)) * np.resize([1, -1], np.unique(np.abs(x)).size).astype(dtype)
    np.random.default_rng(1).shuffle(x)
    limit = rules.quantile_threshold(lambda: np.array_split(x, 7), fraction)
    zeros = np.count_nonzero(shrink(x, limit, "hard") == 0)
    assert zeros == round(fraction * x.size)
    assert limit == sorted_threshold(x, fraction)


def test_with_ties_no_smaller_threshold_would_do():
    x = np.array([1, 1, 2, 2, 2, 3, 3, 4], np.float32)
    limit = rules.quantile_threshold(lambda: [x], 3 / 8)
    smaller = float(np.nextafter(np.float32(limit), np.float32(0)))
    assert shrink(x, limit).tolist() == [0, 0, 0, 0, 0, 3, 3, 4]
    assert shrink(x, smaller).tolist() == [0, 0, 2, 2, 2, 3, 3, 4]


@pytest.mark.parametrize("dtype", REAL)
def test_chunks_of_any_shape_and_memory_order(dtype):
    x = np.random.default_rng(3).standard_normal((6, 5, 4)).astype(dtype)
    frozen = x.copy()
    frozen.flags.writeable = False
    pieces = [frozen[:3].T, np.asfortranarray(frozen[3:, ::-1]), x[:0], np.array(0.25, dtype)]
    everything = np.append(x, dtype(0.25))
    for fraction in (0.2, 0.5, 0.8):
        found = rules.quantile_threshold(lambda: pieces, fraction)
        assert found == sorted_threshold(everything, fraction)
    assert np.array_equal(frozen, x)


@pytest.mark.parametrize("chunks", [[], [np.zeros(0, np.float32)], [np.zeros(5, np.float32)]])
def test_nothing_to_zero_gives_zero(chunks):
    assert rules.quantile_threshold(lambda: chunks, 0.9) == 0.0


@pytest.mark.parametrize("dtype", REAL)
def test_one_chunk_is_alive_at_a_time_and_each_pass_asks_anew(dtype):
    calls = []

    def chunks():
        alive = []
        calls.append(alive)
        for seed in range(4):
            assert [ref for ref in alive if ref() is not None] == []
            chunk = np.random.default_rng(seed).standard_normal(100).astype(dtype)
            alive.append(weakref.ref(chunk))
            # Handed over: the generator itself must not be what keeps it.
            handed = [chunk]
            del chunk
            yield handed.pop()

    found = rules.quantile_threshold(chunks, 0.6)
    # One pass for every 16 bits.
    assert [len(alive) for alive in calls] == [4] * (dtype(0).itemsize // 2)
    x = np.concatenate([np.random.default_rng(s).standard_normal(100) for s in range(4)])
    assert found == sorted_threshold(x.astype(dtype), 0.6)


@pytest.mark.parametrize("fraction", [1, 1.0, 1.5, -0.1, math.nan, math.inf, "0.5", None])
def test_fractions_that_are_none_are_refused(fraction):
    with pytest.raises(ArgumentError, match=r"^fraction must be .*, 0 or more, below 1; given"):
        rules.quantile_threshold(lambda: [np.ones(3, np.float32)], fraction)


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.99])
def test_complex_coefficients_count_by_magnitude(dtype, fraction):
    x = draw((50, 40), dtype)
    limit = rules.quantile_threshold(lambda: [x[:20], x[20:].T, x[:0]], fraction)
    assert limit == sorted_threshold(np.abs(x), fraction)
    assert zeroed(x, limit) == round(fraction * x.size)


def next_single(value):
    """The smallest float32 above a positive number, 2^128 behind the last."""
    with np.errstate(over="ignore"):
        number = np.float32(value)
        number = number if float(number) > value else np.nextafter(number, np.float32(np.inf))
    return min(float(number), 2.0**128)


# Around a float32, its neighbours and the points between, where rounding turns.
CLOSE = [sign * (1 + k * 2.0**-26) for sign in (1.0, -1.0) for k in range(-12, 13)]
EXTREMES = [0.0, 1e-320, -1e-45, 1e-40, float(np.finfo(np.float32).max), -3.4e38]


@st.composite
def mixtures(draw_from):
    """Chunks of several dtypes whose magnitudes lie close together."""
    pool = st.sampled_from(CLOSE) | st.sampled_from(CLOSE + EXTREMES)
    chunks = []
    for dtype in draw_from(st.lists(st.sampled_from([*REAL, *COMPLEX]), min_size=1, max_size=5)):
        numbers = draw_from(st.lists(pool, max_size=12))
        if dtype is np.float64:
            numbers += draw_from(st.lists(st.sampled_from([1e39, 1e300, 1e-300]), max_size=2))
        turn = draw_from(st.sampled_from([1, 1j])) if dtype in COMPLEX else 1
        chunks.append((np.array(numbers) * turn).astype(dtype))
    return chunks


@settings(deadline=None, max_examples=200)
@given(chunks=mixtures(), fraction=FRACTIONS)
@example(chunks=[np.array([1.0], np.float32), np.array([2.0, 3.0])], fraction=0.34)
@example(chunks=[np.float32([1.0, 3.0]), np.array([1 + 2.0**-25, 9.0])], fraction=0.5)
@example(chunks=[np.array([np.finfo(np.float32).max]), np.array([1e300])], fraction=0.5)
@example(chunks=[np.float32([np.finfo(np.float32).max, 1.0])], fraction=0.99)
def test_in_mixtures_of_dtypes_too_the_fraction_goes(chunks, fraction):
    limit = rules.quantile_threshold(lambda: chunks, fraction)
    sizes = np.sort(np.concatenate([np.abs(chunk).astype(np.float64) for chunk in chunks]))
    rank = round(fraction * sizes.size)
    assert type(limit) is float
    assert limit < math.inf
    assert sum(zeroed(chunk, limit) for chunk in chunks) >= rank
    kth = sizes[rank - 1] if rank else 0.0
    bound = float(np.nextafter(kth, np.inf))
    if any(chunk.size and chunk.real.dtype == np.float32 for chunk in chunks):
        bound = max(next_single(kth), bound if any_double(chunks) else 0.0)
    assert limit == (bound if kth else 0.0)


def any_double(chunks):
    return any(chunk.size and chunk.real.dtype == np.float64 for chunk in chunks)


def test_of_close_magnitudes_in_double_precision_a_mixture_takes_those_a_single_one_cannot_tell():
    double = 1 + np.arange(8) * 2.0**-26
    limit = rules.quantile_threshold(lambda: [np.float32([9, 9]), double], 0.4)
    assert limit == 1 + 2.0**-23
    assert zeroed(double, limit) == 8
    limit = rules.quantile_threshold(lambda: [np.float64([9, 9]), double], 0.4)
    assert zeroed(double, limit) == 4


def test_nothing_beyond_the_largest_number_is_asked_for():
    x = np.array([sys.float_info.max, 1.0])
    assert rules.quantile_threshold(lambda: [x], 0.99) == sys.float_info.max
