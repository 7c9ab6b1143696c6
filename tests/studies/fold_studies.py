"""Cross-validations on digits that take little, and runs that are only pretended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwt_keras.settings import Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import members, predictions
from dwt_keras.training import data

TINY = {"epochs": 3, "hidden_units": (8,), "batch_size": 64, "seed": 5, "figures": "none"}


def tiny(save_dir: Path, **changes: Any) -> Settings:
    return Settings.from_flat({**TINY, "save_dir": str(save_dir), **changes})


def record_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "study.json").read_text())


@dataclasses.dataclass
class Trainings:
    """Stands for the training of runs, and counts them."""

    monkeypatch: pytest.MonkeyPatch
    made: list[tuple[str, data.Dataset]] = dataclasses.field(default_factory=list)
    before: Callable[[Path], None] = lambda folder: None

    def __post_init__(self) -> None:
        self.monkeypatch.setattr(members, "train", self.train)
        self.monkeypatch.setattr(predictions, "of_run", self.predict)

    def train(self, settings: Settings, dataset: data.Dataset, folder: Path) -> members.Member:
        complete = members.done(folder)
        if complete is not None:
            return complete
        self.before(folder)
        self.made.append((folder.name, dataset))
        folder.mkdir(parents=True, exist_ok=True)
        metrics = {
            "test_accuracy": 0.9 + 0.001 * len(self.made),
            "test_loss": 0.3,
            "bytes": {"dwtz": 900 + len(self.made)},
            "seconds": {"total": 1.0},
        }
        (folder / "metrics.json").write_text(json.dumps(metrics))
        (folder / "settings.json").write_text(json.dumps({"settings": settings.flat()}))
        return members.Member(folder, metrics)

    def predict(self, folder: Path, part: data.Part) -> np.ndarray:
        return np.full((len(part), 10), 0.1, np.float32)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.made]


def told(**values: Any) -> StudySettings:
    return StudySettings.from_flat(values)
