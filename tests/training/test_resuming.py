"""Runs that are interrupted and taken up again end as if nothing had been."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dwt_keras import checks
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.training import (
    accuracy_drop,
    data,
    fitting,
    multiworker,
    parts,
    resuming,
    run,
)
from dwt_keras.training.checkpointing import Checkpoints

# What dies closes no files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

EPOCHS, STEPS = 4, 4


@pytest.fixture(scope="module")
def dataset() -> data.Dataset:
    found = data.load(DataSettings())
    train = parts.ArrayPart(found.train.samples(128), found.train.labels[:128])
    return dataclasses.replace(found, train=train)


def settings(folder: Path, **values: Any) -> Settings:
    return Settings.from_flat(
        {
            "hidden_units": (16,),
            "epochs": EPOCHS,
            "batch_size": 32,
            "save_dir": str(folder),
            "figures": "none",
            **values,
        }
    )


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
    "held": {"threshold_rule": "quantile", "threshold": 0.8, "wavelet": "sym2"},
    "auto": {"wavelet": "auto", "threshold": 0.05, "choose_basis_epochs": "1,3"},
    "frame": {"wavelet": "mexh", "threshold": 0.05},
    "bytes rechosen": {"target_bytes": 900, "ramp_end_epoch": 3, "choose_basis_epochs": "1,2"},
    "rows": {"keep_rows": 0.3},
    "columns": {"keep_columns": 0.5},
    "within epochs": {"threshold_rule": "quantile", "threshold": 0.8, "apply_every_batches": 3},
}


@pytest.mark.parametrize("case", CASES)
def test_an_interrupted_run_ends_as_if_it_had_not_been(
    tmp_path: Path, dataset: data.Dataset, dying_after: Any, case: str
) -> None:
    whole = run.run(settings(tmp_path / "whole", **CASES[case]), dataset)
    wanted = outcome(whole.folder)
    # In the first epoch, and in the last, when all that is held has been chosen a while ago.
    for batches in (3, 3 * STEPS + 1):
        with dying_after(batches):
            run.run(settings(tmp_path / "parts", resume="auto", **CASES[case]), dataset)
    found = run.run(settings(tmp_path / "parts", resume="auto", **CASES[case]), dataset)
    assert found.folder.name == "001"
    assert_same(outcome(found.folder), wanted)
    assert [target.basis for target in found.targets] == [t.basis for t in whole.targets]
    assert found.report == whole.report
    assert found.metrics["epochs_run"] == EPOCHS
    assert not (found.folder / "checkpoint").exists()


def test_an_interruption_in_the_heads_phase_repeats_one_epoch_at_most(
    tmp_path: Path, dataset: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitting.build(settings(tmp_path, seed=5), dataset).save(tmp_path / "a.keras")
    told = {"init": str(tmp_path / "a.keras"), "head_epochs": 2}
    whole = run.run(settings(tmp_path / "whole", **told), dataset)
    wanted = outcome(whole.folder)
    rows = [row.split(",") for row in wanted[2]]
    assert [row[0] for row in rows] == ["epoch", "-2", "-1", "0", "1", "2", "3"]
    assert [bool(row[rows[0].index("threshold")]) for row in rows[1:]] == 2 * [False] + 4 * [True]
    for part in ("train", "validation"):
        events = EventAccumulator(str(whole.folder / "tensorboard" / "head" / part)).Reload()
        assert [event.step for event in events.Tensors("epoch_loss")] == [0, 1]

    # In the second epoch of the head; in the first of the others, when the head is over; later.
    ends = [STEPS + 2, 2 * STEPS + 4, 3 * STEPS + 5]
    done = 0
    train = multiworker.KerasSteps.train

    def ending(self: Any, iterator: Any) -> Any:
        nonlocal done
        logs = train(self, iterator)
        done += 1
        if done in ends:
            raise KeyboardInterrupt
        return logs

    monkeypatch.setattr(multiworker.KerasSteps, "train", ending)
    for _ in ends:
        with pytest.raises(KeyboardInterrupt, match=r"to go on: python train\.py --resume="):
            run.run(settings(tmp_path / "parts", resume="auto", **told), dataset)
    found = run.run(settings(tmp_path / "parts", resume="auto", **told), dataset)
    assert_same(outcome(found.folder), wanted)
    assert done == ends[-1] + 3 * STEPS
    assert not (found.folder / "checkpoint").exists()


def test_other_data_are_refused(tmp_path: Path, dataset: data.Dataset, dying_after: Any) -> None:
    with dying_after(STEPS + 1):
        run.run(settings(tmp_path), dataset)
    (folder,) = tmp_path.glob("*/*/001")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    changed = parts.ArrayPart(dataset.train.samples() / 2, dataset.train.labels)
    other = dataclasses.replace(dataset, train=changed)
    with pytest.raises(checks.UserError, match="cannot be resumed: it was begun with other data"):
        run.run(settings(tmp_path, resume=str(folder)), other)
    assert {path: path.read_bytes() for path in before} == before
    run.run(settings(tmp_path, resume=str(folder)), dataset)


def test_trials_that_are_over_are_not_trained_again(
    tmp_path: Path, dataset: data.Dataset, monkeypatch: pytest.MonkeyPatch, dying_after: Any
) -> None:
    monkeypatch.setattr(accuracy_drop, "TRIALS", 2)
    drop = {"structure": "rows", "max_accuracy_drop": 0.05, "epochs": 2, "save_best": True}
    whole = run.run(settings(tmp_path / "whole", **drop), dataset)
    with dying_after(3 * STEPS):  # The first trial is over.
        run.run(settings(tmp_path / "parts", resume="auto", **drop), dataset)
    parts = settings(tmp_path / "parts", resume="auto", **drop)
    found = run.run(parts, dataset)
    assert len(found.metrics["accuracy_drop"]["trials"]) > 1
    assert found.metrics["accuracy_drop"] == whole.metrics["accuracy_drop"]
    for name in ("model.dwtz", "model.keras"):
        assert (found.folder / name).exists()
    assert (found.folder / "model.dwtz").read_bytes() == (whole.folder / "model.dwtz").read_bytes()
    assert not list(found.folder.rglob("checkpoint"))
    assert (found.folder / "best.keras").exists() == (whole.folder / "best.keras").exists()
    assert found.metrics.get("best") == whole.metrics.get("best")


def test_the_best_epoch_is_kept_beside_the_last(tmp_path: Path, dataset: data.Dataset) -> None:
    # The second epoch is the first at whose end half of the coefficients are zero.
    given = {"threshold_rule": "quantile", "threshold": 0.5, "ramp_end_epoch": 2}
    found = run.run(settings(tmp_path, save_best=True, **given), dataset)
    rows = [row.split(",") for row in (found.folder / "history.csv").read_text().splitlines()]
    accuracies = [float(row[rows[0].index("val_accuracy")]) for row in rows[1:]]
    best = found.metrics["best"]
    assert best["validation_accuracy"] == pytest.approx(max(accuracies[1:]))
    assert best["epoch"] == 2 + accuracies[1:].index(max(accuracies[1:]))
    model = keras.models.load_model(found.folder / "best.keras")
    predicted = model.predict(dataset.validation.samples(), verbose=0).argmax(1)
    accuracy = float(np.mean(predicted == dataset.validation.labels))
    assert accuracy == pytest.approx(best["validation_accuracy"], abs=1e-6)
    without = run.run(settings(tmp_path, **given), dataset)
    assert not (without.folder / "best.keras").exists()
    assert "best" not in without.metrics


def test_the_stock_callbacks_of_keras_go_on(tmp_path: Path) -> None:
    def stopping() -> keras.callbacks.EarlyStopping:
        return keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)

    first, second = stopping(), stopping()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    kept = Checkpoints(tmp_path, [first])
    for each in (first, kept):
        each.set_model(model)
        each.on_train_begin()
    for epoch, loss in enumerate((0.5, 0.7)):
        first.on_epoch_end(epoch, {"val_loss": loss})
        kept.on_epoch_end(epoch)
    again = Checkpoints(tmp_path, [second])
    for each in (second, again):
        each.set_model(model)
        each.on_train_begin()
    assert again.epochs_done == 2
    assert (second.wait, second.best, second.best_epoch) == (1, 0.5, 0)
    np.testing.assert_array_equal(second.best_weights[0], first.best_weights[0])


def test_no_two_processes_work_on_a_run(tmp_path: Path) -> None:
    mine = settings(tmp_path)
    with resuming.folder_of(mine) as folder:
        (folder / "settings.json").write_text(json.dumps({"settings": mine.flat()}))
        with (
            pytest.raises(checks.UserError, match="is being worked on by another process"),
            resuming.folder_of(settings(tmp_path, resume=str(folder))),
        ):
            pass
        with resuming.folder_of(settings(tmp_path, resume="auto")) as other:
            assert other.name == "002"
    with resuming.folder_of(settings(tmp_path, resume=str(folder))) as again:
        assert again == folder
    with resuming.folder_of(settings(tmp_path, resume="auto", seed=1)) as new:
        assert new.name == "003"
