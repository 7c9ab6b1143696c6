"""Where trials are kept: what several processes do to one storage."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages._rdb import models
from optuna.trial import TrialState

from dwt_keras.studies import storages


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
