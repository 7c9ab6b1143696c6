"""Step sizes over a training, against plain arithmetic, and what an archive keeps of them."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dwt_keras.settings import Settings
from dwt_keras.training import learning_rate, models, optimizers

# 10 epochs of 20 updates.
SAMPLES = 100
COMMON = {"batch_size": 5, "epochs": 10, "learning_rate": 0.5, "hidden_units": (4,)}


def rates(steps: list[int], **values: Any) -> list[float]:
    found = learning_rate.schedule(Settings.from_flat({**COMMON, **values}), SAMPLES)
    if isinstance(found, float):
        return [found for _ in steps]
    return [float(found(np.int64(step))) for step in steps]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {0: 0.5, 199: 0.5}),
        (
            {"learning_rate_schedule": "step", "step_epochs": 3, "decay_factor": 0.2},
            {0: 0.5, 59: 0.5, 60: 0.1, 119: 0.1, 120: 0.02, 199: 0.004},
        ),
        # A third of the epochs, rounded up.
        ({"learning_rate_schedule": "step"}, {79: 0.5, 80: 0.05, 160: 0.005}),
        (
            {"learning_rate_schedule": "exponential", "decay_factor": 0.25},
            {0: 0.5, 10: 0.25, 20: 0.125, 40: 0.5 / 16},
        ),
        ({"learning_rate_schedule": "cosine"}, {0: 0.5, 100: 0.25, 150: 0.0732233, 200: 0.0}),
        (
            {"learning_rate_schedule": "cosine", "lowest_learning_rate": 0.1},
            {0: 0.5, 100: 0.3, 200: 0.1},
        ),
        (
            {"learning_rate_schedule": "cyclical", "cycle_epochs": 2, "lowest_learning_rate": 0.1},
            {0: 0.1, 10: 0.3, 20: 0.5, 30: 0.3, 40: 0.1, 60: 0.5, 195: 0.2},
        ),
        ({"learning_rate_schedule": "cyclical"}, {0: 0.125, 40: 0.5, 80: 0.125}),
        (
            {"learning_rate_schedule": "one_cycle"},
            {0: 0.05, 45: 0.275, 90: 0.5, 135: 0.275, 180: 0.05, 190: 0.025, 200: 0.0, 999: 0.0},
        ),
        ({"learning_rate_schedule": "plateau"}, {0: 0.5, 199: 0.5}),
        # 30 updates of warm-up, of which the first is not for nothing.
        ({"warmup_epochs": 1.5}, {0: 0.5 / 31, 14: 7.5 / 31, 29: 15 / 31, 30: 0.5, 199: 0.5}),
        (
            {"learning_rate_schedule": "cosine", "warmup_epochs": 1},
            {0: 0.5 / 21, 20: 0.5, 110: 0.25, 200: 0.0},
        ),
        (
            {"learning_rate_schedule": "one_cycle", "warmup_epochs": 5},
            {0: 0.05 / 101, 100: 0.05, 145: 0.5, 200: 0.0},
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_schedule_is_what_it_says(values: dict[str, Any], expected: dict[int, float]) -> None:
    found = rates(list(expected), **values)
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-5, atol=1e-7)
    assert min(found) >= 0.0


@pytest.mark.parametrize(
    ("values", "epochs", "first"),
    [
        ({"learning_rate_schedule": "constant"}, 1, 0.001),
        ({"learning_rate_schedule": "cosine"}, 100, 0.001),  # 20,000 updates
        ({"learning_rate_schedule": "cosine"}, 20, 0.001 * 3 ** (2 / 3)),  # 4,000
        ({"learning_rate_schedule": "cosine"}, 1, 0.005),
        ({"learning_rate_schedule": "cosine", "optimizer": "adamw"}, 1, 0.005),
        ({"learning_rate_schedule": "cosine", "optimizer": "sgd"}, 1, 0.01),
        ({"keep_rows": 0.5}, 100, 0.001 * 5 / 3),
        ({"keep_columns": 0.5, "learning_rate_schedule": "constant"}, 100, 0.001),
        ({"keep_rows": 0.5}, 1, 0.005),
        ({"optimizer": "lion"}, 1, 0.0001),
    ],
)
def test_without_a_learning_rate_few_updates_of_a_cosine_get_more(
    values: dict[str, Any], epochs: int, first: float
) -> None:
    settings = Settings.from_flat({"epochs": epochs, "batch_size": 5, **values})
    model = models.build(settings.training, (8, 8, 1), 3)
    optimizers.compile_model(model, settings, 998)
    assert float(model.optimizer.learning_rate) == pytest.approx(first)


@pytest.mark.parametrize(
    ("values", "within"),
    [
        ({}, False),
        ({"learning_rate_schedule": "step"}, False),
        ({"learning_rate_schedule": "plateau"}, False),
        ({"learning_rate_schedule": "plateau", "warmup_epochs": 1}, True),
        ({"learning_rate_schedule": "exponential"}, True),
        ({"target_bytes": 900}, True),
        ({"learning_rate_schedule": "cyclical"}, True),
        ({"learning_rate_schedule": "one_cycle"}, True),
    ],
)
def test_which_schedules_change_within_epochs(values: dict[str, Any], within: bool) -> None:
    assert learning_rate.changes_within_epochs(Settings.from_flat(values).optimization) == within


def compiled(**values: Any) -> tuple[keras.Model, Settings]:
    settings = Settings.from_flat({**COMMON, **values})
    model = models.build(settings.training, (8, 8, 1), 3)
    optimizers.compile_model(model, settings, SAMPLES)
    model.optimizer.build(model.trainable_variables)
    return model, settings


def test_schedules_come_back_from_an_archive(tmp_path: Path) -> None:
    model, _ = compiled(learning_rate_schedule="one_cycle", warmup_epochs=1)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").optimizer.get_config()
    assert again["learning_rate"] == model.optimizer.get_config()["learning_rate"]


@pytest.mark.parametrize("precision", ["none", "mixed_float16"])
def test_at_the_end_an_archive_needs_nothing_but_keras(tmp_path: Path, precision: str) -> None:
    model, settings = compiled(learning_rate_schedule="cyclical", mixed_precision=precision)
    if precision == "mixed_float16":
        model.compile(keras.optimizers.LossScaleOptimizer(model.optimizer), "mse")
        model.optimizer.build(model.trainable_variables)
    learning_rate.end(model, settings.optimization)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.125)
    model.optimizer.iterations.assign(100)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.125)
    path = tmp_path / "model.keras"
    model.save(path)
    code = (
        f"import sys, keras; m = keras.models.load_model({str(path)!r}); "
        "assert 'dwt_keras' not in sys.modules; print(float(m.optimizer.learning_rate))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) == pytest.approx(0.125)


def plateau(model: keras.Model, settings: Settings, start: int) -> Any:
    (callback,) = learning_rate.callbacks(settings, SAMPLES, start)
    callback.set_model(model)
    callback.on_train_begin()
    return callback


def test_plateau_lowers_the_rate_once_the_threshold_is_full(capfd: Any) -> None:
    model, settings = compiled(
        learning_rate_schedule="plateau",
        plateau_patience_epochs=2,
        decay_factor=0.1,
        lowest_learning_rate=0.01,
    )
    callback = plateau(model, settings, start=4)
    found = []
    for epoch in range(10):
        logs = {"val_loss": 1.0 + epoch}
        callback.on_epoch_end(epoch, logs)
        assert set(logs) == {"val_loss", "learning_rate"}
        found.append(float(model.optimizer.learning_rate))
    assert found == pytest.approx([0.5] * 6 + [0.05] * 2 + [0.01] * 2)
    assert "reducing learning rate to 0.05" in capfd.readouterr().out


def test_plateau_warms_up_first() -> None:
    model, settings = compiled(
        learning_rate_schedule="plateau", warmup_epochs=1.5, plateau_patience_epochs=1
    )
    callback = plateau(model, settings, start=0)
    found = []
    for step in range(40):
        model.optimizer.iterations.assign(step)
        callback.on_train_batch_begin(step % 20)
        found.append(float(model.optimizer.learning_rate))
        if step == 19:
            callback.on_epoch_end(0, {"val_loss": math.inf})
    expected = [0.5 * min((step + 1) / 31, 1.0) for step in range(40)]
    assert found == pytest.approx(expected)
    assert callback._start_from_epoch == 2


def test_only_plateau_needs_a_callback() -> None:
    for schedule in ("constant", "step", "one_cycle"):
        settings = Settings.from_flat({"learning_rate_schedule": schedule})
        assert learning_rate.callbacks(settings, SAMPLES, 0) == []
