"""Dropout rates that follow what is kept: in the training step, and nowhere after it."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import DWTCompression
from dwt_keras.compression import dropout

RATE = 0.4


class Own(layers.Dropout):
    """Somebody's own layer, whose rate may mean something else."""


@pytest.fixture
def traced(monkeypatch):
    """The rates that training steps are traced with, in their order."""
    rates = []
    original = layers.Dropout.call

    def call(self, inputs, training=False):
        if training and type(self) is layers.Dropout:
            rates.append(self.rate)
        return original(self, inputs, training=training)

    monkeypatch.setattr(layers.Dropout, "call", call)
    return rates


@pytest.fixture
def network():
    """Builds Dense(16), Dropout, Dense(3) over vectors of 16, compiled."""

    def build(layer=layers.Dropout, **compile_options):
        model = keras.Sequential(
            [
                keras.Input((16,)),
                layers.Dense(16, activation="relu", name="hidden"),
                layer(RATE, name="dropout"),
                layers.Dense(3, activation="softmax", name="classes"),
            ]
        )
        model.compile(
            "sgd", "sparse_categorical_crossentropy", **{"jit_compile": False, **compile_options}
        )
        return model

    return build


@pytest.fixture
def samples():
    x = np.random.default_rng(0).normal(size=(32, 16)).astype("float32")
    return x, np.argmax(x[:, :3], axis=1)


def fit(model, samples, *callbacks, epochs=4):
    model.fit(*samples, epochs=epochs, batch_size=8, verbose=0, callbacks=list(callbacks))


def test_rates_fall_with_the_root_of_the_share_that_is_kept(network, samples, traced):
    model = network()
    callback = DWTCompression("haar", threshold_rule="quantile", threshold=0.9, scale_dropout=True)
    zeros = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: zeros.append(logs["zero_fraction"])
    )
    fit(model, samples, callback, watch, epochs=6)
    kept = [1.0, *(1.0 - zero for zero in zeros[:-1])]
    expected = [RATE * math.sqrt(share) for share in kept]
    assert expected[-1] < 0.15  # The training had something to scale.
    close = [rate for rate in expected if any(abs(rate - each) < 1e-9 for each in traced)]
    assert len(close) >= 4
    assert abs(traced[-1] - expected[-1]) < 0.02
    assert traced[0] == RATE


def test_a_layer_has_its_own_rate_between_epochs_and_after_the_training(network, samples):
    model = network()
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.get_layer("dropout").rate)
    )
    fit(model, samples, DWTCompression("none", target_bytes=300), watch)
    assert seen == [RATE] * 4
    assert model.get_layer("dropout").get_config()["rate"] == RATE


def test_a_training_after_that_has_the_whole_rate(network, samples, traced):
    model = network()
    fit(model, samples, DWTCompression("none", target_bytes=300))
    assert min(traced) < RATE
    traced.clear()
    fit(model, samples)
    assert traced == [RATE]


def test_a_training_after_an_interrupted_one_begins_with_the_whole_rate(network, samples, traced):
    model = network()

    def interrupt(batch, logs):
        if model.optimizer.iterations > 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            model,
            samples,
            DWTCompression("none", threshold_rule="quantile", threshold=0.9, scale_dropout=True),
            keras.callbacks.LambdaCallback(on_train_batch_end=interrupt),
        )
    assert model.get_layer("dropout").rate < RATE
    traced.clear()
    fit(model, samples, DWTCompression("none", threshold=0.0, scale_dropout=True), epochs=1)
    assert traced == [RATE]
    assert model.get_layer("dropout").rate == RATE


@pytest.mark.parametrize(
    "settings",
    [{"target_bytes": 300, "scale_dropout": False}, {"threshold": 0.5}],
    ids=["off", "without a budget"],
)
def test_rates_stay_where_that_is_not_wanted(network, samples, traced, settings):
    fit(network(), samples, DWTCompression("none", **settings))
    assert set(traced) == {RATE}


def test_layers_of_other_classes_are_left_alone(network):
    model = network(Own)
    dropout.DropoutRates(model).scale(0.0)
    assert model.get_layer("dropout").rate == RATE


@pytest.mark.parametrize(
    "layer",
    [layers.AlphaDropout, layers.GaussianDropout, layers.Dropout],
    ids=lambda layer: layer.__name__,
)
def test_without_anything_kept_nothing_is_dropped(network, samples, layer):
    model = network(layer)
    x, _ = samples
    rates = dropout.DropoutRates(model)
    assert not np.array_equal(model(x, training=True), model(x))
    rates.scale(0.0)
    assert np.array_equal(model(x, training=True), model(x))
    rates.restore()
    assert not np.array_equal(model(x, training=True), model(x))


def test_layers_within_models_within_models_count(network):
    inner = network()
    outer = keras.Sequential([keras.Input((16,)), inner])
    dropout.DropoutRates(outer).scale(0.25)
    assert inner.get_layer("dropout").rate == RATE / 2
