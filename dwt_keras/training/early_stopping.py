"""Ending a training early, and going back to the best shrunk network."""

from __future__ import annotations

import sys
from typing import Any

import keras

from dwt_keras.settings.optimization import OptimizationSettings
from dwt_keras.training import telling


def callbacks(settings: OptimizationSettings, start_from_epoch: int) -> list[Any]:
    """Keras' EarlyStopping, where a patience is given; to stand before the compression's callback.

    Args:
        settings: Give the patience and what is watched.
        start_from_epoch: The first epoch, from 0, that can be the best.
    """
    if settings.early_stopping_patience_epochs is None:
        return []
    return [_watching(settings, settings.early_stopping_patience_epochs, start_from_epoch)]


def keeping_the_best(settings: OptimizationSettings) -> list[Any]:
    """The same for a network that is to be trained to the end, all of whose epochs may be best."""
    return [_watching(settings, sys.maxsize, 0)] if settings.stops_early else []


def record(callbacks: list[Any]) -> dict[str, int]:
    """What metrics.json says once a training is over.

    Args:
        callbacks: What `callbacks` gave.

    Returns:
        `best_epoch`, to which the weights belong, and `stopped_epoch`, the last one that was
        trained, counted from 1; without those that there are not.
    """
    found = {}
    for each in callbacks:
        if each.best_weights is not None:
            found["best_epoch"] = each.best_epoch + 1
        if each.stopped_epoch:
            found["stopped_epoch"] = each.stopped_epoch + 1
    return found


def _watching(
    settings: OptimizationSettings, patience: int, start_from_epoch: int
) -> keras.callbacks.EarlyStopping:
    return keras.callbacks.EarlyStopping(
        monitor=settings.early_stopping_metric,
        mode="min" if settings.early_stopping_metric == "val_loss" else "max",
        patience=patience,
        start_from_epoch=start_from_epoch,
        restore_best_weights=True,
        verbose=min(telling.verbosity(), 1),
    )
