"""What keeps weights that were learnt elsewhere from being lost while they learn on.

Batch normalisation learns by the statistics of batches, and infers by means of them that move by
its momentum: with that of MobileNetV2, 0.999, a third of a mean is still the old one after a
thousand updates, while all weights before it have moved. Frozen, it infers by the statistics that
it came with while the network learns too; but nothing then brings back what a large step carried
away, so that steps must be smaller.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import keras

from dwt_keras.settings import Settings, sources
from dwt_keras.training import weight_files

# By how much smaller the steps are: at the default MobileNetV2 loses all that it has learnt
# (docs/decisions/024-weights-that-learn-on.md).
DIVISOR = 10
# The share of a statistic of batch normalisation that must not be the old one at the end.
_OLD_SHARE = 0.1


def batch_norms(model: keras.Model, fresh: Collection[str]) -> dict[str, Any]:
    """The BatchNormalization layers that came with weights, by path.

    Args:
        model: The network.
        fresh: Paths of the layers that did not.
    """
    return {
        path: layer
        for path, layer in weight_files.of_layers(model)
        if isinstance(layer, keras.layers.BatchNormalization) and path not in fresh
    }


def lagging(model: keras.Model, fresh: Collection[str], updates: int) -> list[str]:
    """Paths of those whose statistics are still the old ones after so many updates."""
    return [
        path
        for path, layer in batch_norms(model, fresh).items()
        if layer.trainable and layer.momentum**updates > _OLD_SHARE
    ]


def needs_small_steps(model: keras.Model, settings: Settings) -> bool:
    """Whether weights learn on that steps of the default size would destroy.

    So it is with a pretrained network of keras.applications, unless its first layers are frozen,
    and with any that learns before batch normalisation that is frozen.
    """
    kind = sources.model_kind(settings.training.model)
    if kind == sources.APPLICATION and settings.comes_with_weights:
        return settings.transfer.freeze_until is None
    layers = [layer for _, layer in weight_files.of_layers(model)]
    frozen = [
        number
        for number, layer in enumerate(layers)
        if isinstance(layer, keras.layers.BatchNormalization) and not layer.trainable
    ]
    return any(layer.trainable for layer in layers[: frozen[-1] if frozen else 0])
