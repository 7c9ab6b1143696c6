"""The single runs of a study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from dwt_keras.settings import Settings
from dwt_keras.training import data, run, telling

_METRICS = "metrics.json"


@dataclass(frozen=True)
class Member:
    """A run that a study has made.

    Attributes:
        folder: The run's folder.
        metrics: Its metrics.json.
    """

    folder: Path
    metrics: dict[str, Any]


def train(
    settings: Settings,
    dataset: data.Dataset,
    folder: Path,
    callbacks: Sequence[Any] = (),
    is_trial: bool = False,
) -> Member:
    """Makes one run, quietly; takes it as it is if it is complete, and up if it was begun.

    Args:
        settings: The run's.
        dataset: The data.
        folder: Where it goes.
        callbacks: As for `run.run`.
        is_trial: As for `run.run`.
    """
    if is_complete(folder):
        return Member(folder, json.loads((folder / _METRICS).read_text(encoding="utf-8")))
    # Layers that nobody has named are named by how many there have been.
    keras.backend.clear_session()
    with telling.quietly():
        result = run.run(settings, dataset, folder=folder, callbacks=callbacks, is_trial=is_trial)
    return Member(folder, result.metrics)


def is_complete(folder: Path) -> bool:
    """Whether a run in a folder has been made."""
    return (folder / _METRICS).exists()
