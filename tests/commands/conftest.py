"""A small network that knows the digits a little, as files."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from dwt_keras.settings import DataSettings, Settings
from dwt_keras.training import data, models, optimizers


@pytest.fixture(scope="session")
def digits() -> data.Dataset:
    return data.load(DataSettings())


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, digits: data.Dataset) -> Path:
    """A .keras file of an mlp, trained for a moment, with its optimizer's state."""
    keras.utils.set_random_seed(1)
    settings = Settings.from_flat({"hidden_units": (24,), "learning_rate": 0.01})
    model = models.build(settings.training, digits.input_shape, digits.classes)
    optimizers.compile_model(model, settings, len(digits.train))
    model.fit(digits.train.samples(), digits.train.labels, epochs=3, verbose=0)
    path = tmp_path_factory.mktemp("archive") / "model.keras"
    model.save(path)
    return path
