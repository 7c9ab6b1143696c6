"""Bases that are chosen from the weights by the cost that they have at a threshold."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from sparse_kernels import EVERY_RULE, HAAR, SHAPE, UNITS, noise, sparse_in

from dwt_keras.compression import choice, limits, shrink
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet import best_basis
from dwt_keras.wavelet.basis import Basis, identity


def target(kernel, name="kernel"):
    return Target("layer", name, keras.Variable(kernel), (0, 1), identity(SHAPE))


def three():
    """A kernel that is sparse in a basis, one that is noise, and one of zeros."""
    kernels = {"sparse": sparse_in(HAAR), "noise": noise(), "zeros": np.zeros((64, UNITS), "f4")}
    return [target(kernel, name) for name, kernel in kernels.items()]


@pytest.mark.parametrize("rule", EVERY_RULE, ids=str)
def test_each_kernel_gets_the_basis_that_is_cheapest_at_the_threshold_of_the_rule(rule):
    found = three()
    digests = [shrink.digest(one) for one in found]
    settings = CompressionSettings("auto", **rule)
    chosen = choice.choose_bases(found, settings)
    common = limits.shared(found, settings)
    for before, after in zip(found[:2], chosen, strict=False):
        weights = before.read()
        limit = limits.mean(limits.parts(before, settings, 1.0, weights.reshape(SHAPE), common))
        kept = float(np.mean(np.abs(weights) >= limit))
        expected = best_basis.choose(weights, SHAPE, (0, 1), threshold=limit, kept=kept)
        assert after.choice == expected
        assert after.basis == expected.basis
        assert before.basis == identity(SHAPE)
        assert before.choice is None
    assert [one.variable for one in chosen] == [one.variable for one in found]
    assert [one.path for one in chosen] == [one.path for one in found]
    assert [shrink.digest(one) for one in chosen] == digests


def test_sparse_kernels_get_a_wavelet_and_noise_none():
    sparse, white, _ = choice.choose_bases(three(), CompressionSettings("auto", threshold=0.3))
    assert not sparse.basis.is_identity
    assert sparse.choice.cost < 0.7 * sparse.choice.runner_up_cost or (
        sparse.choice.runner_up.wavelet != "none"
    )
    assert white.basis == identity(SHAPE)
    assert white.choice.basis == white.basis


@pytest.mark.parametrize(
    "rule", [{"threshold": 0.0}, {"threshold_rule": "quantile", "threshold": 0.0}], ids=str
)
def test_where_nothing_is_to_go_every_kernel_keeps_its_basis(rule):
    found = three()
    chosen = choice.choose_bases(found, CompressionSettings("auto", **rule))
    assert all(one is other for one, other in zip(chosen, found, strict=True))


@pytest.mark.parametrize("rule", ["relative", "universal", "bayes", "sure"])
def test_a_kernel_of_zeros_keeps_its_basis(rule):
    threshold = 0.3 if rule == "relative" else None
    settings = CompressionSettings("auto", threshold=threshold, threshold_rule=rule)
    found = three()
    chosen = choice.choose_bases(found, settings)
    assert chosen[2] is found[2]
    assert chosen[0] is not found[0]


def test_a_quantile_is_common_to_all_kernels_when_bases_are_chosen(monkeypatch):
    found = three()[:2]
    settings = CompressionSettings("auto", threshold_rule="quantile", threshold=0.8)
    asked = []
    original = best_basis.choose

    def watched(*args, **kwargs):
        asked.append((kwargs["threshold"], kwargs["kept"]))
        return original(*args, **kwargs)

    monkeypatch.setattr(best_basis, "choose", watched)
    choice.choose_bases(found, settings)
    sizes = [np.abs(one.read()) for one in found]
    everything = np.sort(np.concatenate(sizes, axis=None))
    rank = round(0.8 * everything.size)
    (one, kept), (other, other_kept) = asked
    assert one == other
    assert everything[rank - 1] < one <= everything[rank]
    assert (kept, other_kept) == tuple(np.mean(part >= one) for part in sizes)
    assert kept != other_kept


@pytest.mark.parametrize(
    ("wavelet", "level", "wavelets"),
    [
        ("sym2", "auto", {"sym2"}),
        ("haar", "auto", {"haar"}),
        ("none", "auto", {"none"}),
        ("auto", 2, set(best_basis.CANDIDATES)),
        ("auto", "max", set(best_basis.CANDIDATES)),
    ],
)
def test_a_fixed_wavelet_or_level_is_kept_to(wavelet, level, wavelets):
    settings = CompressionSettings(wavelet, level, 0.3)
    made_in = wavelet if wavelet == "sym2" else "haar"
    found = [target(sparse_in(Basis(made_in, 2, (0, 1), SHAPE))), target(noise())]
    sparse, white = choice.choose_bases(found, settings)
    assert sparse.basis.wavelet in wavelets
    assert white.basis == identity(SHAPE)
    if level != "auto":
        assert (sparse.basis.level, sparse.basis.splits) == ({2: 2, "max": 3}[level], None)
