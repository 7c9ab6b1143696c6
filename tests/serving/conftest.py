"""One small real run with both SavedModels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dwt_keras.settings import Settings
from dwt_keras.training import run as training_run

CLASSES = tuple(f"digit {number}" for number in range(10))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on half of the rows, whose data have names for classes."""
    settings = Settings.from_flat(
        {
            "keep_rows": 0.5,
            "epochs": 1,
            "hidden_units": (8,),
            "figures": "none",
            "save_dir": str(tmp_path_factory.mktemp("runs")),
        }
    )
    place = training_run.run(settings).folder
    record = json.loads((place / "settings.json").read_text())
    (place / "settings.json").write_text(json.dumps({**record, "class_names": CLASSES}))
    return place


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """Inputs of shape (samples, height, width, channels) that JSON holds exactly."""
    return np.random.default_rng(0).integers(0, 64, (64, 8, 8, 1)).astype("float32") / 64
