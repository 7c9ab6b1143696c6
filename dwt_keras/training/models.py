"""The networks of the training app, built and compiled. Importing this loads TensorFlow."""

from __future__ import annotations

import math
from typing import Any

import keras

from dwt_keras.settings import TrainingSettings
from dwt_keras.settings.regularization import RegularizationSettings
from dwt_keras.training import requirements
from dwt_keras.training.networks.parts import Plan
from dwt_keras.training.networks.table import BUILDERS

# Adam's step size; for how many updates it is right where it falls to zero; and the largest.
_RATE, _STEPS_AT_RATE, _LARGEST_RATE = 1e-3, 12_000, 5e-3


def build(
    settings: TrainingSettings,
    input_shape: tuple[int, ...],
    classes: int,
    regularization: RegularizationSettings | None = None,
) -> keras.Model:
    """Builds the network that `settings.model` names, with fresh weights.

    Args:
        settings: Gives the model and, for the mlp, its hidden units.
        input_shape: Shape of one sample: height, width, channels of an image, or time and channels
            of a signal; the mlp takes any.
        classes: Number of outputs.
        regularization: Gives dropout and batch normalisation; None for the network's own.

    Raises:
        ArgumentError: If the network does not take samples of that shape.
    """
    requirements.check_network(settings.model, input_shape)
    own = regularization or RegularizationSettings()
    plan = Plan(
        settings.model,
        input_shape,
        classes,
        hidden_units=settings.hidden_units,
        dropout=own.dropout,
        batch_norm=own.batch_norm,
    )
    return BUILDERS[settings.model](plan)


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
