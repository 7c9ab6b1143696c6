"""Data, and trainings that are only pretended, which the tests of studies share."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dwt_keras.settings import DataSettings, Settings
from dwt_keras.studies import members
from dwt_keras.training import data, parts
from dwt_keras.views import tensorboard_run

# pytest imports tests by their paths, which finds no module beside them.
sys.path.insert(0, str(Path(__file__).parent))
from fold_studies import Trainings
from searches import accuracy_of


@pytest.fixture(scope="session")
def digits() -> data.Dataset:
    return data.load(DataSettings())


@pytest.fixture(scope="session")
def dataset(digits: data.Dataset) -> data.Dataset:
    """Few of the digits: 256 to train on and 64 to test."""
    train = parts.ArrayPart(digits.train.samples(256), digits.train.labels[:256])
    test = parts.ArrayPart(digits.test.samples(64), digits.test.labels[:64])
    return dataclasses.replace(digits, train=train, test=test)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """Lets the runs of cross-validations be pretended."""
    return Trainings(monkeypatch)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lets the trials of searches be pretended; gets the numbers of those that are begun."""
    begun: list[int] = []

    def train(
        mine: Settings, _: Any, folder: Path, callbacks: Sequence[Any] = (), is_trial: bool = False
    ) -> members.Member:
        if is_trial:
            begun.append(int(folder.name))
        if mine.compression.threshold == 1.0:
            raise ValueError("no network has\n  such a threshold")
        values = mine.flat()
        for epoch in range(mine.training.epochs):
            for each in callbacks:
                each.on_epoch_end(epoch, {"val_accuracy": accuracy_of(values, epoch)})
        size = round(100 / (values["threshold"] + 0.01)) + 10 * values["level"]
        accuracy = accuracy_of(values, mine.training.epochs)
        name = "validation_accuracy" if is_trial else "test_accuracy"
        return members.Member(folder, {name: accuracy, "bytes": {"dwtz": size}})

    monkeypatch.setattr(members, "train", train)
    monkeypatch.setattr(tensorboard_run, "write", lambda *_, **__: None)
    return begun
