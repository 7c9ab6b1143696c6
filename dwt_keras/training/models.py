"""The networks of the training app, with fresh weights. Importing this loads TensorFlow."""

from __future__ import annotations

import keras
from keras import layers

from dwt_keras import checks
from dwt_keras.settings import TrainingSettings

_SMALLEST_CNN_IMAGE = 4  # Two poolings halve it, and leave one pixel.


def build(settings: TrainingSettings, input_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Builds the network that `settings.model` names, with fresh weights.

    Args:
        settings: Gives the model and, for the mlp, its hidden units.
        input_shape: Shape of one image: height, width, channels.
        classes: Number of outputs.

    Raises:
        ArgumentError: If the images are too small for the cnn.
    """
    body = _mlp(settings.hidden_units) if settings.model == "mlp" else _cnn(input_shape)
    # The probabilities stay float32 whatever the global policy: their logarithm is taken.
    head = layers.Dense(classes, activation="softmax", dtype="float32", name="classes")
    return keras.Sequential(
        [keras.Input(input_shape, name="images"), *body, head], name=settings.model
    )


def _mlp(hidden_units: tuple[int, ...]) -> list[layers.Layer]:
    return [
        layers.Flatten(name="flatten"),
        *(
            layers.Dense(units, activation="relu", name=f"dense_{number}")
            for number, units in enumerate(hidden_units, start=1)
        ),
    ]


def _cnn(input_shape: tuple[int, ...]) -> list[layers.Layer]:
    height, width = input_shape[:2]
    if min(height, width) < _SMALLEST_CNN_IMAGE:
        least = _SMALLEST_CNN_IMAGE
        raise checks.ArgumentError(
            "model",
            f"must be mlp for images below {least} x {least} pixels, which the cnn pools away; "
            f"given cnn for {height} x {width}",
        )
    return [
        _convolution(32, "conv_1"),
        _convolution(32, "conv_2"),
        _pooling("pool_1"),
        _convolution(64, "conv_3"),
        _convolution(64, "conv_4"),
        _pooling("pool_2"),
        layers.Flatten(name="flatten"),
        layers.Dense(256, activation="relu", name="dense_1"),
        layers.Dropout(0.5, name="dropout"),
    ]


# The data has its channels last, whatever ~/.keras/keras.json says.
def _convolution(filters: int, name: str) -> layers.Layer:
    return layers.Conv2D(
        filters, 3, padding="same", activation="relu", data_format="channels_last", name=name
    )


def _pooling(name: str) -> layers.Layer:
    return layers.MaxPooling2D(2, data_format="channels_last", name=name)
