"""Kernels show what is left of their latent coefficients, and gradients reach all of them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from dwt_keras.compression import targets
from dwt_keras.compression.latent import STEPS_AT_ONCE, LatentCoefficients, shown
from dwt_keras.settings import CompressionSettings

TOLERANCE = 2e-6

values = st.floats(-4, 4, width=32)


@given(st.lists(values, min_size=1), st.floats(0.01, 2), st.floats(0.01, 2))
def test_what_is_shown(latent, threshold, step):
    latent = np.array(latent, np.float32)
    found = shown(latent, threshold, step)
    zero = np.abs(latent) < np.float32(threshold)
    np.testing.assert_array_equal(found == 0, zero)
    levels = found[~zero] / np.float32(step)
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    # Rounded to the nearest, but where that is zero.
    assert np.all(
        np.abs(found - latent)[~zero] <= np.float32(0.5001 * step) + (np.abs(levels) == 1) * step
    )
    np.testing.assert_array_equal(np.sign(found[~zero]), np.sign(latent[~zero]))


def test_without_a_step_nothing_is_rounded():
    latent = np.array([0.3, -0.31, 0.29, 0.0], np.float32)
    np.testing.assert_array_equal(shown(latent, 0.3, 0.0), latent * [1, 1, 0, 0])
    np.testing.assert_array_equal(shown(latent, 0.0, 0.0), latent)


def network(wavelet="haar", dtype="float32"):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((6, 7, 1)),
            layers.Flatten(),
            layers.Dense(5, name="hidden", dtype=dtype),
            layers.Dense(2, name="out", dtype=dtype),
        ]
    )
    # A step of exactly minus the gradient.
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
    found = targets.find(model, CompressionSettings(wavelet=wavelet, level=2)).items
    return model, found, LatentCoefficients(model, found)


def set_all(found, latent, threshold, step):
    for target in found:
        target.write(target.kernel(latent.show(target, latent.read(target), threshold, step)))


def step_by(model, found, deltas, steps=STEPS_AT_ONCE):
    """Optimizer steps that change kernels by these arrays altogether."""
    gradients = [-tf.constant(delta) / np.float32(steps) for delta in deltas]
    for _ in range(steps):
        model.optimizer.apply(gradients, [target.variable for target in found])


@pytest.mark.parametrize("wavelet", ["none", "haar", "bior4.4"])
@pytest.mark.parametrize("step", [0.0, 0.1])
def test_a_step_moves_the_latent_coefficients(wavelet, step):
    model, found, latent = network(wavelet)
    latent.attach()
    before = [latent.read(target) for target in found]
    set_all(found, latent, 0.3, step)
    rng = np.random.default_rng(0)
    deltas = [rng.normal(size=target.variable.shape).astype(np.float32) * 0.1 for target in found]
    step_by(model, found, deltas)
    for target, old, delta in zip(found, before, deltas, strict=True):
        now = latent.read(target)
        np.testing.assert_allclose(now, old + target.basis.decompose(delta), atol=TOLERANCE)
        expected = shown(now, 0.3, step)
        assert (expected == 0).any()
        np.testing.assert_allclose(
            target.basis.decompose(target.read()), expected, atol=5 * TOLERANCE
        )


def test_a_coefficient_comes_back_once_it_has_grown():
    model, found, latent = network("none")
    latent.attach()
    target = found[0]
    start = np.zeros(target.basis.shape, np.float32)
    start[0] = 0.2
    target.write(target.kernel(latent.show(target, start, 0.5, 0.0)))
    assert not target.read().any()
    for seen in (0.0, 0.0, 0.5):  # 0.3, 0.4 and 0.5, where it is shown whole.
        step_by(model, [target], [np.full(target.variable.shape, 0.1, np.float32)])
        np.testing.assert_allclose(target.read()[0], seen, atol=1e-6)


def test_in_between_kernels_move_freely():
    model, found, latent = network("haar")
    latent.attach()
    set_all(found, latent, 0.3, 0.1)
    before = [target.read().copy() for target in found]
    deltas = [np.full(target.variable.shape, 0.01, np.float32) for target in found]
    latent.expect(STEPS_AT_ONCE)
    step_by(model, found, deltas, STEPS_AT_ONCE - 1)
    for target, old in zip(found, before, strict=True):
        np.testing.assert_allclose(target.read(), old + np.float32(0.01), atol=TOLERANCE)
    step_by(model, found, [np.zeros_like(delta) for delta in deltas], 1)
    for target in found:
        levels = target.basis.decompose(target.read()) / 0.1
        np.testing.assert_allclose(levels, np.rint(levels), atol=100 * TOLERANCE)


@pytest.mark.parametrize("attached", [True, False])
def test_what_others_write_is_taken_up(attached):
    model, found, latent = network("haar")
    if attached:
        latent.attach()
    set_all(found, latent, 0.3, 0.1)
    target = found[0]
    old = latent.read(target)
    target.write(target.read() + 0.25)
    added = target.basis.decompose(np.full(target.variable.shape, 0.25, np.float32))
    np.testing.assert_allclose(latent.read(target), old + added, atol=TOLERANCE)
    if attached:
        step_by(model, found, [np.zeros(t.variable.shape, np.float32) for t in found])
        np.testing.assert_allclose(latent.read(target), old + added, atol=TOLERANCE)


def test_detached_kernels_are_trained_as_ever():
    model, found, latent = network("haar")
    latent.attach()
    latent.detach()
    set_all(found, latent, 0.3, 0.1)
    before = [target.read().copy() for target in found]
    step_by(model, found, [np.full(t.variable.shape, 0.01, np.float32) for t in found])
    for target, old in zip(found, before, strict=True):
        np.testing.assert_allclose(target.read(), old + np.float32(0.01), atol=1e-6)


def test_double_precision_stays():
    _, found, latent = network("haar", "float64")
    assert latent.read(found[0]).dtype == np.float64
