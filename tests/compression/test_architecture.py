"""A model's architecture as bytes and back, and its fingerprint."""

from __future__ import annotations

import hashlib
import json

import keras
import numpy as np
import pytest
from architectures import MODELS, MOST, Nameless, branches, project, sequential, shared
from keras import layers

from dwt_keras.compression import architecture


def inputs(model):
    rng = np.random.default_rng(0)
    return keras.tree.map_structure(
        lambda x: rng.integers(0, 9, (2, *x.shape[1:])).astype(x.dtype),
        model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
    )


@pytest.mark.parametrize("kind", MODELS)
def test_models_come_back(kind):
    model = MODELS[kind]()
    data = architecture.encode(model)
    found = architecture.decode(data, MOST)
    assert type(found) is type(model)
    assert [(v.name, v.shape, v.dtype) for v in found.weights] == [
        (v.name, v.shape, v.dtype) for v in model.weights
    ]
    assert not found.compiled
    assert architecture.fingerprint(found) == architecture.fingerprint(model)
    assert architecture.encode(found) == data
    found.set_weights(model.get_weights())
    x = inputs(model)
    expected, given = model(x), found(x)
    keras.tree.assert_same_structure(given, expected)
    keras.tree.map_structure(np.testing.assert_array_equal, given, expected)


@pytest.mark.parametrize("kind", sorted(set(MODELS) - {"nested", "custom"}))
def test_the_whole_configuration_comes_back(kind):
    model = MODELS[kind]()
    found = architecture.decode(architecture.encode(model), MOST)
    assert json.loads(found.to_json()) == json.loads(model.to_json())
    assert [x.shape for x in found.outputs] == [x.shape for x in model.outputs]


def test_losses_come_back():
    found = architecture.decode(architecture.encode(branches()), MOST)
    assert len(found.losses) == 1


@pytest.mark.parametrize(("kind", "most"), [("mlp", 60), ("cnn", 150)])
def test_the_project_s_models_take_few_bytes(kind, most):
    assert len(architecture.encode(project(kind))) <= most


def test_the_same_model_gives_the_same_bytes():
    model = project("cnn")
    data = architecture.encode(model)
    model.compile("adam", "mse")
    model.set_weights([np.ones_like(w) for w in model.get_weights()])
    assert architecture.encode(model) == data == architecture.encode(project("cnn"))


def test_the_dictionary_is_part_of_the_format():
    """Files written before a change of it could not be read."""
    digest = hashlib.blake2b(architecture.DICTIONARY, digest_size=8).hexdigest()
    assert digest == "8d91642045e5b7d7"


def test_names_do_not_count_for_the_fingerprint():
    one, other = shared(), shared()
    assert [layer.name for layer in one.layers] != [layer.name for layer in other.layers]
    assert architecture.fingerprint(one) == architecture.fingerprint(other)


def test_numbers_of_variables_without_a_name_do_not_count():
    one, other = sequential(Nameless()), sequential(Nameless())
    assert one.weights[0].name != other.weights[0].name
    assert architecture.fingerprint(one) == architecture.fingerprint(other)


@pytest.mark.parametrize(
    "body",
    [
        [layers.Dense(5), layers.Dense(4)],
        [layers.Dense(4, dtype="float16"), layers.Dense(4)],
        [layers.Dense(4, use_bias=False), layers.Dense(4)],
        [layers.EinsumDense("ab,bc->ac", 4, bias_axes="c"), layers.Dense(4)],
        [layers.Dense(4)],
        [layers.Dense(4), layers.Dense(4), layers.BatchNormalization()],
    ],
)
def test_what_changes_the_weights_changes_the_fingerprint(body):
    plain = architecture.fingerprint(sequential(layers.Dense(4), layers.Dense(4)))
    assert len(plain) == 8
    assert architecture.fingerprint(sequential(*body)) != plain


def test_weights_begin_as_zeros_whatever_the_initializer():
    """They get others; the orthogonal one takes seconds for a large kernel."""
    found = architecture.decode(
        architecture.encode(sequential(layers.Dense(8, kernel_initializer="orthogonal"))), MOST
    )
    assert not any(weight.any() for weight in found.get_weights())
    assert type(found.layers[0].kernel_initializer).__name__ == "Orthogonal"


def test_states_of_random_layers_begin_as_they_should():
    model = sequential(layers.Dropout(0.5, seed=3), layers.GaussianNoise(1.0))
    found = architecture.decode(architecture.encode(model), MOST, 0)
    state = found.layers[0].seed_generator.state
    np.testing.assert_array_equal(state, model.layers[0].seed_generator.state)


@pytest.mark.parametrize("kind", ["RandAugment", "AugMix", "RandomRotation", "RandomCrop"])
def test_layers_of_random_states_come_back(kind):
    options = {"RandomRotation": {"factor": 0.1}, "RandomCrop": {"height": 4, "width": 4}}
    layer = getattr(layers, kind)(**options.get(kind, {}))
    data = architecture.encode(sequential(layer, shape=(8, 8, 3)))
    assert architecture.decode(data, MOST, 0).count_params() == 0
