"""One small real run, with its dense control."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dwt_keras.settings import DataSettings, Settings
from dwt_keras.training import control, data
from dwt_keras.training import run as training_run


@pytest.fixture(scope="session")
def digits() -> data.Dataset:
    return data.load(DataSettings())


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_flat(
        {
            "wavelet": "sym2",
            "threshold": 0.07,
            "epochs": 3,
            "hidden_units": (24,),
            # Has to be escaped wherever it is shown.
            "run_name": "a<b>&c",
            "save_dir": str(tmp_path_factory.mktemp("runs")),
        }
    )


@pytest.fixture(scope="session")
def folder(told: Settings, digits: data.Dataset) -> Iterator[Path]:
    """The folder of the run. Its control is there before it."""
    control.dense(told, digits)
    yield training_run.run(told, digits).folder
