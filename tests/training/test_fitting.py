"""Trainings with what the flags of optimisation and numerics ask for, compression included."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorflow.python.framework import config

from dwt_keras.compression import shrink
from dwt_keras.settings import Settings
from dwt_keras.training import data, fitting, parts, run, scoring

COMMON = {"hidden_units": (16,), "epochs": 3, "learning_rate": 0.01}
QUANTILE = {"threshold_rule": "quantile", "threshold": 0.8}


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    """20 updates an epoch, the last of 7 samples."""
    found = data.load(Settings().data)
    train = parts.ArrayPart(found.train.samples(615), found.train.labels[:615])
    return dataclasses.replace(found, train=train)


def fitted(folder: Path, dataset: data.Dataset, **values: Any) -> fitting.Trained:
    settings = Settings.from_flat({**COMMON, **values})
    return fitting.fit(fitting.prepare(settings, dataset), settings, dataset, folder)


@pytest.mark.parametrize(
    "values",
    [
        {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01, "learning_rate": 0.1},
        {"optimizer": "lion", "learning_rate_schedule": "one_cycle", "warmup_epochs": 0.5},
        {"optimizer": "adamw", "mixed_precision": "mixed_float16", "steps_per_execution": 3},
        {"mixed_precision": "mixed_bfloat16", "jit_compile": "on", "clip_norm": 0.5},
    ],
    ids=lambda value: "-".join(map(str, value.values())),
)
def test_zeros_are_held_whatever_trains(
    values: dict[str, Any], digits: data.Dataset, tmp_path: Path
) -> None:
    trained = fitted(tmp_path, digits, **QUANTILE, **values)
    assert shrink.measure(trained.compression.targets).zero_fraction == pytest.approx(0.8, abs=1e-3)
    scores = scoring.test_scores(trained.model, digits)
    assert scores["accuracy"] > 0.4
    assert np.isfinite(scores["loss"])


@pytest.mark.parametrize(
    "values",
    [
        {"steps_per_execution": 3, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9},
        {"mixed_precision": "mixed_float16", "learning_rate_schedule": "plateau"},
        {"mixed_precision": "mixed_bfloat16", "deterministic": True},
    ],
    ids=lambda value: "-".join(map(str, value.values())),
)
def test_a_target_in_bytes_is_kept_whatever_trains(
    values: dict[str, Any], digits: data.Dataset, tmp_path: Path
) -> None:
    settings = Settings.from_flat(
        {**COMMON, "epochs": 4, "target_bytes": 700, "save_dir": str(tmp_path), **values}
        | {"figures": "none"}
    )
    before = keras.config.dtype_policy().name, config.is_op_determinism_enabled()
    result = run.run(settings, digits)
    assert (keras.config.dtype_policy().name, config.is_op_determinism_enabled()) == before
    assert 600 < result.metrics["bytes"]["dwtz"] <= 700
    assert result.metrics["test_accuracy"] > 0.4
    again = keras.models.load_model(result.folder / "model.keras")
    assert {layer.compute_dtype for layer in again.layers} == {"float32"}


def test_steps_per_execution_change_nothing(digits: data.Dataset, tmp_path: Path) -> None:
    weights = []
    for steps in (1, 3):
        folder = tmp_path / str(steps)
        folder.mkdir()
        trained = fitted(
            folder,
            digits,
            **QUANTILE,
            learning_rate_schedule="one_cycle",
            steps_per_execution=steps,
        )
        weights.append(trained.model.get_weights())
    for one, three in zip(*weights, strict=True):
        np.testing.assert_allclose(one, three, atol=1e-6)


def rates(folder: Path) -> dict[int, float]:
    events = EventAccumulator(str(folder / "tensorboard" / "steps"), {"tensors": 0})
    events.Reload()
    return {
        event.step: float(np.frombuffer(event.tensor_proto.tensor_content, np.float32)[0])
        if event.tensor_proto.tensor_content
        else event.tensor_proto.float_val[0]
        for event in events.Tensors("learning_rate")
    }


def test_a_rate_that_changes_within_epochs_is_drawn_by_updates(
    digits: data.Dataset, tmp_path: Path
) -> None:
    fitted(
        tmp_path,
        digits,
        learning_rate_schedule="cyclical",
        cycle_epochs=1,
        learning_rate=0.01,
        lowest_learning_rate=0.001,
    )
    found = rates(tmp_path)
    assert list(found) == list(range(60))
    np.testing.assert_allclose(
        [found[step] for step in (0, 5, 10, 15, 20, 30)],
        [0.001, 0.0055, 0.01, 0.0055, 0.001, 0.01],
        rtol=1e-4,
    )


def test_a_constant_rate_is_not_drawn_by_updates(digits: data.Dataset, tmp_path: Path) -> None:
    fitted(tmp_path, digits, epochs=1)
    assert not (tmp_path / "tensorboard" / "steps").exists()


def test_plateau_tells_the_rate_of_each_epoch(digits: data.Dataset, tmp_path: Path) -> None:
    fitted(
        tmp_path,
        digits,
        **QUANTILE,
        epochs=2,
        learning_rate_schedule="plateau",
        learning_rate=0.004,
        warmup_epochs=1,
    )
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    column = header.split(",").index("learning_rate")
    assert [float(row.split(",")[column]) for row in rows] == pytest.approx(
        [0.004 * 20 / 21, 0.004]
    )
