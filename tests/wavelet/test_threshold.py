"""Shrinking against PyWavelets and at the edges of the number range."""

from __future__ import annotations

import math

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
