"""Thresholds and steps that meet a size."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from dwt_keras import save_compressed
from dwt_keras.checks import ArgumentError
from dwt_keras.compression import budget, byte_target, targets
from dwt_keras.settings import CompressionSettings


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(4, 3, name="conv"),
            layers.Flatten(),
            layers.Dense(16, name="hidden"),
            layers.BatchNormalization(),
            layers.Dense(3, name="out"),
        ]
    )
    found = targets.find(model, CompressionSettings(wavelet="haar", level=2)).items
    # Heavy tails, as trained kernels have: some coefficients much larger than others.
    rng = np.random.default_rng(2)
    latent = {t.path: rng.laplace(size=t.basis.shape).astype(np.float32) ** 3 for t in found}
    return model, found, latent


@given(st.integers(1, 60))
def test_a_threshold_keeps_a_count(count):
    rng = np.random.default_rng(count)
    latent = {"a": rng.normal(size=(5, 4)).astype("f4"), "b": rng.normal(size=40).astype("f4")}
    threshold = budget.threshold_keeping(latent, count)
    assert sum(int((np.abs(part) >= threshold).sum()) for part in latent.values()) == count


def test_a_threshold_is_never_zero():
    assert budget.threshold_keeping({"a": np.zeros(4, np.float32)}, 4) > 0


@pytest.mark.parametrize("target_bytes", [700, 1000, 2000, 4000])
@pytest.mark.parametrize("at_most", [False, True])
def test_sizes_are_met_by_the_file_itself(network, target_bytes, at_most, tmp_path):
    model, found, latent = network
    size = byte_target.file_size(model, found)
    goal = size.allocate(latent, target_bytes, at_most=at_most)
    assert goal.size == pytest.approx(target_bytes, rel=0.012)
    assert not at_most or goal.size <= target_bytes
    kernels = [dataclasses.replace(target, step=goal.steps[target.path]) for target in found]
    for target in kernels:
        levels = budget.levels_of(latent[target.path], goal.threshold, target.step)
        target.write(target.kernel((levels * np.float32(target.step)).astype(np.float32)))
    assert save_compressed(model, tmp_path / "model.dwtz", kernels=kernels) == goal.size
    assert size.as_they_are(kernels) == goal.size


@pytest.mark.parametrize("factor", [1.0, 1.1, 0.9, 30.0, 1e-3, 1e9])
def test_a_threshold_of_a_while_ago_saves_encodings(network, factor, monkeypatch):
    model, found, latent = network
    size = byte_target.file_size(model, found)
    tried = []
    with_threshold = size.with_threshold
    monkeypatch.setattr(
        size, "with_threshold", lambda *given: tried.append(given) or with_threshold(*given)
    )
    before = size.allocate(latent, 2000)
    at_first = len(tried)
    tried.clear()
    goal = size.allocate(latent, 2000, near=factor * before.threshold)
    assert goal.size == pytest.approx(2000, rel=0.012)
    if factor == 1.0:
        assert len(tried) == 1
    elif 0.8 < factor < 1.25:
        assert len(tried) < at_first


def test_more_bytes_keep_more_and_finer(network):
    model, found, latent = network
    size = byte_target.file_size(model, found)
    small, large, all_of_it = (size.allocate(latent, each) for each in (1000, 4000, 10**6))
    assert small.threshold > large.threshold > all_of_it.threshold
    assert all(small.steps[path] > all_of_it.steps[path] for path in latent)
    for path, part in latent.items():
        restored = budget.levels_of(part, all_of_it.threshold, all_of_it.steps[path])
        # Where all fits, hardly anything is lost.
        lost = restored * np.float32(all_of_it.steps[path]) - part
        assert np.square(lost).sum() < 1e-3 * np.square(part).sum()


def test_what_cannot_be_is_refused(network):
    model, found, _ = network
    size = byte_target.file_size(model, found)
    with pytest.raises(ArgumentError, match=r"^target_bytes must be \d+ or more, .*; given 50$"):
        size.check(50)
    with pytest.raises(ArgumentError) as caught:
        size.check(1)
    least = int(str(caught.value).split()[3])
    size.check(least)
    zeros = {target.path: np.zeros(target.basis.shape, np.float32) for target in found}
    assert size.allocate(zeros, least, at_most=True).size <= least
    # What is less than that ends too.
    assert size.allocate(zeros, 1, at_most=True).size <= least


def test_kernels_of_zeros_do_not_disturb(network):
    model, found, latent = network
    some = {**latent, found[0].path: np.zeros_like(latent[found[0].path])}
    goal = byte_target.file_size(model, found).allocate(some, 1500, at_most=True)
    assert goal.size <= 1500
    assert all(step > 0 for step in goal.steps.values())
