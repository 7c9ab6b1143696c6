"""The networks: their layers and sizes."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.settings import TrainingSettings
from dwt_keras.training import models


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture
def channels_first() -> Iterator[None]:
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format(before)


@pytest.mark.parametrize(
    ("settings", "input_shape", "classes", "parameters"),
    [
        (TrainingSettings(model="mlp"), (28, 28, 1), 10, 101_770),
        (TrainingSettings(model="cnn"), (28, 28, 1), 10, 870_634),
        (TrainingSettings(model="mlp", hidden_units=(5, 3)), (8, 8, 1), 10, 325 + 18 + 40),
        (TrainingSettings(model="mlp", hidden_units=(2,)), (4, 4, 3), 100, 98 + 300),
    ],
)
def test_number_of_parameters(
    settings: TrainingSettings, input_shape: tuple[int, ...], classes: int, parameters: int
) -> None:
    model = models.build(settings, input_shape, classes)
    assert model.count_params() == parameters
    assert model.name == settings.model
    assert [tensor.name for tensor in model.inputs] == ["images"]
    assert model.input_shape == (None, *input_shape)
    assert model.output_shape == (None, classes)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (
            TrainingSettings(model="mlp", hidden_units=(4, 4)),
            ["flatten", "dense_1", "dense_2", "classes"],
        ),
        (
            TrainingSettings(model="cnn"),
            [
                *("conv_1", "conv_2", "pool_1", "conv_3", "conv_4", "pool_2"),
                *("flatten", "dense_1", "dropout", "classes"),
            ],
        ),
    ],
)
def test_layer_names_stay_the_same_from_model_to_model(
    settings: TrainingSettings, names: list[str]
) -> None:
    for _ in range(2):
        model = models.build(settings, (8, 8, 1), 10)
        assert [layer.name for layer in model.layers] == names


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_gives_probabilities(name: str) -> None:
    model = models.build(TrainingSettings(model=name), (8, 8, 1), 10)
    output = np.asarray(model(np.random.default_rng(0).random((3, 8, 8, 1), np.float32)))
    np.testing.assert_allclose(output.sum(axis=1), 1, rtol=1e-5)
    activations = [getattr(layer, "activation", None) for layer in model.layers[:-1]]
    assert {activation.__name__ for activation in activations if activation} == {"relu"}


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_output_is_float32_in_mixed_precision(mixed_precision: None, name: str) -> None:
    model = models.build(TrainingSettings(model=name), (8, 8, 1), 10)
    assert model.outputs[0].dtype == "float32"
    assert model.get_layer("dense_1").compute_dtype == "float16"


def test_channels_are_last_whatever_the_configuration(channels_first: None) -> None:
    model = models.build(TrainingSettings(model="cnn"), (28, 28, 1), 10)
    assert model.count_params() == 870_634


@pytest.mark.parametrize("shape", [(3, 8, 1), (8, 3, 1), (1, 1, 3)])
def test_cnn_refuses_small_images(shape: tuple[int, ...]) -> None:
    message = f"^model must be mlp for images below 4 x 4 .* given cnn for {shape[0]} x {shape[1]}$"
    with pytest.raises(checks.ArgumentError, match=message) as caught:
        models.build(TrainingSettings(model="cnn"), shape, 10)
    assert caught.value.argument == "model"
    assert models.build(TrainingSettings(model="mlp"), shape, 10).output_shape == (None, 10)


@pytest.mark.parametrize("shape", [(30,), (64, 3)])
def test_cnn_refuses_what_is_no_image(shape: tuple[int, ...]) -> None:
    with pytest.raises(checks.ArgumentError, match=r"^model must be another one than cnn"):
        models.build(TrainingSettings(model="cnn"), shape, 3)
    assert models.build(TrainingSettings(model="mlp"), shape, 3).output_shape == (None, 3)


def test_cnn_takes_the_smallest_images() -> None:
    model = models.build(TrainingSettings(model="cnn"), (4, 4, 1), 10)
    assert model.get_layer("pool_2").output.shape == (None, 1, 1, 64)
