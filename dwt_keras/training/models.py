"""The networks of the training app, built and compiled. Importing this loads TensorFlow."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from dwt_keras import checks
from dwt_keras.settings import TrainingSettings

# Adam's step size; for how many updates it is right where it falls to zero; and the largest.
_RATE, _STEPS_AT_RATE, _LARGEST_RATE = 1e-3, 12_000, 5e-3

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


def compile_model(model: keras.Model, settings: TrainingSettings, samples: int) -> None:
    """Compiles with Adam and cross-entropy on whole-number labels, reporting accuracy.

    Args:
        model: The network.
        settings: Give the learning rate and its schedule.
        samples: How many samples an epoch has.
    """
    rate: Any = _RATE if settings.learning_rate is None else settings.learning_rate
    if settings.learning_rate_schedule == "cosine":
        steps = settings.epochs * math.ceil(samples / settings.batch_size)
        if settings.learning_rate is None:
            rate = _first_cosine_rate(steps)
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate=rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )


def _first_cosine_rate(steps: int) -> float:
    """Adam's first step size for a training of so many updates whose rate falls to zero.

    What is best for training for bytes grows as the updates get fewer: coefficients have as far to
    go (docs/benchmarks.md).
    """
    return min(max(_RATE, _RATE * (_STEPS_AT_RATE / steps) ** (2 / 3)), _LARGEST_RATE)


def _mlp(hidden_units: tuple[int, ...]) -> list[layers.Layer]:
    return [
        layers.Flatten(name="flatten"),
        *(
            layers.Dense(units, activation="relu", name=f"dense_{number}")
            for number, units in enumerate(hidden_units, start=1)
        ),
    ]


def _cnn(input_shape: tuple[int, ...]) -> list[layers.Layer]:
    if len(input_shape) != 3:
        raise checks.ArgumentError(
            "model",
            f"must be mlp for what is no image; given cnn for inputs of shape {input_shape}",
        )
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
