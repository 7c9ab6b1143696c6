"""What a network starts from, and which of its layers learn when."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras

from dwt_keras import checks
from dwt_keras.settings import CompressionSettings, Settings, sources
from dwt_keras.settings.numerics import OFF, ON
from dwt_keras.settings.optimization import DEFAULT_LEARNING_RATES, OptimizationSettings
from dwt_keras.training import (
    data,
    fine_tuning,
    models,
    normalization,
    outside_models,
    rebuilding,
    weight_files,
)

_MOST_NAMES = 6

Say = Callable[[str], None]


def build(settings: Settings, dataset: data.Dataset, say: Say) -> keras.Model:
    """The network of the settings, with the weights that it starts from, not compiled.

    Args:
        settings: Which network, what it starts from and what of it stays frozen.
        dataset: Gives the shape of inputs, the number of classes and, to normalise, the inputs.
        say: Gets what there is to tell, one line each.

    Raises:
        UserError: If the network cannot be had, or the settings do not go with it.
    """
    name = settings.training.model
    if sources.model_kind(name):
        model = outside_models.build(settings, dataset.input_shape, dataset.classes)
    else:
        model = models.build(
            settings.training, dataset.input_shape, dataset.classes, settings.regularization
        )
    if settings.data.normalize != "none":
        model = normalization.normalized(model, dataset.train)
    if settings.transfer.init is not None:
        _take(model, settings.transfer.init, say)
    _protect(model, settings, len(dataset.train), say)
    return model


def digest(settings: Settings, build: Callable[[], keras.Model]) -> str | None:
    """What tells a network and its weights from others; None where the settings tell already.

    Args:
        settings: The run's.
        build: Gives the network, where it is needed.
    """
    if settings.transfer.init is None and not sources.model_kind(settings.training.model):
        return None
    model = build()
    config = json.loads(model.to_json())
    config.pop("compile_config", None)
    text = json.dumps(config, sort_keys=True)
    for number, layer in enumerate((model, *model.layers)):
        # Names of layers may count the networks that there have been.
        text = re.sub(f'"{re.escape(layer.name)}"', f'"#{number}"', text)
    found = hashlib.blake2b(text.encode(), digest_size=16)
    for weight in model.get_weights():
        found.update(weight.tobytes())
    return found.hexdigest()


@contextlib.contextmanager
def head_alone(model: keras.Model, settings: Settings) -> Iterator[Settings]:
    """Lets only the layers with fresh weights learn, and the last one.

    What does not learn is in inference mode: normalisation layers keep their statistics.

    Yields:
        How to train the head. The model must be compiled within, and again behind.
    """
    head = _head(model, settings)
    before = [(layer, layer.trainable) for _, layer in weight_files.of_layers(model)]
    try:
        for path, layer in weight_files.of_layers(model):
            if path not in head:
                layer.trainable = False
        own = settings.optimization
        # The default of fresh weights, not that of weights that learn on.
        rate = settings.transfer.head_learning_rate or DEFAULT_LEARNING_RATES[own.optimizer]
        yield dataclasses.replace(
            settings,
            # A ramp of the compression need not lie within so few epochs.
            compression=CompressionSettings(),
            training=dataclasses.replace(settings.training, epochs=settings.transfer.head_epochs),
            optimization=OptimizationSettings(
                optimizer=own.optimizer,
                momentum=own.momentum,
                weight_decay=own.weight_decay,
                clip_norm=own.clip_norm,
                learning_rate=rate,
                learning_rate_schedule="constant",
            ),
        )
    finally:
        for layer, trainable in before:
            layer.trainable = trainable


def head_bytes(model: keras.Model, settings: Settings) -> int:
    """How much larger than at first the smallest file may be once the head has learnt, in bytes."""
    if not settings.transfer.head_epochs:
        return 0
    head = _head(model, settings)
    vectors = [
        variable
        for path, layer in weight_files.of_layers(model)
        if path in head
        for variable in weight_files.own_variables(layer)
        if len(variable.shape) < 2
    ]
    # As float32, and a few bytes for the lengths of what holds them.
    return sum(4 * math.prod(variable.shape) for variable in vectors) + 16


def _take(model: keras.Model, path: str, say: Say) -> None:
    """Gives layers the weights of a file's layers of the same name and shapes."""
    stored = weight_files.read(path)
    taken, fresh = [], []
    for name, layer in weight_files.of_layers(model):
        values = _match(stored, name, layer)
        if values is None:
            fresh.append(name)
            continue
        for variable, value in zip(weight_files.own_variables(layer), values, strict=True):
            variable.assign(value)
        taken.append(name)
    if not taken:
        raise checks.ArgumentError(
            "init",
            f"must have layers of the network's names and shapes ({_listed(fresh)}); {path} has "
            f"{_listed(list(stored)) or 'none'}",
        )
    rebuilding.finalize(model)
    left = f"; fresh: {_listed(fresh)}" if fresh else ""
    say(f"weights from {path}: {_listed(taken)}{left}")


def _match(stored: weight_files.Weights, name: str, layer: Any) -> list[Any] | None:
    """The weights for a layer: of its path, or of the only layer of its name elsewhere."""
    last = name.rpartition("/")[2]
    elsewhere = [path for path in stored if path.rpartition("/")[2] == last]
    path = name if name in stored else elsewhere[0] if len(elsewhere) == 1 else None
    if path is None:
        return None
    shapes = [tuple(variable.shape) for variable in weight_files.own_variables(layer)]
    found = stored[path]
    return found if [value.shape for value in found] == shapes else None


def _head(model: keras.Model, settings: Settings) -> set[str]:
    """Paths of the layers that did not come with weights, and of the last that has some."""
    layers = list(weight_files.of_layers(model))
    head = {path for path, _ in layers[-1:]}
    if settings.transfer.init is not None and not settings.comes_with_weights:
        stored = weight_files.read(settings.transfer.init)
        head |= {path for path, layer in layers if _match(stored, path, layer) is None}
    return head


def _protect(model: keras.Model, settings: Settings, samples: int, say: Say) -> None:
    """Freezes batch normalisation where that is asked for; says what becomes of the rest."""
    fresh = _head(model, settings)
    found = fine_tuning.batch_norms(model, fresh)
    freezes, told = settings.freezes_batch_norm, settings.transfer.freeze_batch_norm
    if freezes or told == OFF:  # A file may have frozen them.
        for layer in found.values():
            layer.trainable = not freezes
    if freezes and found:
        say(f"batch normalisation stays as it came: {_listed(list(found))}")
    elif told == ON:
        say("no batch normalisation came along that could be frozen")
    if settings.transfer.freeze_until is not None:
        frozen = _freeze(model, settings.transfer.freeze_until)
        left = "compressed, but not trained" if settings.transfer.shrink_frozen else "left as is"
        say(f"frozen, {left}: {_listed(frozen)}")
    given = settings.optimization.learning_rate
    if given is None and fine_tuning.needs_small_steps(model, settings):
        say("what came along learns on: steps are a tenth of the default (--learning_rate)")
    updates = settings.training.epochs * math.ceil(samples / settings.training.batch_size)
    lagging = fine_tuning.lagging(model, fresh, updates) if _is_trained(settings) else []
    if lagging:
        say(
            f"batch normalisation: {updates:,} updates are too few for its statistics to follow: "
            f"{_listed(lagging)} (--freeze_batch_norm=on keeps them as they came)"
        )


def _is_trained(settings: Settings) -> bool:
    """Whether a network certainly comes with weights; a function's may be fresh."""
    kind = sources.model_kind(settings.training.model)
    is_known = settings.comes_with_weights and kind != sources.FUNCTION
    return is_known or settings.transfer.init is not None


def _freeze(model: keras.Model, until: str) -> list[str]:
    """Freezes a layer and all before it; returns the names of those with weights."""
    names = [layer.name for layer in model.layers]
    if until not in names:
        hint = checks.nearest(until, names)
        raise checks.ArgumentError(
            "freeze_until",
            f"must be a layer of the network: {_listed(names)}; given {until!r}{hint}",
        )
    frozen = model.layers[: names.index(until) + 1]
    for layer in frozen:
        layer.trainable = False
    if not model.trainable_weights:
        raise checks.ArgumentError(
            "freeze_until", f"must leave layers with weights behind it; given {until!r}"
        )
    return [layer.name for layer in frozen if layer.weights]


def _listed(names: Sequence[str]) -> str:
    """Names, the middle of many left out."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    half = _MOST_NAMES // 2
    left_out = len(names) - 2 * half
    return f"{', '.join(names[:half])}, ... ({left_out} more), {', '.join(names[-half:])}"
