"""Which coefficients each rule may change, and below which magnitude: against plain formulas."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from dwt_keras.compression import limits, shrink
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet import rules
from dwt_keras.wavelet.basis import Basis, identity
from dwt_keras.wavelet.frame import Frame

SHAPE = (8, 6, 5)
BASES = {
    "identity": identity(SHAPE),
    "pyramid": Basis("db2", 2, (0, 1), SHAPE),
    # The finest details split on, and not.
    "packets": Basis("db2", 3, (0, 1), SHAPE, ("", "ad", "dd", "adda")),
    "coarse packets": Basis("haar", 2, (0, 1), SHAPE, ("", "ad")),
    "real frame": Frame("morl", 2, (0, 1), SHAPE),
    "complex frame": Frame("cmor1.5-1.0", 2, (0, 1), SHAPE),
}
SPARED = {
    "identity": None,
    "pyramid": np.s_[:2, :2],
    "packets": np.s_[:4, :3],
    "coarse packets": np.s_[:4, :3],
    "real frame": np.s_[0],
    "complex frame": np.s_[0],
}
GIVEN = ["absolute", "relative", "quantile"]
DATA_DRIVEN = ["universal", "bayes", "sure"]


def target(basis, seed=0, scale=1.0, name="kernel"):
    rng = np.random.default_rng(seed)
    kernel = scale * rng.standard_normal((48, 5)) + 0.2
    kernel[rng.random((48, 5)) < 0.1] *= 8
    variable = keras.Variable(kernel.astype("float32"))
    return Target("layer", name, variable, basis.axes, basis)


def chosen(rule, threshold=0.4, **options):
    threshold = None if rule in DATA_DRIVEN else threshold
    return CompressionSettings(threshold_rule=rule, threshold=threshold, **options)


def found_in(one):
    return one.basis.decompose(one.read())


def laid_out(one, settings, factor=1.0, among=None):
    """The threshold of each coefficient, NaN where it may not change; and the parts."""
    common = limits.shared(among or [one], settings, factor)
    coefficients = found_in(one)
    parts = limits.parts(one, settings, factor, coefficients, common)
    covered = np.zeros(coefficients.shape, int)
    each = np.full(coefficients.shape, np.nan)
    for part, limit in parts:
        inside = np.zeros(coefficients.shape, bool)
        inside[part.slices] = True
        if part.spared is not None:
            assert inside[part.spared].all()
            inside[part.spared] = False
        assert part.size == np.count_nonzero(inside)
        covered += inside
        each[inside] = limit
    assert covered.max() == 1
    return each, parts


def allowed(kind, spare):
    """Where coefficients may change."""
    found = np.ones(found_in(target(BASES[kind])).shape, bool)
    if spare and SPARED[kind] is not None:
        found[SPARED[kind]] = False
    return found


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("rule", GIVEN + DATA_DRIVEN)
def test_all_coefficients_may_change_but_a_spared_approximation(kind, keep, rule):
    settings = chosen(rule, keep_approximation=keep)
    each, _ = laid_out(target(BASES[kind]), settings)
    expected = allowed(kind, keep or rule in DATA_DRIVEN)
    np.testing.assert_array_equal(~np.isnan(each), expected)
    assert expected.all() == (kind == "identity" or not (keep or rule in DATA_DRIVEN))


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize("rule", GIVEN + DATA_DRIVEN)
@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_shrinking_changes_what_lies_below_its_threshold_and_nothing_else(kind, rule, mode):
    one = target(BASES[kind])
    settings = chosen(rule, keep_approximation=rule == "relative", threshold_mode=mode)
    each, _ = laid_out(one, settings)
    before = found_in(one)
    expected = before.copy()
    sizes = np.abs(before)
    expected[sizes < each] = 0
    if mode == "soft":
        expected[sizes == each] = 0
        stays = sizes > each
        expected[stays] *= ((sizes - each) / sizes)[stays].astype(sizes.dtype)
    kernel = one.basis.reconstruct(expected, (48, 5), np.dtype(np.float32))
    report = shrink.shrink([one], settings)[one]
    assert report.coefficients == before.size
    assert report.zeros == np.count_nonzero(expected == 0) > 0
    assert report.energy_after == pytest.approx(np.sum(np.abs(expected) ** 2), rel=1e-5)
    np.testing.assert_allclose(one.read(), kernel, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", BASES)
def test_absolute_takes_the_given_magnitude_times_the_factor(kind):
    for factor in (1.0, 0.25, 0.0):
        settings = chosen("absolute", 0.8)
        each, parts = laid_out(target(BASES[kind]), settings, factor)
        assert np.all(each == 0.8 * factor)
        assert limits.mean(parts) == limits.shared([], settings, factor) == 0.8 * factor


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize("keep", [False, True])
def test_relative_takes_a_fraction_of_the_largest_that_may_change(kind, keep):
    one = target(BASES[kind])
    settings = chosen("relative", 0.3, keep_approximation=keep)
    where = allowed(kind, keep)
    largest = np.abs(found_in(one))[where].max()
    each, _ = laid_out(one, settings, 0.5)
    np.testing.assert_allclose(each[where], 0.5 * 0.3 * largest, rtol=1e-6)
    assert limits.shared([one], settings) is None


def test_relative_does_not_look_at_a_spared_approximation():
    one = target(BASES["pyramid"])
    one.write(one.read() + np.float32(50.0))
    free, _ = laid_out(one, chosen("relative", 0.3))
    spared, _ = laid_out(one, chosen("relative", 0.3, keep_approximation=True))
    assert np.nanmax(free) > 10 * np.nanmax(spared)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("kinds", [["pyramid", "identity"], ["packets", "complex frame"], [*BASES]])
def test_a_quantile_counts_over_all_kernels_what_may_change(kinds, keep):
    among = [target(BASES[kind], seed, 0.5 + seed) for seed, kind in enumerate(kinds)]
    settings = chosen("quantile", 0.6, keep_approximation=keep)
    for factor in (1.0, 0.5):
        sizes = np.sort(
            np.concatenate(
                [
                    np.abs(found_in(one))[allowed(kind, keep)]
                    for one, kind in zip(among, kinds, strict=True)
                ]
            )
        )
        rank = round(factor * 0.6 * sizes.size)
        limit = limits.shared(among, settings, factor)
        assert sizes[rank - 1] < limit <= sizes[rank]
        for one, kind in zip(among, kinds, strict=True):
            each, parts = laid_out(one, settings, factor, among)
            assert np.all(each[allowed(kind, keep)] == limit)
            assert limits.mean(parts) == limit
    assert limits.shared(among, settings, 0.0) == 0.0


class Held:
    """Stands for a held support: of each kernel the even columns."""

    def mask(self, one):
        found = np.zeros(one.basis.shape, np.float32)
        found[..., ::2] = 1
        return found


@pytest.mark.parametrize("kind", ["identity", "pyramid", "packets"])
def test_what_lies_outside_a_held_support_counts_as_zero(kind):
    one = target(BASES[kind])
    inside = limits.coefficients(one, Held())
    np.testing.assert_array_equal(inside[..., ::2], found_in(one)[..., ::2])
    assert not inside[..., 1::2].any()
    np.testing.assert_array_equal(limits.coefficients(one, None), found_in(one))
    limit = limits.shared([one], chosen("quantile", 0.7), 1.0, Held())
    assert np.count_nonzero(np.abs(inside) < limit) == round(0.7 * inside.size)


def noise_of(kind, coefficients):
    """Noise by the median of the finest details, as they would be for white noise."""
    finest = {
        "identity": np.s_[:],
        "pyramid": np.s_[4:, 3:],
        "packets": np.s_[4:, 3:],
        "coarse packets": np.s_[4:, 3:],
    }.get(kind)
    basis = BASES[kind]
    if finest is not None:
        return np.median(np.abs(coefficients[finest])) / 0.6744897501960817
    [band] = [band for band in basis.subbands if band.name == "dd1"]
    median = math.sqrt(math.log(2)) if np.iscomplexobj(coefficients) else 0.6744897501960817
    return np.median(np.abs(coefficients[band.slices])) / median / basis.gain(band)


def by_band(kind, formula, factor=1.0, one=None):
    """The thresholds that a formula of a band's coefficients and noise gives."""
    one = one or target(BASES[kind])
    coefficients = found_in(one)
    sigma = noise_of(kind, coefficients)
    expected = np.full(coefficients.shape, np.nan)
    for band in one.basis.subbands:
        if not band.is_approximation:
            noise = sigma * one.basis.gain(band)
            expected[band.slices] = factor * formula(coefficients[band.slices], noise)
    return expected


@pytest.mark.parametrize("factor", [1.0, 0.5])
@pytest.mark.parametrize("kind", BASES)
def test_universal_is_that_of_the_number_of_weights_for_the_noise_in_each_band(kind, factor):
    def formula(band, sigma):
        return sigma * math.sqrt((1 if np.iscomplexobj(band) else 2) * math.log(240))

    each, parts = laid_out(target(BASES[kind]), chosen("universal"), factor)
    np.testing.assert_allclose(each, by_band(kind, formula, factor), rtol=1e-5)
    # White noise is as large in every band of a basis, in a frame not.
    assert (len({limit for _, limit in parts}) == 1) == ("frame" not in kind)


@pytest.mark.parametrize("factor", [1.0, 0.5])
@pytest.mark.parametrize("kind", BASES)
def test_bayes_weighs_the_noise_in_each_band_against_its_signal(kind, factor):
    def formula(band, sigma):
        signal = np.mean(np.abs(band.astype(np.complex128)) ** 2) - sigma**2
        if signal <= 0:
            return float(np.nextafter(np.abs(band).max(), np.float32(np.inf)))
        return sigma**2 / math.sqrt(signal)

    each, parts = laid_out(target(BASES[kind]), chosen("bayes"), factor)
    np.testing.assert_allclose(each, by_band(kind, formula, factor), rtol=1e-3)
    assert (len({limit for _, limit in parts}) > 1) == (kind != "identity")


@pytest.mark.parametrize("factor", [1.0, 0.5])
@pytest.mark.parametrize("kind", BASES)
def test_sure_looks_at_each_band_with_its_noise(kind, factor):
    each, parts = laid_out(target(BASES[kind]), chosen("sure"), factor)
    expected = by_band(kind, rules.sure_threshold, factor)
    np.testing.assert_allclose(each, expected, rtol=1e-5)
    assert (len({limit for _, limit in parts}) > 1) == (kind != "identity")


@pytest.mark.parametrize("kind", BASES)
@pytest.mark.parametrize("rule", DATA_DRIVEN)
def test_data_driven_thresholds_follow_the_scale_of_each_kernel(kind, rule):
    small, large = target(BASES[kind], scale=1.0), target(BASES[kind])
    large.write(small.read() * np.float32(16.0))
    settings = chosen(rule)
    assert limits.shared([small, large], settings) is None
    one, _ = laid_out(small, settings)
    other, _ = laid_out(large, settings)
    np.testing.assert_allclose(other, 16 * one, rtol=1e-4)


def test_the_mean_threshold_weighs_parts_by_their_size():
    one = target(BASES["pyramid"])
    each, parts = laid_out(one, chosen("bayes"))
    assert len(parts) == 6
    assert limits.mean(parts) == pytest.approx(np.nanmean(each))
    assert limits.mean(parts) != pytest.approx(np.mean([limit for _, limit in parts]), rel=1e-2)
    assert limits.mean([]) == 0.0


@pytest.mark.parametrize("rule", GIVEN + DATA_DRIVEN)
@pytest.mark.parametrize("kind", BASES)
def test_a_kernel_of_zeros_has_a_threshold(kind, rule):
    one = target(BASES[kind])
    one.write(np.zeros((48, 5), np.float32))
    each, parts = laid_out(one, chosen(rule))
    assert np.nanmax(each) == limits.mean(parts) == (0.4 if rule == "absolute" else 0.0)


@pytest.mark.parametrize("rule", GIVEN + DATA_DRIVEN)
def test_an_empty_kernel_has_nothing_to_threshold(rule):
    one = Target(
        "layer", "kernel", keras.Variable(np.zeros((0, 4), "float32")), (), identity((0, 4))
    )
    settings = chosen(rule)
    parts = limits.parts(one, settings, 1.0, found_in(one), limits.shared([one], settings))
    assert sum(part.size for part, _ in parts) == 0
    assert math.isfinite(limits.mean(parts))
