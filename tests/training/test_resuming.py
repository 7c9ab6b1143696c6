"""Runs that are interrupted and taken up again end as if nothing had been."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from dwt_keras.compression.callback import DWTCompression
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.training import data, run

# What dies closes no files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

EPOCHS, STEPS = 4, 4


class Killed(BaseException):
    """Nothing in the program may handle it, as nothing handles a kill."""


@pytest.fixture(scope="module")
def dataset() -> data.Dataset:
    found = data.load(DataSettings())
    images, labels = found.train_images[:128], found.train_labels[:128]
    return data.Dataset("digits", 10, images, labels, *(getattr(found, name) for name in _OTHERS))


_OTHERS = ("validation_images", "validation_labels", "test_images", "test_labels")


def settings(folder: Path, **values: Any) -> Settings:
    return Settings.from_flat(
        {
            "hidden_units": (16,),
            "epochs": EPOCHS,
            "batch_size": 32,
            "save_dir": str(folder),
            **values,
        }
    )


def kill_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Lets the training die once so many batches are over."""
    done = 0
    original = DWTCompression.on_train_batch_end

    def count(self: Any, batch: int, logs: Any = None) -> None:
        nonlocal done
        original(self, batch, logs)
        done += 1
        if done == batches:
            raise Killed

    monkeypatch.setattr(DWTCompression, "on_train_batch_end", count)


def outcome(folder: Path) -> tuple[bytes, list[Any], list[str]]:
    """What must not depend on an interruption: the file, the weights, the history."""
    return (
        (folder / "model.dwtz").read_bytes(),
        keras.models.load_model(folder / "model.keras").get_weights(),
        (folder / "history.csv").read_text().splitlines(),
    )


def assert_same(mine: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    for one, another in zip(mine[1], other[1], strict=True):
        np.testing.assert_array_equal(one, another)
    assert mine[0] == other[0]
    assert mine[2] == other[2]


CASES = {
    "threshold": {"threshold": 0.05},
    "held": {"threshold_rule": "quantile", "threshold": 0.8, "wavelet": "sym2"},
    "auto": {"wavelet": "auto", "threshold": 0.05, "choose_basis_epochs": "1,3"},
    "frame": {"wavelet": "mexh", "threshold": 0.05},
    "bytes": {"target_bytes": 900, "ramp_end_epoch": 2},
    "bytes rechosen": {"target_bytes": 900, "ramp_end_epoch": 3, "choose_basis_epochs": "1,2"},
    "rows": {"keep_rows": 0.3},
    "columns": {"keep_columns": 0.5},
    "within epochs": {"threshold_rule": "quantile", "threshold": 0.8, "apply_every_batches": 3},
}


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    tmp_path: Path, dataset: data.Dataset, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    whole = run.run(settings(tmp_path / "whole", **CASES[case]), dataset)
    wanted = outcome(whole.folder)
    # In the first epoch, in the second, and in the fourth.
    for batches in (3, STEPS + 2, 2 * STEPS + 1):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_after(patch, batches)
            run.run(settings(tmp_path / "parts", resume="auto", **CASES[case]), dataset)
    found = run.run(settings(tmp_path / "parts", resume="auto", **CASES[case]), dataset)
    assert found.folder.name == "001"
    assert_same(outcome(found.folder), wanted)
    assert [target.basis for target in found.targets] == [t.basis for t in whole.targets]
    assert found.report == whole.report
    assert found.metrics["epochs_run"] == EPOCHS
    assert not (found.folder / "checkpoint").exists()
