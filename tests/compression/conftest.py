"""Tiny models, data and helpers that the tests of the compression share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras.compression import targets
from dwt_keras.settings import CompressionSettings

# pytest imports tests by their paths, which finds no module beside them.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def data():
    """48 images of 8 x 8 with labels that depend on them: 6 batches of 8."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 8, 8)).astype("float32")
    return x, np.argmax(x[:, :3, 0], axis=1)


@pytest.fixture
def mlp():
    """Builds and compiles Flatten, Dense(6), Dense(3) over images of 8 x 8.

    Nothing is compiled by XLA unless asked for, which saves a second a training.
    """

    def build(optimizer=None, *, constraint=None, **compile_options):
        model = keras.Sequential(
            [
                keras.Input((8, 8)),
                layers.Flatten(name="flatten"),
                layers.Dense(6, activation="relu", kernel_constraint=constraint, name="hidden"),
                layers.Dense(3, activation="softmax", dtype="float32", name="classes"),
            ]
        )
        model.compile(
            optimizer=optimizer or keras.optimizers.SGD(0.2),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            **{"jit_compile": False, **compile_options},
        )
        return model

    return build


@pytest.fixture
def find():
    """Finds the targets of a model, settings given as keywords."""

    def find(model, wavelet="haar", level=1, **settings):
        return targets.find(model, CompressionSettings(wavelet=wavelet, level=level, **settings))

    return find
