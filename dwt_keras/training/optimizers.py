"""How networks are compiled: optimizer, loss, and how the training step is run."""

from __future__ import annotations

from typing import Any

import keras

from dwt_keras.settings import Settings
from dwt_keras.settings import numerics as numerics_names
from dwt_keras.settings.optimization import OptimizationSettings
from dwt_keras.training import fine_tuning, learning_rate

_CLASSES = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "nadam": keras.optimizers.Nadam,
    "lion": keras.optimizers.Lion,
}
_JIT_COMPILE: dict[str, Any] = {
    numerics_names.AUTO: "auto",
    numerics_names.ON: True,
    numerics_names.OFF: False,
}


def compile_model(model: keras.Model, settings: Settings, samples: int) -> None:
    """Compiles with cross-entropy on whole-number labels, reporting accuracy.

    Args:
        model: The network, built.
        settings: Give the optimizer, its step size, and how the training step is run.
        samples: How many samples an epoch has.
    """
    small = fine_tuning.needs_small_steps(model, settings)
    model.compile(
        optimizer=_optimizer(
            model, settings.optimization, learning_rate.schedule(settings, samples, small)
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=settings.numerics.steps_per_execution,
        jit_compile=_JIT_COMPILE[settings.numerics.jit_compile],
    )


def _optimizer(
    model: keras.Model, settings: OptimizationSettings, rate: Any
) -> keras.optimizers.Optimizer:
    arguments: dict[str, Any] = {"learning_rate": rate, "global_clipnorm": settings.clip_norm}
    if settings.momentum is not None:
        arguments["momentum"] = settings.momentum
    if settings.weight_decay is not None:
        arguments["weight_decay"] = settings.weight_decay
    optimizer = _CLASSES[settings.optimizer](**arguments)
    # Biases and normalisations are few, and must be free to be what the data need.
    spared = [variable for variable in model.trainable_variables if len(variable.shape) < 2]
    optimizer.exclude_from_weight_decay(var_list=spared)
    return optimizer
