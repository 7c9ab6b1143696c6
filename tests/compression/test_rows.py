"""Whole rows and columns: which go, that they stay away, and in which basis."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import DWTCompression, checks
from dwt_keras.compression import folding, inputs, rows, targets
from dwt_keras.settings import CompressionSettings


@pytest.fixture
def cnn():
    """Builds and compiles two convolutions and two Dense layers over images of 8 x 8."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(6, 3, padding="same", activation="relu", name="conv_1"),
            layers.Conv2D(8, 3, padding="same", activation="relu", name="conv_2"),
            layers.Flatten(),
            layers.Dense(10, activation="relu", name="dense"),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    return model


def remaining(target, structure):
    axes = rows.axes_of(target.basis, target.variable.shape, structure)
    coefficients = target.basis.decompose(target.read())
    size = rows.scores(np.where(abs(coefficients) > 1e-6, coefficients, 0), axes, 1.0)
    return int((size > 0).sum())


def test_rows_of_a_dense_kernel_are_coefficients_of_its_input(mlp, data):
    model = mlp()
    callback = DWTCompression("haar", 2, keep_rows="hidden:7", samples=data[0])
    model.fit(*data, epochs=4, batch_size=8, verbose=0, callbacks=[callback])
    hidden, classes = callback.targets
    assert remaining(hidden, "rows") == 7
    assert remaining(classes, "rows") == 6
    assert callback.report.targets[0].zeros == (64 - 7) * 6
    folded = folding.fold(model, callback.targets)
    np.testing.assert_allclose(folded(data[0]), model(data[0]), atol=1e-5)


def test_rows_of_a_convolution_are_its_input_channels(cnn, data):
    callback = DWTCompression("haar", keep_rows=0.5, samples=data[0][..., None])
    cnn.fit(data[0][..., None], data[1], epochs=4, batch_size=8, verbose=0, callbacks=[callback])
    assert [target.layer.name for target in callback.targets] == ["conv_2", "dense", "classes"]
    assert [remaining(target, "rows") for target in callback.targets] == [3, 256, 5]
    folded = folding.fold(cnn, callback.targets)
    assert folded.get_layer("conv_1").filters == 3
    x = data[0][..., None]
    np.testing.assert_allclose(folded(x), cnn(x), atol=1e-5)


def test_columns_are_units_and_filters_but_not_the_outputs(cnn, data):
    callback = DWTCompression("none", keep_columns=0.5)
    cnn.fit(data[0][..., None], data[1], epochs=4, batch_size=8, verbose=0, callbacks=[callback])
    assert [target.layer.name for target in callback.targets] == ["conv_1", "conv_2", "dense"]
    assert [remaining(target, "columns") for target in callback.targets] == [3, 4, 5]
    for target in callback.targets:
        assert np.count_nonzero(target.layer.bias.numpy()) <= remaining(target, "columns")
    folded = folding.fold(cnn, callback.targets)
    x = data[0][..., None]
    np.testing.assert_allclose(folded(x), cnn(x), atol=1e-5)
    assert folded.get_layer("conv_1").filters == 3
    assert folded.get_layer("conv_2").filters == 4
    assert folded.get_layer("dense").units == 5


def test_what_is_gone_stays_away_between_shrinkings(mlp, data):
    model = mlp(keras.optimizers.Adam(0.05))
    counts = []
    callback = DWTCompression("haar", 1, keep_rows="hidden:5", samples=data[0])

    def count(batch, logs):
        if callback._epoch == 3:
            counts.append(remaining(callback.targets[0], "rows"))

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=count)
    model.fit(*data, epochs=4, batch_size=8, verbose=0, callbacks=[callback, watch])
    assert counts == [5] * 6


def test_rows_go_along_the_ramp(mlp, data):
    model = mlp()
    zeros = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: zeros.append(logs["zero_fraction"])
    )
    callback = DWTCompression("haar", 1, keep_rows="hidden:4", ramp="linear", ramp_end_epoch=4)
    model.fit(*data, epochs=5, batch_size=8, verbose=0, callbacks=[callback, watch])
    counts = [round(zero * (64 * 6 + 6 * 3)) / 6 for zero in zeros]
    assert counts == [15, 30, 45, 60, 60]


def test_an_input_that_never_varies_loses_its_rows_first(mlp, data):
    x = data[0].copy()
    x[:, 2:5] = 0.7
    model = mlp(keras.optimizers.SGD(1e-3))
    callback = DWTCompression("none", keep_rows="hidden:40", samples=x)
    model.fit(x, data[1], epochs=1, batch_size=8, verbose=0, callbacks=[callback])
    kernel = callback.targets[0].read().reshape(8, 8, 6)
    assert not kernel[2:5].any()
    assert kernel[:2].any(axis=-1).all()
    assert kernel[5:].any(axis=-1).all()


def test_spreads_are_those_of_what_reaches_the_rows(cnn, data):
    x = data[0][..., None]
    found = targets.find(cnn, CompressionSettings("haar", 1)).items
    given = inputs.Inputs(cnn, found, x).read()
    assert np.array_equal(given["conv_1/kernel"], x)
    first = cnn.get_layer("conv_1")(x).numpy()
    spread = inputs.spread(found[1], (2,), given)
    np.testing.assert_allclose(spread, first.reshape(-1, 6).std(axis=0), rtol=1e-4)
    second = cnn.get_layer("conv_2")(first).numpy()
    pairs = second.reshape(48, 4, 2, 4, 2, 8)
    spread = inputs.spread(found[2], (0, 1, 2), given)
    np.testing.assert_allclose(
        spread[:4, :4], pairs.sum(axis=(2, 4)).std(axis=0) / 2, rtol=1e-4, atol=1e-6
    )


def test_without_samples_norms_alone_count(cnn):
    found = targets.find(cnn, CompressionSettings("haar", 1)).items
    assert inputs.Inputs(cnn, found, None).read() == {}
    assert inputs.spread(found[0], (2,), {}) == 1.0


def test_a_basis_is_chosen_that_holds_most_in_the_rows_that_remain(mlp, data):
    """Images that are flat over pairs of pixels have half their haar coefficients zero."""
    x = np.repeat(np.repeat(data[0][:, ::2, ::2], 2, axis=1), 2, axis=2)
    model = mlp()
    settings = CompressionSettings(keep_rows="hidden:16")
    found = targets.find(model, settings).items
    given = inputs.Inputs(model, found, x).read()
    hidden, classes = rows.choose_bases(found, settings, given)
    assert (hidden.basis.wavelet, hidden.basis.level) == ("haar", 1)
    assert classes.basis.is_identity
    given_level = CompressionSettings(keep_rows="hidden:16", level=2)
    hidden, _ = rows.choose_bases(found, given_level, given)
    assert hidden.basis.is_identity or hidden.basis.level == 2


@pytest.mark.parametrize("samples", [None, 48, 1])
def test_a_single_kernel(data, samples):
    model = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True), jit_compile=False)
    given = None if samples is None else data[0][:samples]
    callback = DWTCompression(keep_rows=9, samples=given)
    model.fit(*data, epochs=3, verbose=0, callbacks=[callback])
    assert remaining(callback.targets[0], "rows") == 9


@pytest.mark.parametrize("kind", ["keep_rows", "keep_columns"])
def test_networks_without_geometry_lose_rows_and_columns_as_they_are(data, kind):
    x = data[0].reshape(48, 64)
    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(8, activation="relu"), layers.Dense(3)]
    )
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(True), jit_compile=False)
    callback = DWTCompression(**{kind: 0.5}, samples=x)
    model.fit(x, data[1], epochs=3, verbose=0, callbacks=[callback])
    assert all(target.basis.is_identity for target in callback.targets)
    folded = folding.fold(model, callback.targets)
    np.testing.assert_allclose(folded(x), model(x), atol=1e-5)
    assert folded.layers[-2].units == 4 or folded.layers[-1].kernel.shape[0] == 4


def test_restored_weights_are_cut_to_what_was_asked_for(mlp, data):
    model = mlp()
    early = keras.callbacks.EarlyStopping(
        "accuracy", mode="min", patience=9, restore_best_weights=True
    )
    callback = DWTCompression("haar", 1, keep_rows="hidden:5", samples=data[0])
    model.fit(*data, epochs=6, batch_size=8, verbose=0, callbacks=[early, callback])
    assert remaining(callback.targets[0], "rows") == 5


def test_spreads_of_half_precision_do_not_overflow(data):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1), dtype="float16"),
            layers.Conv2D(3, 3, dtype="mixed_float16", name="one"),
            layers.Conv2D(3, 3, dtype="mixed_float16", name="two"),
        ]
    )
    model.get_layer("one").bias.assign([200.0, 300.0, 400.0])
    found = targets.find(model, CompressionSettings("none")).items
    given = inputs.Inputs(model, found, data[0][..., None]).read()
    spread = inputs.spread(found[1], (2,), given)
    one = model.get_layer("one")(data[0][..., None]).numpy().astype("float64")
    np.testing.assert_allclose(spread, one.reshape(-1, 3).std(axis=0), rtol=1e-3)


def test_a_pattern_that_matches_nothing_is_refused(mlp, data):
    callback = DWTCompression("haar", keep_rows="hiden:5")
    message = "keep_rows must match layers with rows that can go .hidden, classes.; no match: hiden"
    with pytest.raises(checks.ArgumentError, match=message):
        mlp().fit(*data, epochs=1, verbose=0, callbacks=[callback])


def test_outputs_behind_an_activation_keep_their_columns(data):
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(6, name="hidden"),
            layers.Dense(3, name="logits"),
            layers.Activation("softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    callback = DWTCompression(keep_columns=0.5)
    model.fit(*data, epochs=1, verbose=0, callbacks=[callback])
    assert [target.layer.name for target in callback.targets] == ["hidden"]


def test_layers_without_rows_are_left_alone_or_refused(data):
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.SimpleRNN(5, name="recurrent"),
            layers.Dense(3, activation="softmax", name="classes"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    callback = DWTCompression("none", keep_rows=2)
    model.fit(*data, epochs=3, verbose=0, callbacks=[callback])
    assert [target.layer.name for target in callback.targets] == ["classes"]
    assert remaining(callback.targets[0], "rows") == 2
    refused = DWTCompression("none", keep_rows=2, layers="recurrent")
    with pytest.raises(checks.UserError, match="it cannot be had of recurrent/"):
        model.fit(*data, epochs=1, verbose=0, callbacks=[refused])
    nothing = DWTCompression("none", keep_columns=2)
    with pytest.raises(checks.UserError, match="structure=columns is for Dense layers and"):
        model.fit(*data, epochs=1, verbose=0, callbacks=[nothing])


def test_more_rows_than_there_are_is_refused(mlp, data):
    callback = DWTCompression("haar", keep_rows="hidden:65")
    message = "keep_rows must be at most 64, the rows of hidden/kernel; given 65"
    with pytest.raises(checks.ArgumentError, match=message):
        mlp().fit(*data, epochs=1, verbose=0, callbacks=[callback])


def test_a_diverged_kernel_is_not_touched(mlp, data):
    model = mlp()
    callback = DWTCompression("haar", keep_rows=5)
    kernel = model.get_layer("hidden").kernel

    def break_it(batch, logs):
        kernel.assign(np.full(kernel.shape, np.nan))

    breaking = keras.callbacks.LambdaCallback(on_train_batch_end=break_it)
    with pytest.raises(checks.UserError, match="NaN or infinite"):
        model.fit(*data, epochs=1, verbose=0, callbacks=[breaking, callback])
    assert np.isnan(kernel.numpy()).all()
