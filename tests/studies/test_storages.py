"""Where trials are kept: storages that fail, and processes that meet there or vanish."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages._rdb import models
from optuna.trial import TrialState
from searches import run

from dwt_keras import checks
from dwt_keras.studies import members, storages, trial_queue
from dwt_keras.training import data

# What dies closes no files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("sqlite:////nowhere/trials.db", "unable to open database file"),
        ("postgresql://me:secret@localhost/trials", "Failed to import DB access module"),
        ("nonsense://there", "nonsense"),
        ("journal:/nowhere/log", "No such file or directory"),
    ],
)
def test_a_storage_that_cannot_be_had_is_refused(storage: str, said: str) -> None:
    with (
        pytest.raises(checks.ArgumentError, match=r"^storage must be a database or") as caught,
        storages.opened(storage),
    ):
        pass
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_storage_that_is_lost_costs_one_line(
    pretended: list[int], dataset: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "trials.db"
    given = {
        "trials": 3,
        "space": "level=1..4 threshold=0.1,0.2",
        "storage": f"sqlite:///{database}",
    }
    original = members.train

    def train(*arguments: Any, **more: Any) -> members.Member:
        with sqlite3.connect(database) as connection:
            connection.execute("DROP TABLE trial_user_attributes")
        connection.close()
        return original(*arguments, **more)

    monkeypatch.setattr(members, "train", train)
    with pytest.raises(checks.UserError, match=r"^the storage sqlite:///.*: .*no such table"):
        run(tmp_path, given, dataset)


def test_a_trial_that_takes_its_process_with_it_fails_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the process were another machine's, and silent.
    monkeypatch.setattr(trial_queue, "_SILENCE_SECONDS", -1.0)
    with storages.opened(f"journal:{tmp_path / 'log'}") as storage:
        study = optuna.create_study(storage=storage, study_name="s")
        begun = []
        for _ in range(4):
            with contextlib.ExitStack() as stack:
                queue = trial_queue.Queue(study, storage, tmp_path, stack)
                queue.fill([{}, {}], is_alone=True)
                taken = queue.taken(lambda number: optuna.samplers.RandomSampler(seed=number))
                begun += [trial.number for trial in [next(taken, None)] if trial]
                (tmp_path / "checkpoint" / queue._worker).unlink()
        assert begun == [0, 0, 0, 1]
        assert [trial.state.name for trial in study.trials] == ["FAIL", "RUNNING"]
        assert "ended 3 times" in study.trials[0].user_attrs[trial_queue.FAILURE]


def test_of_two_that_see_a_trial_wait_in_an_sqlite_file_one_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = storages.of_folder(tmp_path)
    with storages.opened(place) as storage:
        study = optuna.create_study(storage=storage, study_name="it")
        study.add_trial(optuna.create_trial(state=TrialState.WAITING))
        (trial,) = study.get_trials()
    both = threading.Barrier(2)
    read = models.TrialModel.find_or_raise_by_id.__func__

    def read_and_wait(*arguments: Any, **more: Any) -> Any:
        found = read(*arguments, **more)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return found

    monkeypatch.setattr(models.TrialModel, "find_or_raise_by_id", classmethod(read_and_wait))
    taken = []

    def take() -> None:
        with storages.opened(place) as storage:
            taken.append(storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING))

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, True]
