"""One shrinking of all kernels: rules, modes, reports, and counting from the weights alone."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras.compression import shrink, support, targets
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet import threshold as thresholds

WAVELETS = ["none", "haar", "db2", "sym8", "bior4.4", "dmey", "rbio3.1"]


def prepared(dtype="float32", **settings):
    """Targets of a model of two layers whose weights differ in scale, and settings."""
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Flatten(dtype=dtype),
            layers.Dense(6, name="large", dtype=dtype),
            layers.Dense(7, name="small", dtype=dtype),
        ]
    )
    rng = np.random.default_rng(1)
    for name, scale in (("large", 1.0), ("small", 0.1)):
        kernel = model.get_layer(name).kernel
        kernel.assign(rng.normal(scale=scale, size=kernel.shape))
    chosen = CompressionSettings(**settings)
    return targets.find(model, chosen).items, chosen


def coefficients_of(found):
    return [target.basis.decompose(target.read()) for target in found]


@pytest.mark.parametrize("mode", ["hard", "soft", "garrote", "firm"])
@pytest.mark.parametrize("wavelet", ["none", "haar", "db2", "bior4.4"])
def test_kernels_become_the_reconstruction_of_shrunk_coefficients(wavelet, mode):
    found, settings = prepared(wavelet=wavelet, level=2, threshold=0.3, threshold_mode=mode)
    before = coefficients_of(found)
    kernels = [target.read() for target in found]
    reports = shrink.shrink(found, settings)
    for target, old, kernel in zip(found, before, kernels, strict=True):
        new = thresholds.shrink(old, 0.3, mode)
        assert 0 < np.count_nonzero(new) < new.size or target.layer_path == "small"
        expected = target.basis.reconstruct(new, kernel.shape, kernel.dtype)
        np.testing.assert_array_equal(target.read(), expected)
        report = reports[target]
        assert (report.coefficients, report.zeros) == (new.size, np.count_nonzero(new == 0))
        assert report.energy_before == pytest.approx(np.square(old).sum(), rel=1e-5)
        assert report.energy_after == pytest.approx(np.square(new).sum(), rel=1e-5)
        assert report.threshold == 0.3
        assert (report.path, report.layer_path) == (target.path, target.layer_path)
        assert report.shape == kernel.shape
        assert report.basis == str(target.basis)


def test_the_report_adds_up():
    found, settings = prepared(wavelet="haar", level=2, threshold=0.3)
    report = shrink.Report(tuple(shrink.shrink(found, settings).values()))
    large, small = report.targets
    assert report.zero_fraction == (large.zeros + small.zeros) / (64 * 6 + 6 * 7)
    assert report.zero_fraction_by_layer == {
        "large": large.zeros / (64 * 6),
        "small": small.zeros / (6 * 7),
    }
    assert report.energy_kept == pytest.approx(
        (large.energy_after + small.energy_after) / (large.energy_before + small.energy_before)
    )
    assert 0 < report.energy_kept < 1


def test_kernels_of_one_layer_count_together():
    model = keras.Sequential([keras.Input((5, 4)), layers.GRU(4, name="gru")])
    settings = CompressionSettings("haar", threshold=0.3)
    found = targets.find(model, settings).items
    report = shrink.Report(tuple(shrink.shrink(found, settings).values()))
    assert len(report.targets) == 2
    assert report.zero_fraction_by_layer == {"gru/gru_cell": report.zero_fraction}


def test_relative_takes_a_fraction_of_each_layers_largest():
    found, settings = prepared(wavelet="haar", level=2, threshold_rule="relative", threshold=0.25)
    largest = [np.abs(values).max() for values in coefficients_of(found)]
    assert largest[0] > 2 * largest[1]
    reports = shrink.shrink(found, settings)
    assert [r.threshold for r in reports.values()] == pytest.approx([0.25 * x for x in largest])
    mean = 0.25 * sum(largest) / 2
    assert shrink.Report(tuple(reports.values())).threshold == pytest.approx(mean)


def test_universal_estimates_the_noise_of_each_layer_and_spares_the_approximation():
    found, settings = prepared(wavelet="haar", level=2, threshold_rule="universal")
    before = coefficients_of(found)
    reports = shrink.shrink(found, settings)
    large, _ = found
    finest = before[0][4:, 4:]  # The diagonal details of level 1 over 8 x 8.
    sigma = np.median(np.abs(finest)) / 0.6744897501960817
    expected = sigma * math.sqrt(2 * math.log(64 * 6))
    assert reports[large].threshold == pytest.approx(expected, rel=1e-6)
    after = coefficients_of(found)[0]
    np.testing.assert_allclose(after[:2, :2], before[0][:2, :2], rtol=1e-5)
    assert np.abs(before[0][:2, :2]).min() < expected


@pytest.mark.parametrize("rule", ["absolute", "relative", "quantile"])
def test_keep_approximation_spares_it_whatever_the_rule(rule):
    found, settings = prepared(
        wavelet="haar", level=2, threshold=0.9, threshold_rule=rule, keep_approximation=True
    )
    before = coefficients_of(found)
    shrink.shrink(found, settings)
    for target, old, new in zip(found, before, coefficients_of(found), strict=True):
        spared = target.basis.approximation
        if spared is not None:
            np.testing.assert_allclose(new[spared], old[spared], rtol=1e-5)
            assert np.abs(old[spared]).min() < 0.9
    assert shrink.measure(found).zero_fraction > 0.3


def test_without_keep_approximation_it_is_thresholded_too():
    found, settings = prepared(wavelet="haar", level=2, threshold=0.9)
    shrink.shrink(found, settings)
    spared = found[0].basis.approximation
    assert np.count_nonzero(np.abs(coefficients_of(found)[0][spared]) < 1e-6) > 0


def test_keep_approximation_without_a_wavelet_has_nothing_to_spare():
    found, settings = prepared(wavelet="none", threshold=0.9, keep_approximation=True)
    shrink.shrink(found, settings)
    assert shrink.measure(found).zero_fraction > 0.5


@pytest.mark.parametrize("wavelet", ["none", "haar", "bior4.4"])
@pytest.mark.parametrize("fraction", [0.5, 0.9])
def test_a_quantile_counts_over_all_layers_together(wavelet, fraction):
    found, settings = prepared(wavelet=wavelet, threshold_rule="quantile", threshold=fraction)
    reports = shrink.shrink(found, settings)
    report = shrink.Report(tuple(reports.values()))
    count = 64 * 6 + 6 * 7
    assert sum(r.zeros for r in report.targets) == round(fraction * count)
    assert len({r.threshold for r in report.targets}) == 1
    by_layer = report.zero_fraction_by_layer
    assert by_layer["small"] > fraction > by_layer["large"]


def test_a_quantile_counts_over_the_details_alone_where_approximations_are_spared():
    found, settings = prepared(
        wavelet="haar", threshold_rule="quantile", threshold=0.9, keep_approximation=True
    )
    reports = shrink.shrink(found, settings)
    # The Dense layer behind has no approximation: all of its weights count.
    assert sum(r.zeros for r in reports.values()) == round(0.9 * (48 * 6 + 6 * 7))


def test_a_factor_scales_the_threshold():
    found, settings = prepared(threshold=0.4)
    assert {r.threshold for r in shrink.shrink(found, settings, 0.5).values()} == {0.2}
    found, settings = prepared(threshold_rule="quantile", threshold=0.8)
    report = shrink.Report(tuple(shrink.shrink(found, settings, 0.5).values()))
    assert report.zero_fraction == pytest.approx(0.4, abs=1 / 400)


class Written:
    """Counts the writes to the kernels of targets."""

    def __init__(self, found, monkeypatch):
        self.paths = []
        original = keras.Variable.assign

        def assign(variable, value):
            self.paths.extend(t.path for t in found if t.variable is variable)
            return original(variable, value)

        monkeypatch.setattr(keras.Variable, "assign", assign)


@pytest.mark.parametrize(
    "settings", [{"threshold": 0.0}, {"threshold": 0.0, "threshold_mode": "soft"}]
)
def test_a_threshold_of_0_writes_nothing(settings, monkeypatch):
    found, chosen = prepared(wavelet="db2", **settings)
    digests = [shrink.digest(target) for target in found]
    written = Written(found, monkeypatch)
    reports = shrink.shrink(found, chosen)
    assert written.paths == []
    assert [shrink.digest(target) for target in found] == digests
    assert [r.zeros for r in reports.values()] == [0, 0]


def test_each_kernel_that_changes_is_written_once(monkeypatch):
    found, settings = prepared(threshold=0.3)
    written = Written(found, monkeypatch)
    shrink.shrink(found, settings)
    assert written.paths == ["large/kernel", "small/kernel"]


def test_only_the_wanted_targets_are_shrunk_but_the_others_count():
    found, settings = prepared(threshold_rule="quantile", threshold=0.9)
    everything, _ = prepared(threshold_rule="quantile", threshold=0.9)
    expected = shrink.shrink(everything, settings)[everything[1]]
    large = found[0].read()
    reports = shrink.shrink(found, settings, only=[found[1]])
    assert list(reports) == [found[1]]
    assert reports[found[1]] == expected
    np.testing.assert_array_equal(found[0].read(), large)


@pytest.fixture
def held():
    """Prepares a model whose support is held."""

    def prepare(**settings):
        found, chosen = prepared(**settings)
        model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        return found, chosen, support.HeldSupport(model, found)

    return prepare


def test_what_is_left_becomes_the_support(held):
    found, settings, holder = held(threshold=0.3)
    reports = shrink.shrink(found, settings, held=holder)
    assert [np.count_nonzero(holder.mask(t) == 0) for t in found] == [
        report.zeros for report in reports.values()
    ]


@pytest.mark.parametrize("rule", ["universal", "relative", "quantile", "absolute"])
def test_what_lies_outside_a_held_support_counts_as_zero(held, rule):
    threshold = None if rule == "universal" else 0.5
    found, settings, holder = held(wavelet="db2", threshold_rule=rule, threshold=threshold)
    first = shrink.shrink(found, settings, held=holder)
    again = shrink.shrink(found, settings, held=holder)
    # The weights carry rounding there, of which universal would make a threshold of nothing.
    for target in found:
        assert again[target].zeros >= first[target].zeros > 0


# PyWavelets prints the taps of sym8 and bior4.4 to 11 digits, too few for float64.
@pytest.mark.parametrize(
    ("wavelet", "dtype"),
    [
        *((wavelet, "float32") for wavelet in WAVELETS),
        *((wavelet, "float64") for wavelet in WAVELETS if wavelet not in ("sym8", "bior4.4")),
        *((wavelet, "float16") for wavelet in ("none", "haar", "db2")),
    ],
)
def test_measuring_counts_what_the_shrinking_reported(wavelet, dtype):
    found, settings = prepared(dtype, wavelet=wavelet, level=2, threshold=0.4)
    reports = shrink.shrink(found, settings)
    measured = shrink.measure(found)
    assert [r.zeros for r in measured.targets] == [r.zeros for r in reports.values()]
    assert 0.1 < measured.zero_fraction < 0.9
    for now, then in zip(measured.targets, reports.values(), strict=True):
        assert now.energy_after == pytest.approx(then.energy_after, rel=1e-3, abs=1e-12)
        assert now.energy_before == now.energy_after
        assert now.threshold == 0.0


def test_measuring_changes_nothing():
    found, _ = prepared(wavelet="db2")
    digests = [shrink.digest(target) for target in found]
    shrink.measure(found)
    assert [shrink.digest(target) for target in found] == digests


def test_a_kernel_of_zeros_is_all_zeros():
    found, settings = prepared(threshold_rule="relative", threshold=0.5)
    for target in found:
        target.variable.assign(np.zeros(target.variable.shape))
    report = shrink.Report(tuple(shrink.shrink(found, settings).values()))
    assert (report.zero_fraction, report.energy_kept) == (1.0, 1.0)
    assert shrink.measure(found).zero_fraction == 1.0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_kernel_keeps_its_dtype(dtype):
    found, settings = prepared(dtype, threshold=0.3)
    shrink.shrink(found, settings)
    assert {target.variable.dtype for target in found} == {dtype}


def test_digests_tell_kernels_apart():
    found, _ = prepared()
    first = shrink.digest(found[0])
    values = found[0].read().copy()
    values[0, 0] = np.nextafter(values[0, 0], np.float32(9))
    found[0].variable.assign(values)
    assert shrink.digest(found[0]) != first
