"""Thresholds against sorting, against their formulas as plain loops, and against drawn noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from drawn import COMPLEX, REAL, draw, zeroed
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dwt_keras.wavelet import rules

NORMAL_MEDIAN = 0.6744897501960817


def dtype_name(dtype):
    return dtype.__name__


each_dtype = pytest.mark.parametrize("dtype", [*REAL, *COMPLEX], ids=dtype_name)


def signal_and_noise(shape, dtype, seed=0, size=5.0, share=0.3):
    """Noise with sigma 1 around values of which some are not zero."""
    where = np.random.default_rng(seed + 1000).random(shape) < share
    return (draw(shape, dtype, seed=seed) + where * draw(shape, dtype, size, seed + 1)).astype(
        dtype
    )


# The noise's standard deviation and the universal threshold.


@each_dtype
@pytest.mark.parametrize("shape", [(7,), (4, 6), (1,), (), (2,)])
def test_sigma_is_the_median_magnitude_over_that_of_noise(dtype, shape):
    x = draw(shape, dtype, 3.0, seed=5)
    before = x.copy()
    found = rules.noise_sigma(x)
    ordered = sorted(abs(complex(value)) for value in x.ravel())
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    median = math.sqrt(math.log(2)) if dtype in COMPLEX else NORMAL_MEDIAN
    assert type(found) is float
    assert found == pytest.approx(middle / median, rel=1e-6)
    assert np.array_equal(x, before)


@each_dtype
@pytest.mark.parametrize("scale", [0.3, 1e-30, 1e30])
def test_sigma_is_that_of_the_noise_whatever_the_outliers(dtype, scale):
    noise = draw(100_000, dtype, scale, seed=6)
    assert rules.noise_sigma(noise) == pytest.approx(scale, rel=0.01)
    noise[:1000] = 170 * scale
    assert rules.noise_sigma(noise) == pytest.approx(scale, rel=0.03)


def test_sigma_of_the_largest_numbers_does_not_overflow():
    x = np.array([3e38, -3e38], np.float32)
    assert rules.noise_sigma(x) == pytest.approx(3e38 / NORMAL_MEDIAN)


@each_dtype
def test_sigma_of_nothing_is_zero(dtype):
    assert rules.noise_sigma(np.zeros((0, 3), dtype)) == 0.0
    assert rules.noise_sigma(np.zeros(5, dtype)) == 0.0


@pytest.mark.parametrize("count", [2, 3, 1000, 25_000_000])
def test_the_universal_threshold_follows_its_formula(count):
    expected = 0.7 * math.sqrt(2 * math.log(count))
    assert rules.universal_threshold(0.7, count) == pytest.approx(expected)
    expected = 0.7 * math.sqrt(math.log(count))
    assert rules.universal_threshold(0.7, count, complex_valued=True) == pytest.approx(expected)


@pytest.mark.parametrize("complex_valued", [False, True])
def test_the_universal_threshold_for_one_coefficient_or_without_noise_is_zero(complex_valued):
    for sigma, count in [(1.0, 0), (1.0, 1), (0.0, 10), (0.0, 0)]:
        found = rules.universal_threshold(sigma, count, complex_valued=complex_valued)
        assert (type(found), found) == (float, 0.0)


@each_dtype
def test_the_universal_threshold_is_about_the_largest_of_pure_noise(dtype):
    count = 10_000
    largest = [np.abs(draw(count, dtype, 0.3, seed)).max() for seed in range(50)]
    found = rules.universal_threshold(0.3, count, complex_valued=dtype in COMPLEX)
    assert np.median(largest) == pytest.approx(found, rel=0.1)


# BayesShrink.


def scikit_image_bayes(details, var):
    """`_bayes_thresh` of skimage/restoration/_denoise.py, scikit-image 0.25."""
    dvar = np.mean(details * details)
    eps = np.finfo(details.dtype).eps
    return var / np.sqrt(max(dvar - var, eps))


@pytest.mark.parametrize("dtype", REAL, ids=dtype_name)
@pytest.mark.parametrize("size", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("sigma", [0.1, 0.8, 1.0])
def test_bayes_is_that_of_scikit_image_where_there_is_a_signal(dtype, size, sigma):
    x = signal_and_noise((80, 50), dtype, size=size, seed=3)
    expected = scikit_image_bayes(x.astype(np.float64), sigma**2)
    assert rules.bayes_threshold(x, sigma) == pytest.approx(expected, rel=1e-5)


@each_dtype
@pytest.mark.parametrize("seed", range(3))
def test_bayes_follows_its_formula(dtype, seed):
    x = signal_and_noise((9, 11), dtype, seed)
    before = x.copy()
    energy = 0.0
    for value in x.ravel():
        energy += abs(complex(value)) ** 2
    found = rules.bayes_threshold(x, 1.0)
    assert type(found) is float
    assert found == pytest.approx(1.0 / math.sqrt(energy / x.size - 1.0), rel=1e-5)
    assert np.array_equal(x, before)


@each_dtype
@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e20, 1e30])
def test_bayes_scales_with_its_unit(dtype, scale):
    x = signal_and_noise(1000, np.complex128 if dtype in COMPLEX else np.float64)
    expected = rules.bayes_threshold(x, 1.0) * scale
    found = rules.bayes_threshold((x * scale).astype(dtype), scale)
    assert found == pytest.approx(expected, rel=1e-5)


def test_bayes_sums_in_double_precision_across_blocks():
    x = np.full(1 << 21, 0.1, np.float32)
    x[0] = 1000.0
    mean_square = (1e6 + (x.size - 1) * float(x[1]) ** 2) / x.size
    expected = 0.01 / math.sqrt(mean_square - 0.01)
    assert rules.bayes_threshold(x, 0.1) == pytest.approx(expected, rel=1e-9)


@each_dtype
@pytest.mark.parametrize("shape", [(), (1,), (50,), (5, 6)])
@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_bayes_takes_a_subband_of_noise_whole_and_no_more(dtype, shape, scale):
    x = draw(shape, dtype, scale)
    sigma = 2 * float(np.abs(x).max())
    found = rules.bayes_threshold(x, sigma)
    assert zeroed(x, found) == x.size
    smaller = float(np.nextafter(np.abs(x).dtype.type(found), np.float32(0)))
    assert zeroed(x, smaller) == x.size - 1


@each_dtype
def test_bayes_at_the_edges(dtype):
    some = np.array([1.0, 2.0], dtype)
    assert rules.bayes_threshold(np.zeros((0, 2), dtype), 1.0) == 0.0
    assert rules.bayes_threshold(np.zeros(4, dtype), 1.0) == 0.0
    assert rules.bayes_threshold(np.zeros(4, dtype), 0.0) == 0.0
    assert rules.bayes_threshold(some, 0.0) == 0.0
    assert rules.bayes_threshold(np.array([5.0], dtype), 3.0) == pytest.approx(9 / 4)
    assert rules.bayes_threshold(np.full(6, 5.0, dtype), 4.0) == pytest.approx(16 / 3)
    above = np.nextafter(dtype(5).real, np.inf, dtype=dtype(5).real.dtype)
    assert rules.bayes_threshold(np.full(6, 5.0, dtype), 5.0) == above


def values(dtype, bound=None):
    bound = float(np.finfo(dtype).max) / 4 if bound is None else bound
    width = dtype(0).real.itemsize * 8
    bound = float(dtype(0).real.dtype.type(bound))
    if dtype in COMPLEX:
        elements = st.complex_numbers(
            max_magnitude=bound, allow_nan=False, width=64 if width == 32 else 128
        )
    else:
        elements = st.floats(-bound, bound, width=width)
    return arrays.arrays(dtype, st.integers(0, 30), elements=elements)


@settings(deadline=None)
@given(x=st.sampled_from([*REAL, *COMPLEX]).flatmap(values), sigma=st.floats(0, 1e300))
@example(x=np.full(2, 1e308), sigma=1e308 * (1 - 2.0**-52))
@example(x=np.full(2, 1e308, np.complex128), sigma=9e307)
@example(x=np.array([1e-45, 3e38], np.float32), sigma=1e-320)
@example(x=np.array([2.0, 3.0]), sigma=5e-324)
@example(x=np.array([5e-324, 1e-323]), sigma=5e-324)
@example(x=np.array([3.4028235e38], np.float32), sigma=1e39)
@example(x=np.full(3, 1e-310), sigma=1e-308)
def test_thresholds_are_finite_and_those_of_noise_take_all(x, sigma):
    with np.errstate(under="ignore"):
        for rule in (rules.bayes_threshold, rules.sure_threshold):
            found = rule(x, sigma)
            assert type(found) is float
            assert 0.0 <= found < math.inf
        largest = float(np.abs(x).max(initial=0.0))
        if largest < sigma:
            assert zeroed(x, rules.bayes_threshold(x, sigma)) == x.size


# SureShrink.


def estimated_risks(x, t, sigma):
    """Stein's estimates for soft thresholding, one coefficient after the other."""
    risks = []
    for value in x.ravel():
        size = float(np.abs(value))
        if np.iscomplexobj(x):
            s2 = sigma**2 / 2
            divergence = -2 if size <= t else -t / size
            risks.append(2 * s2 + min(size, t) ** 2 + 2 * s2 * divergence)
        else:
            risks.append(sigma**2 + min(size, t) ** 2 - 2 * sigma**2 * (size <= t))
    return np.array(risks)


def sure_by_loops(x, sigma):
    """The threshold at which the estimate is least, and whether the universal one is taken."""
    n = x.size
    universal = sigma * math.sqrt((1 if np.iscomplexobj(x) else 2) * math.log(n))
    excess = sum(float(np.abs(value)) ** 2 / sigma**2 for value in x.ravel()) / n - 1
    if excess <= math.log2(n) ** 1.5 / math.sqrt(n):
        return universal, True
    sizes = [0.0, *sorted(float(np.abs(value)) for value in x.ravel())]
    risks = [(estimated_risks(x, t, sigma).sum(), t) for t in sizes if t <= universal]
    return min(risks)[1], False


@each_dtype
@pytest.mark.parametrize("shape", [(2,), (3,), (10,), (8, 9), (150,)])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.9])
def test_sure_follows_its_formula(dtype, shape, share):
    for seed in range(3):
        x = signal_and_noise(shape, dtype, seed, share=share)
        before = x.copy()
        found = rules.sure_threshold(x, 0.9)
        expected, _ = sure_by_loops(x, 0.9)
        assert type(found) is float
        assert found == pytest.approx(expected, rel=1e-6)
        assert np.array_equal(x, before)


@each_dtype
def test_sure_takes_the_universal_threshold_for_noise_and_less_for_a_signal(dtype):
    complex_valued = dtype in COMPLEX
    universal = rules.universal_threshold(1.0, 5000, complex_valued=complex_valued)
    assert rules.sure_threshold(draw(5000, dtype), 1.0) == universal
    found = [
        rules.sure_threshold(signal_and_noise(5000, dtype, share=share), 1.0)
        for share in (0.05, 0.2, 0.5, 0.9)
    ]
    assert universal > found[0] > found[1] > found[2] > found[3] > 0.0


@each_dtype
def test_sure_looks_no_further_than_the_universal_threshold(dtype):
    x = np.array([1.34, -1.34], dtype)
    assert rules.universal_threshold(1.0, 2) < 1.34
    assert estimated_risks(x, 1.35, 1.0).sum() < estimated_risks(x, 0.0, 1.0).sum()
    assert rules.sure_threshold(x, 1.0) == 0.0


@settings(deadline=None)
@given(
    x=st.sampled_from([*REAL, *COMPLEX])
    .flatmap(lambda dtype: arrays.arrays(dtype, st.integers(2, 30), elements=st.integers(-9, 9)))
    .filter(lambda x: x.size > 1),
    phase=st.sampled_from([1.0, 1j, -1.0]),
    # With round ones the energy can equal its bound, and rounding decides.
    sigma=st.sampled_from([0.51, 1.03, 2.07, 3.53]),
)
@example(x=np.array([0, 0, 0, 9, 9.0]), phase=1.0, sigma=1.0)
@example(x=np.array([0, 0, 5, 9, 9, 9], np.complex64), phase=1j, sigma=2.0)
def test_the_risk_at_the_sure_threshold_is_least_among_equal_magnitudes_too(x, phase, sigma):
    if np.iscomplexobj(x):
        x = x * x.dtype.type(phase)
    found = rules.sure_threshold(x, sigma)
    expected, universal = sure_by_loops(x, sigma)
    if universal:
        assert found == pytest.approx(expected)
    else:
        risk = estimated_risks(x, found, sigma).sum()
        assert risk == pytest.approx(estimated_risks(x, expected, sigma).sum(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128], ids=dtype_name)
@pytest.mark.parametrize("t", [0.0, 0.4, 1.0, 2.5])
def test_the_estimated_risk_is_that_of_shrinking_known_values(dtype, t):
    # The reference of the tests above, against drawn noise.
    sigma, count = 0.8, 10_000
    for truth in (0.0, 0.3, 1.0, 3.0):
        x = truth + draw(count, dtype, sigma, seed=9)
        shrunk = x * np.maximum(1 - t / np.abs(x), 0)
        excess = estimated_risks(x, t, sigma) - np.abs(shrunk - truth) ** 2
        assert abs(np.mean(excess)) <= 4 * np.std(excess) / math.sqrt(count)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128], ids=dtype_name)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
def test_no_other_threshold_has_a_much_smaller_risk(dtype, share):
    rng = np.random.default_rng(3)
    truth = (rng.random(40_000) < share) * draw(40_000, dtype, 4.0, seed=4)
    x = truth + draw(truth.shape, dtype, 1.0, seed=5)
    sizes = np.abs(x)

    def loss(t):
        return float(np.mean(np.abs(x * np.maximum(1 - t / sizes, 0) - truth) ** 2))

    least = min(loss(t) for t in np.linspace(0, 4, 81))
    assert loss(rules.sure_threshold(x, 1.0)) <= 1.01 * least


@each_dtype
@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_sure_scales_with_its_unit(dtype, scale):
    x = signal_and_noise(1000, dtype)
    found = rules.sure_threshold((x * x.dtype.type(scale)), scale)
    assert found == pytest.approx(rules.sure_threshold(x, 1.0) * scale, rel=1e-5)


@each_dtype
def test_sure_at_the_edges(dtype):
    some = np.array([1.0, 2.0], dtype)
    assert rules.sure_threshold(np.zeros((0, 2), dtype), 1.0) == 0.0
    assert rules.sure_threshold(np.array([5.0], dtype), 1.0) == 0.0
    assert rules.sure_threshold(np.array(5.0, dtype), 1.0) == 0.0
    assert rules.sure_threshold(some, 0.0) == 0.0
    complex_valued = dtype in COMPLEX
    universal = rules.universal_threshold(1.5, 4, complex_valued=complex_valued)
    assert rules.sure_threshold(np.zeros(4, dtype), 1.5) == universal
    assert rules.sure_threshold(np.full(4, 1.5, dtype), 1.5) == universal
    assert rules.sure_threshold(np.full(4, 1e30, dtype), 1e-300) == 0.0


def test_magnitudes_far_below_sigma_count_for_nothing():
    tiny = np.array([1e-320, 1e-310, 1e-300, 5e-324, 0.0] * 20, np.complex128)
    signal = signal_and_noise(400, np.complex128, share=0.9)
    zeros = np.zeros_like(tiny)
    expected = rules.sure_threshold(np.append(zeros, signal), 1.0)
    assert rules.sure_threshold(np.append(tiny, signal), 1.0) == expected > 0.1
