"""Searches that take little, and what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from dwt_keras.settings import Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import storages, study_run
from dwt_keras.training import data


def settings(folder: Path, **values: Any) -> Settings:
    given = {"epochs": 1, "hidden_units": (8,), "learning_rate": 0.01, "figures": "none"}
    return Settings.from_flat({**given, "save_dir": str(folder), **values})


def study_of(folder: Path) -> list[optuna.trial.FrozenTrial]:
    with storages.opened(storages.of_folder(folder)) as storage:
        (name,) = optuna.get_all_study_names(storage)
        return optuna.load_study(study_name=name, storage=storage).trials


def accuracy_of(values: Mapping[str, Any], epoch: int) -> float:
    """What a pretended training reaches: more by each epoch, less for large thresholds."""
    best = 0.9 - 0.5 * values["threshold"] - 0.01 * values["level"]
    return best - 0.3 / (epoch + 1)


def run(folder: Path, given: Mapping[str, Any], dataset: data.Dataset, **values: Any) -> Path:
    """Makes a study; returns its folder."""
    study_run.run(settings(folder, **values), StudySettings.from_flat(given), dataset)
    return folder / "digits-mlp/studies/001"
