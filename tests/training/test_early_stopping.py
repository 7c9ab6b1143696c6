"""Ending early: the best shrunk network comes back, from epochs that may remain alone."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwt_keras.compression import schedule
from dwt_keras.settings import Settings
from dwt_keras.training import control, data, early_stopping, epochs, fitting, parts, run, scoring

# A step size at which the validation loss jumps about.
COMMON = {"hidden_units": (16,), "learning_rate": 0.03, "epochs": 12}


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    found = data.load(Settings().data)
    train = parts.ArrayPart(found.train.samples(400), found.train.labels[:400])
    return dataclasses.replace(found, train=train)


def history(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "history.csv").read_text().splitlines()))


@pytest.mark.parametrize(
    ("values", "first"),
    [
        ({}, 0),
        ({"threshold_rule": "quantile", "threshold": 0.9, "ramp_end_epoch": 4}, 3),
        ({"threshold_mode": "garrote", "wavelet": "auto", "choose_basis_epochs": "2,3"}, 2),
        ({"keep_rows": 0.5, "ramp_end_epoch": 3, "learning_rate_schedule": "constant"}, 2),
        ({"early_stopping_metric": "val_accuracy", "wavelet": "mexh"}, 0),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_the_best_shrunk_weights_come_back(
    values: dict[str, Any], first: int, digits: data.Dataset, tmp_path: Path
) -> None:
    settings = Settings.from_flat({**COMMON, "early_stopping_patience_epochs": 2, **values})
    trained = fitting.fit(fitting.prepare(settings, digits), settings, digits, tmp_path)
    metric = settings.optimization.early_stopping_metric
    sign = 1.0 if metric == "val_loss" else -1.0
    found = [sign * float(row[metric]) for row in history(tmp_path)]
    best = trained.record["best_epoch"] - 1
    assert best == first + int(np.argmin(found[first:]))
    if "stopped_epoch" in trained.record:
        assert trained.record["stopped_epoch"] == len(found) == best + 1 + 2 <= 12
    else:
        assert len(found) == 12
    # What remains is what was validated: no shrinking has changed it after that.
    scores = trained.model.evaluate(scoring.validation(digits), verbose=0, return_dict=True)
    assert scores[metric.removeprefix("val_")] == pytest.approx(sign * found[best], rel=1e-4)
    zeros = float(history(tmp_path)[best]["zero_fraction"])
    assert trained.compression.report is not None
    assert trained.compression.report.zero_fraction == pytest.approx(zeros, abs=1e-6)


def test_a_target_in_bytes_is_kept_and_only_quantised_epochs_are_watched(
    digits: data.Dataset, tmp_path: Path, capfd: Any
) -> None:
    settings = Settings.from_flat(
        {
            **COMMON,
            "target_bytes": 700,
            "learning_rate_schedule": "constant",
            "early_stopping_patience_epochs": 1,
            "save_dir": str(tmp_path),
            "figures": "none",
        }
    )
    result = run.run(settings, digits)
    rows = history(result.folder)
    first = schedule.first_full_epoch(settings.compression, 12)
    losses = [float(row["val_loss"]) for row in rows]
    assert first == 7
    assert result.metrics["best_epoch"] == first + 1 + int(np.argmin(losses[first:]))
    assert result.metrics["epochs_run"] == len(rows)
    assert result.metrics.get("stopped_epoch", 12) == len(rows)
    assert 600 < result.metrics["bytes"]["dwtz"] <= 700
    assert json.loads((result.folder / "metrics.json").read_text()) == result.metrics
    printed = capfd.readouterr().out
    assert f"end of the best epoch: {result.metrics['best_epoch']}." in printed
    assert ("early stopping" in printed) == ("stopped_epoch" in result.metrics)


def test_without_a_patience_nothing_is_watched(digits: data.Dataset, tmp_path: Path) -> None:
    assert early_stopping.callbacks(Settings().optimization, 0) == []
    assert early_stopping.keeping_the_best(Settings().optimization) == []
    assert early_stopping.record([]) == {}


def test_what_never_was_watched_has_no_best_epoch() -> None:
    settings = Settings.from_flat({"early_stopping_patience_epochs": 1})
    (callback,) = early_stopping.callbacks(settings.optimization, 5)
    callback.on_train_begin()
    callback.on_epoch_end(4, {"val_loss": 1.0})
    assert early_stopping.record([callback]) == {}


def test_the_dense_control_is_trained_to_the_end_and_keeps_its_best(
    digits: data.Dataset, tmp_path: Path, monkeypatch: Any
) -> None:
    values = {**COMMON, "epochs": 6, "max_accuracy_drop": 0.1, "save_dir": str(tmp_path)}
    values |= {"learning_rate_schedule": "constant"}
    kept: list[Any] = []
    original = epochs.fit_plainly

    def spy(model: Any, told: Any, dataset: Any, callbacks: list[Any], *rest: Any) -> Any:
        done = original(model, told, dataset, callbacks, *rest)
        kept.append((done.epochs_done, [each.best for each in callbacks]))
        return done

    monkeypatch.setattr(epochs, "fit_plainly", spy)
    last = control.dense(Settings.from_flat(values), digits)
    stopping = {"early_stopping_patience_epochs": 1, "early_stopping_metric": "val_accuracy"}
    best = control.dense(Settings.from_flat({**values, **stopping}), digits)
    assert best.folder != last.folder
    assert [count for count, _ in kept] == [6, 6]
    assert kept[0][1] == []
    assert best.validation_accuracy == pytest.approx(kept[1][1][0])
    assert best.validation_accuracy >= last.validation_accuracy


def test_it_stands_before_the_compression_which_then_keeps_the_size(
    digits: data.Dataset, tmp_path: Path, monkeypatch: Any
) -> None:
    order: list[str] = []

    original = epochs.fit_plainly

    def spy(model: Any, told: Any, dataset: Any, callbacks: list[Any], *rest: Any) -> Any:
        order.extend(type(each).__name__ for each in callbacks)
        return original(model, told, dataset, callbacks, *rest)

    monkeypatch.setattr(epochs, "fit_plainly", spy)
    settings = Settings.from_flat(
        {
            **COMMON,
            "epochs": 1,
            "early_stopping_patience_epochs": 1,
            "learning_rate_schedule": "plateau",
        }
    )
    fitting.fit(fitting.prepare(settings, digits), settings, digits, tmp_path)
    # Loggers last, so that they see what the others say.
    assert order[:5] == [
        "EarlyStopping",
        "BeforeShrinking",
        "DWTCompression",
        "Plateau",
        "EpochLog",
    ]
