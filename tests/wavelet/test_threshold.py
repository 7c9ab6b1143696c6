"""Shrinking against PyWavelets and at the edges of the number range; thresholds against sorting."""

from __future__ import annotations

import math
import weakref

import ml_dtypes
import numpy as np
import pytest
import pywt
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import threshold as thresholds

MODES = ["hard", "soft", "garrote", "firm"]
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def dtype_name(dtype):
    return dtype.__name__


def bits(array):
    return np.ascontiguousarray(array).tobytes()


def reference(x, threshold, mode):
    """PyWavelets in float64."""
    x = x.astype(np.float64)
    if mode == "firm":
        return pywt.threshold_firm(x, threshold, 2 * threshold)
    return pywt.threshold(x, threshold, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
@pytest.mark.parametrize("threshold", [2.0**-10, 0.5, 1.0, 2.5, 100.0])
def test_shrinking_is_that_of_pywavelets(mode, dtype, threshold):
    drawn = np.random.default_rng(0).standard_normal((20, 30)) * 2
    edges = [threshold, -threshold, 2 * threshold, -2 * threshold, 1e-3, 1.5 * threshold]
    x = np.append(drawn, edges).astype(dtype).reshape(2, -1)
    before = x.copy()
    found = thresholds.shrink(x, threshold, mode)
    assert found.dtype == x.dtype
    assert found.shape == x.shape
    assert bits(x) == bits(before)
    assert not np.shares_memory(found, x)
    eps = float(ml_dtypes.finfo(dtype).eps)
    expected = reference(x, threshold, mode)
    np.testing.assert_allclose(
        found.astype(np.float64), expected, rtol=0, atol=4 * eps * float(np.abs(x).max())
    )
    assert np.array_equal(found == 0, expected == 0)


@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("hard", [0, 0, 1, -1, 1.5, 2, -2, 3]),
        ("soft", [0, 0, 0, 0, 0.5, 1, -1, 2]),
        ("garrote", [0, 0, 0, 0, 1.5 - 1 / 1.5, 1.5, -1.5, 3 - 1 / 3]),
        ("firm", [0, 0, 0, 0, 1, 2, -2, 3]),
    ],
)
def test_values_at_the_bounds(dtype, mode, expected):
    x = np.array([0, 0.5, 1, -1, 1.5, 2, -2, 3], dtype)
    np.testing.assert_allclose(
        thresholds.shrink(x, 1.0, mode).astype(np.float64),
        expected,
        rtol=0,
        atol=2 * float(ml_dtypes.finfo(dtype).eps),
    )


def test_the_default_mode_is_hard():
    x = np.array([0.5, 2.0], np.float32)
    assert thresholds.shrink(x, 1).tolist() == [0.0, 2.0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_zero_is_exactly_the_identity(mode, dtype, zero):
    info = ml_dtypes.finfo(dtype)
    edges = [0.0, -0.0, math.nan, -math.nan, math.inf, -math.inf, 1.0, -1 / 3]
    numbers = [info.max, -info.max, info.smallest_subnormal, -info.smallest_subnormal, info.tiny]
    x = np.array([*edges, *map(float, numbers)], dtype)
    found = thresholds.shrink(x, zero, mode)
    assert found.dtype == x.dtype
    assert bits(found) == bits(x)
    assert not np.shares_memory(found, x)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("threshold", [-1, -5e-324, math.nan, math.inf, -math.inf, "1", None, True])
def test_thresholds_that_make_no_sense_are_refused(mode, threshold):
    with pytest.raises(ArgumentError, match=r"^threshold must be a finite number, 0 or more; giv"):
        thresholds.shrink(np.ones(3), threshold, mode)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("mode", ["nope", "Hard", "", None, "less"])
def test_modes_that_are_none_are_refused(mode, threshold):
    with pytest.raises(ArgumentError, match=r"^mode must be one of hard, soft, garrote, firm; giv"):
        thresholds.shrink(np.ones(3), threshold, mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
@pytest.mark.parametrize("threshold", [1e-320, 1e-45, 1e-7, 0.5, 3e4, 1e5, 3e38, 1e39, 1e308])
def test_the_edges_of_the_number_range(mode, dtype, threshold):
    # Warnings are errors: nothing may overflow aloud.
    info = ml_dtypes.finfo(dtype)
    numbers = [float(info.max), float(info.max) / 3, float(info.smallest_subnormal)]
    numbers += [float(info.tiny), 1.0, 0.0]
    x = np.array([*numbers, *(-number for number in numbers)], dtype)
    found = thresholds.shrink(x, threshold, mode)
    size, kept = np.abs(x.astype(np.float64)), np.abs(found.astype(np.float64))
    assert np.all(np.isfinite(kept))
    assert np.all(kept <= size)
    assert np.all((np.sign(found.astype(np.float64)) * np.sign(x.astype(np.float64))) >= 0)
    # The threshold is rounded to the dtype; well beyond that there is no doubt.
    assert np.all(kept[size < 0.9 * threshold] == 0)
    assert np.all(kept[size > 1.1 * max(threshold, float(info.smallest_subnormal))] > 0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
@pytest.mark.parametrize("threshold", [1e-320, 1e-3, 1.0, 1e3, 1e300])
def test_nan_stays_nan(mode, dtype, threshold):
    x = np.array([math.nan, 0.5, -math.nan, 2.0], dtype)
    found = np.isnan(thresholds.shrink(x, threshold, mode))
    assert found.tolist() == [True, False, True, False]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
def test_infinity_stays_infinite(mode, dtype):
    x = np.array([math.inf, -math.inf], dtype)
    assert bits(thresholds.shrink(x, 0.5, mode)) == bits(x)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(0,), (3, 0), (), (1,), (2, 3, 4)])
def test_any_shape(mode, shape):
    x = np.full(shape, 0.75, np.float32)
    found = thresholds.shrink(x, 1.0, mode)
    assert isinstance(found, np.ndarray)
    assert found.shape == shape
    assert found.dtype == np.float32
    assert np.count_nonzero(found) == 0


@pytest.mark.parametrize("mode", MODES)
def test_arrays_of_any_memory_order(mode):
    x = np.random.default_rng(1).standard_normal((8, 10))
    view = x.T[::-1, ::2]
    view.flags.writeable = False
    expected = thresholds.shrink(view.copy(order="C"), 0.5, mode)
    assert np.array_equal(thresholds.shrink(view, 0.5, mode), expected)


def numbers(dtype):
    bound = float(np.finfo(dtype).max)
    return arrays.arrays(
        dtype,
        st.integers(0, 30),
        elements=st.floats(-bound, bound, width=dtype(0).itemsize * 8),
    )


@settings(deadline=None)
@given(
    x=st.sampled_from([np.float32, np.float64]).flatmap(numbers),
    threshold=st.floats(0, 1e300) | st.floats(0, 2),
)
@example(x=np.array([1e-45, 3e38], np.float32), threshold=2e-45)
@example(x=np.array([3.4e38, 1.0], np.float32), threshold=2e38)
def test_the_modes_in_order(x, threshold):
    hard, soft, garrote, firm = (np.abs(thresholds.shrink(x, threshold, mode)) for mode in MODES)
    assert np.all(soft <= garrote)
    assert np.all(garrote <= hard)
    assert np.all(soft <= firm)
    assert np.all(firm <= hard)
    assert np.all(hard <= np.abs(x))


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
    x=st.sampled_from([np.float32, np.float64]).flatmap(coefficients),
    fraction=FRACTIONS,
    cuts=st.lists(st.integers(0, 60), max_size=4),
)
@example(x=np.array([], np.float32), fraction=0.5, cuts=[])
@example(x=np.zeros(4, np.float64), fraction=0.5, cuts=[2])
@example(x=np.array([1, 1, 1, 1], np.float32), fraction=0.5, cuts=[1, 2])
def test_the_quantile_is_that_of_sorting(x, fraction, cuts):
    found = thresholds.quantile_threshold(in_chunks(x, cuts), fraction)
    assert type(found) is float
    assert found == sorted_threshold(x, fraction)
    zeros = np.count_nonzero(thresholds.shrink(x, found, "hard") == 0)
    assert zeros >= round(fraction * x.size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
@pytest.mark.parametrize("fraction", [0.0, 1e-9, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999, 1 - 1e-12])
def test_without_ties_exactly_the_fraction_goes(dtype, scale, fraction):
    x = (np.random.default_rng(0).standard_normal((50, 211)) * scale).astype(dtype)
    x = np.unique(np.abs(x)) * np.resize([1, -1], np.unique(np.abs(x)).size).astype(dtype)
    np.random.default_rng(1).shuffle(x)
    limit = thresholds.quantile_threshold(lambda: np.array_split(x, 7), fraction)
    zeros = np.count_nonzero(thresholds.shrink(x, limit, "hard") == 0)
    assert zeros == round(fraction * x.size)
    assert limit == sorted_threshold(x, fraction)


def test_with_ties_no_smaller_threshold_would_do():
    x = np.array([1, 1, 2, 2, 2, 3, 3, 4], np.float32)
    limit = thresholds.quantile_threshold(lambda: [x], 3 / 8)
    smaller = float(np.nextafter(np.float32(limit), np.float32(0)))
    assert thresholds.shrink(x, limit).tolist() == [0, 0, 0, 0, 0, 3, 3, 4]
    assert thresholds.shrink(x, smaller).tolist() == [0, 0, 2, 2, 2, 3, 3, 4]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_chunks_of_any_shape_and_memory_order(dtype):
    x = np.random.default_rng(3).standard_normal((6, 5, 4)).astype(dtype)
    frozen = x.copy()
    frozen.flags.writeable = False
    pieces = [frozen[:3].T, np.asfortranarray(frozen[3:, ::-1]), x[:0], np.array(0.25, dtype)]
    everything = np.append(x, dtype(0.25))
    for fraction in (0.2, 0.5, 0.8):
        found = thresholds.quantile_threshold(lambda: pieces, fraction)
        assert found == sorted_threshold(everything, fraction)
    assert np.array_equal(frozen, x)


@pytest.mark.parametrize("chunks", [[], [np.zeros(0, np.float32)], [np.zeros(5, np.float32)]])
def test_nothing_to_zero_gives_zero(chunks):
    assert thresholds.quantile_threshold(lambda: chunks, 0.9) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
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

    found = thresholds.quantile_threshold(chunks, 0.6)
    # One pass to count, then one for every 16 bits.
    assert [len(alive) for alive in calls] == [4] * (1 + dtype(0).itemsize // 2)
    x = np.concatenate([np.random.default_rng(s).standard_normal(100) for s in range(4)])
    assert found == sorted_threshold(x.astype(dtype), 0.6)


@pytest.mark.parametrize("fraction", [1, 1.0, 1.5, -0.1, math.nan, math.inf, "0.5", None])
def test_fractions_that_are_none_are_refused(fraction):
    with pytest.raises(ArgumentError, match=r"^fraction must be .*, 0 or more, below 1; given"):
        thresholds.quantile_threshold(lambda: [np.ones(3, np.float32)], fraction)


@pytest.mark.parametrize("dtype", DTYPES, ids=dtype_name)
@pytest.mark.parametrize("shape", [(7,), (4, 6), (1,)])
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_the_universal_threshold_follows_its_formula(dtype, shape, count):
    details = np.random.default_rng(5).standard_normal(shape).astype(dtype)
    found = thresholds.universal_threshold(details, count)
    ordered = sorted(abs(float(value)) for value in details.ravel())
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    assert type(found) is float
    assert found == pytest.approx(middle / 0.6744897501960817 * math.sqrt(2 * math.log(count)))


def test_the_universal_threshold_finds_the_noise():
    noise = np.random.default_rng(6).standard_normal(100_000).astype(np.float32) * 0.3
    noise[:1000] = 50.0  # Outliers are no noise.
    found = thresholds.universal_threshold(noise, 100_000)
    assert found == pytest.approx(0.3 * math.sqrt(2 * math.log(100_000)), rel=0.03)


def test_the_universal_threshold_of_nothing_is_zero():
    assert thresholds.universal_threshold(np.zeros((0, 3), np.float32), 10) == 0.0
    assert thresholds.universal_threshold(np.zeros(5, np.float32), 10) == 0.0
    assert thresholds.universal_threshold(np.ones(5, np.float32), 1) == 0.0
