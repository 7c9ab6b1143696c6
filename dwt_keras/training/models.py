"""The networks of the training app, with fresh weights. Importing this loads TensorFlow."""

from __future__ import annotations

import keras

from dwt_keras.settings import TrainingSettings
from dwt_keras.settings.regularization import RegularizationSettings
from dwt_keras.training import requirements
from dwt_keras.training.networks.parts import Plan
from dwt_keras.training.networks.table import BUILDERS


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
