"""Which process makes which trial, where one of them is silent or its storage is another."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import tensorflow as tf
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import members, storages, study_run, trial_queue, trials, tuning
from dwt_keras.training import data
from dwt_keras.views import tensorboard_run
from dwt_keras.views.study_view import Trial

SEARCH = StudySettings.from_flat({"trials": 2, "space": "level=1..4 threshold=0.01..0.3"})


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[BaseStorage]:
    with storages.opened(storages.of_folder(tmp_path)) as opened:
        yield opened


def a_study(storage: BaseStorage, trial_count: int) -> optuna.Study:
    study = optuna.create_study(storage=storage, study_name="it", direction="maximize")
    for _ in range(trial_count):
        study.add_trial(optuna.create_trial(state=TrialState.WAITING))
    return study


def taken(queue: trial_queue.Queue) -> optuna.Trial:
    return next(queue.taken(lambda number: optuna.samplers.RandomSampler(seed=number)))


def pretended(monkeypatch: pytest.MonkeyPatch, accuracy: float) -> None:
    metrics = {"validation_accuracy": accuracy, "test_accuracy": 0.0, "bytes": {"dwtz": 100}}
    monkeypatch.setattr(
        members, "train", lambda _, __, folder, *___, **____: members.Member(folder, metrics)
    )
    monkeypatch.setattr(tensorboard_run, "write", lambda *_, **__: None)
    # There are none.
    monkeypatch.setattr(data, "digest", lambda _: "it")
    monkeypatch.setattr(data, "record", lambda _: {"data": "it"})


def maker(folder: Path, least: float | None = None) -> trials.Maker:
    nothing: Any = None
    return trials.Maker(Settings(), SEARCH.tuning, nothing, folder, least)


def test_a_process_that_is_silent_but_lives_keeps_its_trial(
    storage: BaseStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_queue, "_SILENCE_SECONDS", -1.0)
    study = a_study(storage, 1)
    with contextlib.ExitStack() as here:
        with contextlib.ExitStack() as there:
            monkeypatch.setattr(trial_queue, "_host", lambda: "there")
            assert taken(trial_queue.Queue(study, storage, tmp_path, there)).number == 0
            monkeypatch.setattr(trial_queue, "_host", lambda: "here")
            mine = trial_queue.Queue(study, storage, tmp_path, here)
            assert [trial.state.name for trial in mine._without_lost()] == ["RUNNING"]
        assert taken(mine).number == 0  # Now it has ended.


def test_what_another_process_has_taken_over_is_not_told_twice(
    storage: BaseStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended(monkeypatch, 0.9)
    study = a_study(storage, 2)
    with contextlib.ExitStack() as stack:
        slow, other = (trial_queue.Queue(study, storage, tmp_path, stack) for _ in range(2))
        mine = taken(slow)
        assert slow.holds(mine)
        slow._give_back(mine._trial_id, TrialState.WAITING)
        assert not maker(tmp_path).make(study, mine, slow.holds)
        theirs = taken(other)
        assert theirs.number == mine.number
        assert not maker(tmp_path).make(study, mine, slow.holds)
        assert maker(tmp_path).make(study, theirs, other.holds)
        assert not maker(tmp_path).make(study, mine, slow.holds)
        assert [trial.state.name for trial in study.trials] == ["COMPLETE", "WAITING"]


def test_a_folder_with_trials_is_not_filled_from_a_storage_without_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended(monkeypatch, 0.9)
    settings = Settings.from_flat({"save_dir": str(tmp_path), "figures": "none"})
    nothing: Any = None
    study_run.run(settings, SEARCH, nothing)
    folder = tmp_path / "digits-mlp/studies/001"
    (folder / "trials").mkdir()
    (folder / "study.json").unlink()
    again = settings.changed({"resume": str(folder)})
    study_run.run(again, SEARCH, nothing)
    (folder / "study.json").unlink()
    (folder / "trials.db").unlink()
    with pytest.raises(checks.UserError, match=r"trials.db does not have the trials that .*001"):
        study_run.run(again, SEARCH, nothing)


def float32(accuracy: float) -> float:
    """An accuracy as Keras has it."""
    return float(np.float32(accuracy))


@pytest.mark.parametrize("dense", [0.85, 0.91, 0.97])
def test_a_loss_of_just_what_is_allowed_is_allowed(
    dense: float, storage: BaseStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended(monkeypatch, float32(dense - 0.01))
    study = a_study(storage, 1)
    with contextlib.ExitStack() as stack:
        queue = trial_queue.Queue(study, storage, tmp_path, stack)
        maker(tmp_path, float32(dense) - 0.01).make(study, taken(queue), queue.holds)
    assert trials.of(study.trials[0]).is_feasible
    most = Trial(0, "complete", {}, {"validation_accuracy": float32(dense), "bytes": {"dwtz": 9}})
    both = tuning.best_of([most, of_size(1, dense - 0.01)], ("accuracy", "bytes"), 0.01)
    assert both.number == 1


def of_size(size: int, accuracy: float) -> Trial:
    metrics = {"validation_accuracy": float32(accuracy), "bytes": {"dwtz": size}}
    return Trial(1, "complete", {}, metrics)


def test_what_was_tried_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    metrics = {"validation_accuracy": 0.9, "test_accuracy": 0.0, "bytes": {"dwtz": 100}}

    def train(_: Any, __: Any, folder: Path, *___: Any, **____: Any) -> members.Member:
        begun.append(folder.name)
        return members.Member(folder, metrics)

    pretended(monkeypatch, 0.9)
    monkeypatch.setattr(members, "train", train)
    settings = Settings.from_flat({"save_dir": str(tmp_path), "figures": "none"})
    nothing: Any = None
    few = StudySettings.from_flat({"trials": 6, "space": "level=1,2", "search": "random"})
    study_run.run(settings, few, nothing)
    assert sorted(begun) == sorted(set(begun)) and len(begun) == 3  # And the best.
    folder = tmp_path / "digits-mlp/studies/001"
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    first = {row["level"]: row["trial"] for row in reversed(rows)}
    assert {row["state"] for row in rows} == {"complete"}
    assert {row["validation_accuracy"] for row in rows} == {"0.9"}
    for row in rows:
        same = first[row["level"]]
        assert row["same_as"] == ("" if same == row["trial"] else same)


def test_a_disk_that_tensorflow_finds_full_ends_the_study(
    storage: BaseStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: Any, **__: Any) -> members.Member:
        raise tf.errors.ResourceExhaustedError(None, None, "/x; No space left on device")

    monkeypatch.setattr(members, "train", train)
    study = a_study(storage, 1)
    with contextlib.ExitStack() as stack:
        queue = trial_queue.Queue(study, storage, tmp_path, stack)
        mine = taken(queue)
        with pytest.raises(OSError, match="No space left"), queue.beating(mine):
            maker(tmp_path).make(study, mine, queue.holds)
    assert study.trials[0].state == TrialState.WAITING
