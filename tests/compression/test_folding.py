"""Folding: the smaller network computes what the given one does, and is smaller."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import checks
from dwt_keras.compression import folding, structured, targets
from dwt_keras.settings import CompressionSettings

SHAPE = (12, 9, 2)


def emptied(model, wavelet="none", level=1, share=0.4):
    """Sets rows of a model's kernels to zero; its kernels with their bases."""
    rng = np.random.default_rng(0)
    found = targets.find(model, CompressionSettings(wavelet=wavelet, level=level)).items
    for target in found:
        coefficients = target.basis.decompose(target.read())
        if target.variable.ndim == 2:
            keep = rng.random(coefficients.shape[:-1]) < share
            keep.reshape(-1)[0] = True
        else:
            keep = rng.random(coefficients.shape[-2]) < share
            keep[0] = True
        target.write(target.kernel(coefficients * keep[..., None]))
    return found


def randomised(model):
    """Gives every weight a value of its own: biases and statistics are not zero in use."""
    rng = np.random.default_rng(1)
    model.set_weights(
        [np.abs(rng.normal(0.1, 0.3, each.shape)) + 0.05 for each in model.get_weights()]
    )
    for layer in model.layers:
        if isinstance(layer, (layers.Dense, layers.Conv2D)):
            layer.kernel.assign(rng.normal(0.0, 0.2, layer.kernel.shape))
    return model


def sequential(*body):
    head = layers.Dense(4, activation="softmax", name="classes")
    return randomised(keras.Sequential([keras.Input(SHAPE, name="images"), *body, head]))


def agree(one, other, atol=1e-5):
    rng = np.random.default_rng(2)
    x = [rng.normal(size=(7, *tensor.shape[1:])).astype("float32") for tensor in one.inputs]
    x = x[0] if len(x) == 1 else x
    given, found = one.predict(x, verbose=0), other.predict(x, verbose=0)
    np.testing.assert_allclose(found, given, atol=atol)
    assert np.ptp(given, axis=0).max() > 1e-3  # The network looks at its input.


@pytest.mark.parametrize("wavelet", ["none", "haar", "sym4", "bior4.4", "dmey"])
def test_a_dense_network(wavelet):
    model = sequential(
        layers.Flatten(), layers.Dense(400, activation="sigmoid"), layers.Dense(20, use_bias=False)
    )
    kernels = emptied(model, wavelet, 2)
    folded = folding.fold(model, kernels)
    agree(model, folded)
    assert folded.count_params() < 0.4 * model.count_params()
    (features,) = [
        layer for layer in folded.layers if isinstance(layer, structured.WaveletFeatures)
    ]
    assert features.plan.basis.wavelet == wavelet
    units = [layer.units for layer in folded.layers if isinstance(layer, layers.Dense)]
    assert units[0] < 400 and units[1] < 20 and units[2] == 4


def test_a_convolutional_network():
    model = sequential(
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Conv2D(10, 3),
        layers.Activation("relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.5),
        layers.Flatten(),
        layers.BatchNormalization(),
        layers.Dense(16, activation="relu"),
    )
    kernels = emptied(model, "haar", 1)
    folded = folding.fold(model, kernels)
    agree(model, folded)
    filters = [layer.filters for layer in folded.layers if isinstance(layer, layers.Conv2D)]
    assert filters[0] < 8
    assert folded.count_params() < 0.6 * model.count_params()


def test_filters_go_that_no_row_behind_a_flattening_looks_at():
    model = sequential(layers.Conv2D(6, 3), layers.Flatten())
    kernel = model.get_layer("classes").kernel.numpy().reshape(10, 7, 6, 4)
    kernel[:, :, [1, 4]] = 0
    model.get_layer("classes").kernel.assign(kernel.reshape(-1, 4))
    folded = folding.fold(model)
    agree(model, folded)
    assert next(layer for layer in folded.layers if "conv" in layer.name).filters == 4


def test_branches_keep_what_any_of_them_needs():
    inputs = keras.Input((16,))
    hidden = layers.Dense(10, activation="relu", name="hidden")(inputs)
    one, two = (layers.Dense(5, name=name)(hidden) for name in ("one", "two"))
    model = randomised(keras.Model(inputs, layers.Add()([one, two])))
    for name, rows in (("one", [0, 1, 2]), ("two", [2, 3])):
        kernel = np.zeros((10, 5), "float32")
        kernel[rows] = model.get_layer(name).kernel.numpy()[rows]
        model.get_layer(name).kernel.assign(kernel)
    folded = folding.fold(model)
    agree(model, folded)
    assert folded.get_layer("hidden").units == 4
    # A sum needs all that it adds.
    assert folded.get_layer("one").units == 5


def test_a_layer_that_is_used_twice_is_left_alone():
    inputs = keras.Input((6,))
    shared = layers.Dense(6, activation="relu", name="shared")
    model = randomised(keras.Model(inputs, layers.Dense(3, name="last")(shared(shared(inputs)))))
    emptied(model)
    folded = folding.fold(model)
    agree(model, folded)
    assert folded.get_layer("shared").units == 6
    assert folded.get_layer("shared") is not model.get_layer("shared")


@pytest.mark.parametrize(
    "between",
    [
        layers.Softmax(),
        layers.LayerNormalization(),
        layers.Reshape((5, 4)),
        layers.UnitNormalization(),
    ],
    ids=lambda layer: layer.__class__.__name__,
)
def test_layers_that_mix_channels_get_all_of_them(between):
    body = [layers.Flatten(), layers.Dense(20, name="hidden"), between]
    if isinstance(between, layers.Reshape):
        body.append(layers.Flatten())
    model = sequential(*body)
    kernels = emptied(model)
    folded = folding.fold(model, kernels)
    agree(model, folded)
    assert folded.get_layer("hidden").units == 20


def test_a_softmax_in_a_hidden_layer_keeps_its_units():
    model = sequential(layers.Flatten(), layers.Dense(20, activation="softmax", name="hidden"))
    folded = folding.fold(model, emptied(model))
    agree(model, folded)
    assert folded.get_layer("hidden").units == 20


def test_dense_layers_over_the_channels_of_a_feature_map():
    model = sequential(
        layers.Conv2D(8, 1), layers.Dense(10, activation="relu", name="mixed"), layers.Flatten()
    )
    emptied(model)
    folded = folding.fold(model)
    agree(model, folded)
    assert folded.get_layer("mixed").kernel.shape[0] < 8


def test_where_nothing_is_left_of_a_kernel_its_bias_is():
    model = sequential(layers.Flatten(), layers.Dense(5, activation="relu", name="hidden"))
    model.get_layer("hidden").kernel.assign(np.zeros((216, 5), "float32"))
    folded = folding.fold(model)
    x = np.random.default_rng(0).normal(size=(3, *SHAPE)).astype("float32")
    np.testing.assert_allclose(folded(x), model(x), atol=1e-6)
    assert folded.get_layer("hidden").kernel.shape == (1, 5)


def test_what_saves_no_work_stays_a_plain_kernel():
    model = sequential(layers.Flatten())
    kernels = emptied(model, "haar", 2, share=0.97)
    folded = folding.fold(model, kernels)
    agree(model, folded)
    assert not any(isinstance(layer, structured.WaveletFeatures) for layer in folded.layers)


def test_the_given_model_is_left_as_it_was():
    model = sequential(layers.Flatten(), layers.Dense(8, kernel_constraint="non_neg"))
    kernels = emptied(model, "haar", 1)
    before = [each.copy() for each in model.get_weights()]
    folded = folding.fold(model, kernels)
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)
    assert not {id(layer) for layer in folded.layers} & {id(layer) for layer in model.layers}
    assert [tensor.name for tensor in folded.inputs] == ["images"]


def test_a_folded_model_saves_and_comes_back(tmp_path):
    model = sequential(layers.Flatten(), layers.Dense(8, activation="relu"))
    folded = folding.fold(model, emptied(model, "sym2", 2))
    folded.save(tmp_path / "folded.keras")
    agree(folded, keras.models.load_model(tmp_path / "folded.keras"), atol=0.0)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`:UserWarning")
def test_a_folded_model_can_be_quantised():
    model = sequential(layers.Flatten(), layers.Dense(8, activation="relu"))
    folded = folding.fold(model, emptied(model, "sym2", 2))
    before = folded.predict(np.ones((2, *SHAPE)), verbose=0)
    folded.quantize("int8")
    np.testing.assert_allclose(folded.predict(np.ones((2, *SHAPE)), verbose=0), before, atol=0.05)


def test_what_cannot_be_folded_is_told_in_one_line():
    model = sequential(layers.Flatten())
    with pytest.raises(checks.UserError, match="has no empty rows to fold"):
        folding.fold(model)
    folded = folding.fold(model, emptied(model))
    with pytest.raises(checks.UserError, match="is folded already"):
        folding.fold(folded)

    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(checks.UserError, match="is no Functional or Sequential one"):
        folding.fold(Own())


def test_operations_and_calls_by_keyword_stay_as_they_are():
    inputs = keras.Input((6, 4))
    attended = layers.MultiHeadAttention(2, 3, name="attention")(query=inputs, value=inputs)
    flat = layers.Flatten()(inputs + keras.ops.relu(attended))
    model = randomised(keras.Model(inputs, layers.Dense(3, name="last")(flat)))
    emptied(model)
    agree(model, folding.fold(model))


def test_an_embedding_with_a_mask():
    inputs = keras.Input((6,), dtype="int32")
    values = layers.LSTM(5)(layers.Embedding(7, 4, mask_zero=True)(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layers.Dense(6, name="hidden")(values)))
    kernel = model.layers[-1].kernel
    kernel.assign(kernel * np.array([1, 0, 1, 0, 0, 1], "float32")[:, None])
    folded = folding.fold(model)
    x = np.array([[1, 2, 0, 3, 0, 0], [4, 5, 6, 1, 2, 0]])
    np.testing.assert_allclose(folded(x), model(x), atol=1e-6)
    assert folded.get_layer("hidden").units == 3


def test_subclasses_are_left_alone():
    class Normed(layers.Dense):
        def call(self, inputs):
            return keras.ops.normalize(super().call(inputs), axis=-1)

    model = sequential(layers.Flatten(), Normed(8, name="hidden"))
    emptied(model)
    folded = folding.fold(model)
    agree(model, folded)
    assert folded.get_layer("hidden").units == 8


def test_quantised_layers_are_left_alone():
    model = sequential(layers.Flatten(), layers.Dense(8), layers.Dense(6, name="hidden"))
    emptied(model)
    model.get_layer("hidden").quantize("int8")
    folded = folding.fold(model)
    agree(model, folded)
    assert folded.get_layer("hidden").quantization_mode == "int8"


def test_initial_values_of_the_old_shape_do_not_matter():
    model = sequential(
        layers.Flatten(),
        layers.Dense(
            8,
            kernel_initializer=keras.initializers.Constant(np.ones((216, 8))),
            bias_initializer=keras.initializers.Constant(np.ones(8)),
        ),
    )
    agree(model, folding.fold(model, emptied(model)))


def test_an_output_without_axes():
    inputs = keras.Input((6,))
    hidden = layers.Dense(5, name="hidden")(inputs)
    model = randomised(keras.Model(inputs, keras.ops.sum(layers.Dense(3)(hidden), axis=-1)))
    emptied(model)
    agree(model, folding.fold(model))


def without_columns(model, names):
    """Sets every other column of kernels to zero, but not their biases."""
    for name in names:
        kernel = model.get_layer(name).kernel.numpy()
        kernel[..., ::2] = 0
        model.get_layer(name).kernel.assign(kernel)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "linear"])
def test_units_that_always_give_the_same_go_into_the_next_bias(activation):
    model = sequential(
        layers.Flatten(),
        layers.Dense(10, activation=activation, name="one"),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.Dense(8, activation=activation, name="two"),
    )
    without_columns(model, ["one", "two"])
    folded = folding.fold(model)
    agree(model, folded)
    assert folded.get_layer("one").units == 5
    assert folded.get_layer("two").units == 4


def test_filters_that_always_give_the_same():
    model = sequential(
        layers.Conv2D(6, 3, activation="relu", name="one"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(8, 3, name="two"),
        layers.Flatten(),
    )
    without_columns(model, ["one", "two"])
    folded = folding.fold(model, targets.find(model, CompressionSettings("haar", 1)).items)
    agree(model, folded)
    assert folded.get_layer("one").filters == 3
    assert folded.get_layer("two").filters == 4


@pytest.mark.parametrize("padded", ["same", "layer"])
@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_past_a_border_only_zeros_always_are_the_same(padded, bias):
    model = sequential(
        layers.Conv2D(6, 3, activation="relu", name="one"),
        *([layers.ZeroPadding2D()] if padded == "layer" else []),
        layers.Conv2D(4, 3, padding="same" if padded == "same" else "valid"),
        layers.Flatten(),
    )
    without_columns(model, ["one"])
    model.get_layer("one").bias.assign(np.full(6, bias))
    model.get_layer("classes").kernel.assign(model.get_layer("classes").kernel.numpy())
    if bias:
        with pytest.raises(checks.UserError, match="has no empty rows to fold"):
            folding.fold(model)
        return
    folded = folding.fold(model)
    agree(model, folded)
    assert folded.get_layer("one").filters == 3
