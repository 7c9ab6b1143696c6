"""The L1 penalty on coefficients in the graph, against the same in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import DWTCompression, checks
from dwt_keras.compression import shrink
from dwt_keras.compression.latent import STEPS_AT_ONCE, LatentCoefficients
from dwt_keras.compression.penalty import L1, DrawnCoefficients
from dwt_keras.compression.support import HeldSupport

STRENGTH, RATE = 0.5, 0.2
TAKEN = STRENGTH * RATE


def soft(values, taken):
    return np.sign(values) * np.maximum(np.abs(values) - taken, 0)


def expected(target, kernel, taken=TAKEN, mask=1.0):
    coefficients = soft(target.basis.decompose(kernel), taken) * mask
    return target.basis.reconstruct(coefficients, kernel.shape, kernel.dtype)


def applied(target):
    return np.asarray(target.variable.constraint(target.variable))


@pytest.mark.parametrize("wavelet", ["none", "haar", "sym4", "bior2.2"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_is_the_soft_threshold_of_the_numpy_transform(mlp, find, wavelet, jit_compile):
    model = mlp(keras.optimizers.SGD(RATE), jit_compile=jit_compile)
    target = find(model, wavelet, level=2).items[0]
    kernel = target.read().copy()
    DrawnCoefficients(model, [target], None, L1(model, STRENGTH)).attach()
    np.testing.assert_allclose(applied(target), expected(target, kernel), atol=2e-6)
    assert np.abs(applied(target) - kernel).max() > 0.01


def test_the_rate_is_that_of_the_step(mlp, find):
    falling = keras.optimizers.schedules.PiecewiseConstantDecay([2, 10], [0.4, 0.1, 0.0])
    model = mlp(keras.optimizers.SGD(falling))
    target = find(model).items[0]
    kernel = target.read().copy()
    DrawnCoefficients(model, [target], None, L1(model, STRENGTH)).attach()
    for step, rate in ((0, 0.4), (5, 0.1), (20, 0.0)):
        model.optimizer.iterations.assign(step)
        np.testing.assert_allclose(
            applied(target), expected(target, kernel, STRENGTH * rate), atol=2e-6
        )


def test_what_is_held_is_drawn_within_the_support(mlp, find):
    model = mlp(keras.optimizers.SGD(RATE))
    target = find(model).items[0]
    kernel = target.read().copy()
    coefficients = target.basis.decompose(kernel)
    mask = np.random.default_rng(0).integers(0, 2, coefficients.shape)
    held = HeldSupport(model, [target], None, L1(model, STRENGTH))
    held.attach()
    # Also while nothing is held.
    np.testing.assert_allclose(applied(target), expected(target, kernel), atol=2e-6)
    held.hold(target, coefficients * mask)
    np.testing.assert_allclose(applied(target), expected(target, kernel, mask=mask), atol=2e-6)


def test_latent_coefficients_are_drawn_once_for_several_steps(mlp, find):
    model = mlp(keras.optimizers.SGD(RATE))
    target = find(model).items[0]
    latent = LatentCoefficients(model, [target], None, L1(model, STRENGTH))
    before = latent.read(target)
    target.write(target.kernel(latent.show(target, before.copy(), 0.2, 0.0)))
    latent.attach()
    for _ in range(STEPS_AT_ONCE):
        target.write(applied(target))
    after = soft(before, STEPS_AT_ONCE * TAKEN)
    np.testing.assert_allclose(latent.read(target), after, atol=5e-6)
    assert (after == 0).mean() > (np.abs(before) < 0.2).mean()


def test_biases_are_left_alone(mlp, find):
    from dwt_keras.compression import rows

    model = mlp(keras.optimizers.SGD(RATE))
    bias = rows.biases(find(model).items[:1])[0]
    bias.write(np.full(6, 0.3, np.float32))
    HeldSupport(model, [bias], None, L1(model, STRENGTH)).attach()
    np.testing.assert_array_equal(applied(bias), np.full(6, 0.3, np.float32))


def zeros_after(mlp, data, l1_wavelet, **settings):
    keras.utils.set_random_seed(0)
    model = mlp(keras.optimizers.Adam(0.01))
    compression = DWTCompression(l1_wavelet=l1_wavelet, **settings)
    model.fit(*data, batch_size=8, epochs=4, verbose=0, callbacks=[compression])
    assert all(target.variable.constraint is None for target in compression.targets)
    return shrink.measure(compression.targets).zero_fraction


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": 1e-4},
        {"threshold": 1e-4, "wavelet": "auto"},
        {"threshold": 1e-4, "hold_support": True},
        {"threshold": 1e-4, "wavelet": "none"},
    ],
    ids=str,
)
def test_training_with_it_leaves_zeros(mlp, data, settings):
    assert zeros_after(mlp, data, 0.0, **settings) < 0.02
    assert zeros_after(mlp, data, 1.0, **settings) > 0.15


def test_a_training_for_bytes_takes_it(mlp, data):
    model = mlp(keras.optimizers.Adam(0.01))
    compression = DWTCompression(target_bytes=400, l1_wavelet=0.5)
    model.fit(*data, batch_size=8, epochs=10, verbose=0, callbacks=[compression])
    assert all(target.step for target in compression.targets)


def test_columns_take_it(data):
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(6, activation="relu", bias_initializer="ones", name="hidden"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    compression = DWTCompression(keep_columns=0.5, l1_wavelet=0.1)
    model.fit(*data, batch_size=8, epochs=3, verbose=0, callbacks=[compression])
    assert (model.get_layer("hidden").bias.numpy() != 0).sum() == 3


@pytest.mark.parametrize("value", [-1, float("nan"), "0.1", True])
def test_a_strength_out_of_range_is_refused(value):
    with pytest.raises(checks.ArgumentError, match=r"^l1_wavelet must be a finite number, 0 or"):
        DWTCompression(l1_wavelet=value)


def test_a_redundant_frame_is_refused():
    with pytest.raises(checks.ArgumentError, match=r"^l1_wavelet needs a discrete wavelet.*mexh$"):
        DWTCompression("mexh", l1_wavelet=0.1)
    DWTCompression("mexh", l1_wavelet=0.0)
