"""Coefficients outside the support stay zero through every optimizer step, and only as long."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import DWTCompression
from dwt_keras.compression import shrink, support

EPSILON = float(np.finfo("float32").eps)


class Outside(keras.callbacks.Callback):
    """After each batch, the largest coefficient outside the support of the last shrinking.

    It is given as a share of the kernel's largest. To be listed behind the callback it watches.
    """

    def __init__(self, compression, zero=16 * EPSILON):
        super().__init__()
        self.compression = compression
        self.zero = zero
        self.supports = {}
        self.shares = []

    def coefficients(self):
        return {
            target.path: target.basis.decompose(target.read())
            for target in self.compression.targets
        }

    def on_train_batch_end(self, batch, logs=None):
        for path, zeros in self.supports.items():
            values = np.abs(self.coefficients()[path])
            self.shares.append(values[zeros].max(initial=0.0) / values.max())

    def on_epoch_end(self, epoch, logs=None):
        self.supports = {
            path: np.abs(values) <= self.zero * np.abs(values).max()
            for path, values in self.coefficients().items()
        }
        assert any(zeros.any() for zeros in self.supports.values())


def fit(model, data, *callbacks, **options):
    return model.fit(*data, callbacks=list(callbacks), **{"batch_size": 8, "verbose": 0, **options})


def largest_outside(model, data, *, epochs=2, rounding=4 * EPSILON, **settings):
    """Trains; the largest share that `Outside` saw from the second epoch on."""
    settings = {"wavelet": "haar", "threshold": 0.1, "layers": "hidden", **settings}
    compression = DWTCompression(**{"hold_support": True, **settings})
    outside = Outside(compression, 4 * rounding)
    fit(model, data, compression, outside, epochs=epochs)
    return max(outside.shares)


def test_without_holding_coefficients_come_back(mlp, data):
    assert largest_outside(mlp(), data, hold_support=False) > 0.01


@pytest.mark.parametrize(
    ("wavelet", "jit_compile"),
    [("haar", False), ("haar", True), ("db2", False), ("db2", True), ("bior4.4", False)],
)
def test_zeros_stay_zero_after_every_step(mlp, data, wavelet, jit_compile):
    model = mlp(jit_compile=jit_compile)
    share = largest_outside(model, data, wavelet=wavelet, level=2, layers=None)
    assert share <= 16 * EPSILON


def test_without_a_wavelet_zeros_are_exact(mlp, data):
    assert largest_outside(mlp(), data, wavelet="none") == 0.0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_zeros_stay_zero_under_steps_per_execution(mlp, data, jit_compile):
    model = mlp(steps_per_execution=3, jit_compile=jit_compile)
    assert largest_outside(model, data) <= 16 * EPSILON


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.SGD(0.1, momentum=0.9),
        keras.optimizers.AdamW(0.01),
        keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
        keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=4),
    ],
    ids=["momentum", "weight decay", "accumulation", "moving average"],
)
def test_zeros_stay_zero_with_any_optimizer(mlp, data, optimizer):
    assert largest_outside(mlp(type(optimizer).from_config(optimizer.get_config())), data) <= (
        16 * EPSILON
    )


@pytest.fixture
def policy():
    """Sets the global policy for one test."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    ("name", "jit_compile"),
    [("mixed_float16", False), ("mixed_bfloat16", False), ("mixed_float16", True)],
)
def test_zeros_stay_zero_in_mixed_precision(mlp, data, policy, name, jit_compile):
    policy(name)
    model = mlp(jit_compile=jit_compile)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (name == "mixed_float16")
    assert model.get_layer("hidden").kernel.dtype == "float32"
    assert model.get_layer("hidden").compute_dtype == name.removeprefix("mixed_")
    assert largest_outside(model, data) <= 16 * EPSILON


@pytest.mark.parametrize(("name", "rounding"), [("bfloat16", 2.0**-8), ("float16", 2.0**-11)])
def test_zeros_stay_zero_up_to_the_rounding_of_half_precision(mlp, data, policy, name, rounding):
    policy(name)
    model = mlp()
    assert model.get_layer("hidden").kernel.dtype == name
    assert largest_outside(model, data, rounding=rounding) <= 4 * rounding
    assert largest_outside(mlp(), data, rounding=rounding, hold_support=False) > 8 * rounding


def test_later_shrinkings_renew_the_support(mlp, data):
    """A ramp lets the support shrink, never grow, while it is held."""
    compression = DWTCompression(threshold=0.9, threshold_rule="quantile")
    assert compression.settings.hold_support
    outside = Outside(compression)
    supports = []
    renew = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: supports.append(outside.supports)
    )
    fit(mlp(), data, compression, outside, renew, epochs=4)
    assert max(outside.shares) <= 16 * EPSILON
    for earlier, later in itertools.pairwise(supports):
        for path, zeros in earlier.items():
            assert later[path][zeros].all()
    assert supports[0]["hidden/kernel"].sum() < supports[-1]["hidden/kernel"].sum()


CONSTRAINTS = {
    "MaxNorm": (
        keras.constraints.MaxNorm(0.4),
        lambda kernel: np.linalg.norm(kernel, axis=0).max() <= 0.4 * (1 + 1e-5),
    ),
    "NonNeg": (keras.constraints.NonNeg(), lambda kernel: kernel.min() >= 0),
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_composes_with_a_constraint_and_gives_it_back(mlp, data, name):
    constraint, holds = CONSTRAINTS[name]
    model = mlp(constraint=constraint)
    kernel = model.get_layer("hidden").kernel
    assert kernel.constraint is constraint
    assert not holds(kernel.numpy())
    compression = DWTCompression("none", threshold=0.02, hold_support=True)
    outside = Outside(compression)
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(holds(kernel.numpy()))
    )
    fit(model, data, compression, outside, watch, epochs=2)
    assert all(seen)
    assert max(outside.shares) == 0.0
    assert kernel.constraint is constraint
    assert model.get_layer("classes").kernel.constraint is None


def test_works_on_a_model_that_was_trained_before(mlp, data):
    model = mlp()
    fit(model, data)
    assert largest_outside(model, data) <= 16 * EPSILON


def test_works_again_with_the_same_callback(mlp, data):
    model = mlp()
    compression = DWTCompression(threshold=0.1, hold_support=True, layers="hidden")
    outside = Outside(compression)
    fit(model, data, compression, outside, epochs=2)
    first = outside.supports["hidden/kernel"]
    outside.shares.clear()
    outside.supports = {}
    renewed = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: renewed.append(
            np.abs(outside.coefficients()["hidden/kernel"][first]).max()
        )
    )
    fit(model, data, compression, watch, outside, epochs=2)
    assert max(outside.shares) <= 16 * EPSILON
    # The second training starts with everything free.
    assert renewed[0] > 1e-3


def moved(model, data, support_of, **options):
    """How far coefficients outside a support come in one epoch of ordinary training."""
    fit(model, data, **options)
    path = "hidden/kernel"
    (target,) = [t for t in support_of.compression.targets if t.path == path]
    return np.abs(target.basis.decompose(target.read()))[support_of.supports[path]].max()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_ordinary_training_afterwards_is_free(mlp, data, jit_compile):
    model = mlp(jit_compile=jit_compile)
    compression = DWTCompression(threshold=0.1, hold_support=True, layers="hidden")
    outside = Outside(compression)
    fit(model, data, compression, outside, epochs=2)
    assert model.get_layer("hidden").kernel.constraint is None
    assert moved(model, data, outside) > 1e-3


def interrupted(model, data, compression):
    """Trains until a KeyboardInterrupt in the second epoch; what was outside the support."""
    outside = Outside(compression)

    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_epoch_begin=interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(model, data, compression, outside, stop, epochs=2)
    assert model.get_layer("hidden").kernel.constraint is not None
    return outside


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": 0.0, "hold_support": True, "layers": "hidden"},
        {"threshold": 0.0, "hold_support": False},
        {"threshold": 0.0, "hold_support": True, "layers": "classes"},
    ],
    ids=["held again", "not held", "other layers"],
)
def test_a_support_held_when_training_was_interrupted_is_forgotten(mlp, data, settings):
    model = mlp(constraint=keras.constraints.MaxNorm(9.0))
    constraint = model.get_layer("hidden").kernel.constraint
    outside = interrupted(
        model, data, DWTCompression(threshold=0.1, hold_support=True, layers="hidden")
    )
    fit(model, data, DWTCompression(**settings))
    path = "hidden/kernel"
    assert np.abs(outside.coefficients()[path][outside.supports[path]]).max() > 1e-3
    assert model.get_layer("hidden").kernel.constraint is constraint
    assert model.get_layer("classes").kernel.constraint is None


def test_two_callbacks_hold_different_layers_in_one_training(mlp, data):
    model = mlp()
    first = DWTCompression(threshold=0.1, hold_support=True, layers="hidden")
    second = DWTCompression("none", threshold=0.3, hold_support=True, layers="classes")
    watched = [Outside(first), Outside(second)]
    fit(model, data, first, second, *watched, epochs=2)
    assert max(watched[0].shares) <= 16 * EPSILON
    assert max(watched[1].shares) == 0.0
    assert model.get_layer("hidden").kernel.constraint is None
    assert model.get_layer("classes").kernel.constraint is None


def test_convolutions_recurrent_layers_and_embeddings_are_held():
    words = keras.Input((8,), dtype="int32")
    x = layers.Embedding(12, 6, name="words")(words)
    x = layers.Conv1D(5, 4, name="conv")(x)
    x = layers.GRU(4, name="gru")(x)
    model = keras.Model(words, layers.Dense(3, name="classes")(x))
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    rng = np.random.default_rng(2)
    data = rng.integers(0, 12, (48, 8)), rng.integers(0, 3, 48)
    settings = {"threshold_rule": "relative", "threshold": 0.5, "axes": "matrix", "layers": None}
    assert largest_outside(model, data, **settings) <= 16 * EPSILON


def test_until_told_the_support_is_everything(mlp, find):
    model = mlp()
    found = find(model, "db2").items
    held = support.HeldSupport(model, found)
    held.attach()
    kernel = found[0].variable
    before = kernel.numpy()
    np.testing.assert_array_equal(kernel.constraint(kernel.value), before)
    coefficients = found[0].basis.decompose(before)
    coefficients[:3] = 0
    held.hold(found[0], coefficients)
    after = found[0].basis.decompose(np.asarray(kernel.constraint(kernel.value)))
    assert np.abs(after[:3]).max() < 1e-5
    np.testing.assert_allclose(after[3:], coefficients[3:], atol=1e-5)
    held.hold(found[0], np.ones_like(coefficients))
    np.testing.assert_array_equal(kernel.constraint(kernel.value), before)
    held.detach()
    assert kernel.constraint is None


def test_slots_go_on_following_the_gradient_outside_the_support(mlp, data):
    model = mlp(keras.optimizers.SGD(0.01, momentum=0.9))
    compression = DWTCompression("none", threshold=0.1, hold_support=True, layers="hidden")
    fit(model, data, compression, epochs=2)
    (target,) = compression.targets
    (momentum,) = [
        v.numpy()
        for v in model.optimizer.variables
        if tuple(v.shape) == tuple(target.variable.shape)
    ]
    zeros = target.read() == 0
    assert np.count_nonzero(momentum[zeros]) > 0.5 * zeros.sum()


def test_the_report_after_holding_is_what_the_weights_measure(mlp, data):
    compression = DWTCompression("bior4.4", threshold=0.6, threshold_rule="quantile")
    fit(mlp(), data, compression, epochs=4)
    measured = shrink.measure(compression.targets)
    assert measured.zero_fraction == compression.report.zero_fraction
    assert measured.zero_fraction == pytest.approx(0.6, abs=1 / 402)
