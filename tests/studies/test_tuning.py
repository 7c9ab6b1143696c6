"""Searches: the same trials however often they are interrupted, and the best of them."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from dwt_keras import checks
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import members, preparing, storages, study_run, trial_queue, tuning
from dwt_keras.training import control, data, parts, runs
from dwt_keras.views import tensorboard_run
from dwt_keras.views.study_view import Trial

# What dies closes no files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Killed(BaseException):
    """Nothing in the program may handle it, as nothing handles a kill."""


@dataclasses.dataclass(frozen=True, eq=False)
class Counted(parts.ArrayPart):
    """A part that knows how often it was read."""

    reads: list[int] = dataclasses.field(default_factory=list)

    def batches(self, batch_size: int, *, shuffle_seed: int | None) -> Any:
        self.reads.append(batch_size)
        return super().batches(batch_size, shuffle_seed=shuffle_seed)


@pytest.fixture(scope="module")
def dataset() -> data.Dataset:
    found = data.load(DataSettings())
    train = parts.ArrayPart(found.train.samples(256), found.train.labels[:256])
    test = parts.ArrayPart(found.test.samples(64), found.test.labels[:64])
    return dataclasses.replace(found, train=train, test=test)


def settings(folder: Path, **values: Any) -> Settings:
    given = {"epochs": 1, "hidden_units": (8,), "learning_rate": 0.01, "figures": "none"}
    return Settings.from_flat({**given, "save_dir": str(folder), **values})


def study_of(folder: Path) -> list[optuna.trial.FrozenTrial]:
    with storages.opened(storages.of_folder(folder)) as storage:
        (name,) = optuna.get_all_study_names(storage)
        return optuna.load_study(study_name=name, storage=storage).trials


def told(trials: list[optuna.trial.FrozenTrial]) -> list[Any]:
    return [(trial.number, trial.params, trial.values) for trial in trials]


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, dataset: data.Dataset
) -> tuple[Path, Counted, str]:
    """A study that nothing interrupted, its test part, and what it printed at the end."""
    save_dir = tmp_path_factory.mktemp("whole")
    test = Counted(dataset.test.samples(), dataset.test.labels)
    counted = dataclasses.replace(dataset, test=test)
    given = {
        "trials": 4,
        "space": "wavelet=haar,none level=1..3 threshold=1e-2..3e-1:log batch_size=32,64",
        "objectives": "accuracy,bytes",
    }
    study = StudySettings.from_flat(given)
    text = study_run.run(settings(save_dir, figures="svg"), study, counted)
    return save_dir / "digits-mlp/studies/001", test, text


def test_a_study_leaves_what_is_documented(whole: tuple[Path, Counted, str]) -> None:
    folder, _, text = whole
    assert {entry.name for entry in folder.iterdir()} == {
        "settings.json",
        "study.json",
        "trials.db",
        "trials.csv",
        "trials",
        "figures",
        "best",
    }
    assert {entry.name for entry in (folder / "figures").iterdir()} == {
        "optimization_history.svg",
        "importances.svg",
        "front.svg",
    }
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["trial"] for row in rows] == list("0123")
    assert {row["state"] for row in rows} == {"complete"}
    record = json.loads((folder / "study.json").read_text())
    best = rows[record["best"]["trial"]]
    assert float(best["validation_accuracy"]) == record["best"]["validation_accuracy"]
    assert f"{float(best['validation_accuracy']):.4f}" in text
    assert f"test accuracy: {record['best']['test_accuracy']:.4f}" in text
    # Trials are light.
    assert {entry.name for entry in (folder / "trials" / "003").iterdir()} == {
        "settings.json",
        "history.csv",
        "metrics.json",
        "model.dwtz",
        "tensorboard",
    }
    # And no runs of their own.
    found, problems = runs.find(folder)
    assert [record.name for record in found] == ["best"]
    assert problems == []


def test_the_best_trial_is_trained_again_and_exported(whole: tuple[Path, Counted, str]) -> None:
    folder, _, _ = whole
    best = json.loads((folder / "study.json").read_text())["best"]
    trial = folder / "trials" / f"{best['trial']:03d}"
    assert (folder / "best" / "model.dwtz").read_bytes() == (trial / "model.dwtz").read_bytes()
    assert (folder / "best" / "serving" / "1" / "saved_model.pb").exists()
    told = json.loads((folder / "best" / "settings.json").read_text())["settings"]
    assert {name: told[name] for name in best["parameters"]} == best["parameters"]


def test_the_test_part_is_read_once(whole: tuple[Path, Counted, str]) -> None:
    assert len(whole[1].reads) == 1


def test_tensorboard_has_each_trial_by_what_was_searched(whole: tuple[Path, Counted, str]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2
    from tensorboard.util import tensor_util

    folder = whole[0] / "trials" / "002"
    events = EventAccumulator(str(folder / "tensorboard"), {"tensors": 0})
    events.Reload()
    metrics = json.loads((folder / "metrics.json").read_text())
    (event,) = events.Tensors("shipped/validation_accuracy")
    assert tensor_util.make_ndarray(event.tensor_proto) == pytest.approx(
        metrics["validation_accuracy"]
    )
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    found = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert set(found) == {"wavelet", "level", "threshold", "batch_size"}


def accuracy_of(values: Mapping[str, Any], epoch: int) -> float:
    """What a pretended training reaches: more by each epoch, less for large thresholds."""
    best = 0.9 - 0.5 * values["threshold"] - 0.01 * values["level"]
    return best - 0.3 / (epoch + 1)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lets trainings be pretended; gets the numbers of the trials that are begun."""
    begun: list[int] = []

    def train(
        mine: Settings, _: Any, folder: Path, callbacks: Sequence[Any] = (), is_trial: bool = False
    ) -> members.Member:
        if is_trial:
            begun.append(int(folder.name))
        if mine.compression.threshold == 1.0:
            raise ValueError("no network has\n  such a threshold")
        values = mine.flat()
        for epoch in range(mine.training.epochs):
            for each in callbacks:
                each.on_epoch_end(epoch, {"val_accuracy": accuracy_of(values, epoch)})
        size = round(100 / (values["threshold"] + 0.01)) + 10 * values["level"]
        accuracy = accuracy_of(values, mine.training.epochs)
        name = "validation_accuracy" if is_trial else "test_accuracy"
        return members.Member(folder, {name: accuracy, "bytes": {"dwtz": size}})

    monkeypatch.setattr(members, "train", train)
    monkeypatch.setattr(tensorboard_run, "write", lambda *_, **__: None)
    return begun


def run(folder: Path, given: Mapping[str, Any], dataset: data.Dataset, **values: Any) -> Path:
    """Makes a study; returns its folder."""
    study_run.run(settings(folder, **values), StudySettings.from_flat(given), dataset)
    return folder / "digits-mlp/studies/001"


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int, how: type[BaseException]) -> None:
    """Lets the process end in the training of a trial."""
    original = members.train

    def train(mine: Settings, parts: Any, folder: Path, *others: Any, **more: Any) -> Any:
        if folder.name == f"{at:03d}":
            raise how
        return original(mine, parts, folder, *others, **more)

    monkeypatch.setattr(members, "train", train)
    if how is Killed:  # Nothing is given back then.
        monkeypatch.setattr(trial_queue.Queue, "_give_back", lambda *_: None)


@pytest.mark.parametrize("search", ["grid", "random", "bayesian", "nsga2"])
def test_a_study_ends_with_the_same_trials_however_it_was_interrupted(
    search: str,
    pretended: list[int],
    dataset: data.Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"trials": 9, "search": search, "objectives": "accuracy,bytes"}
    given["space"] = "level=1..4 threshold=0.01..0.3:log" + ":4" * (search == "grid")
    whole = told(study_of(run(tmp_path / "whole", given, dataset)))
    assert pretended == list(range(9))
    assert len({str(trial[1]) for trial in whole}) > 4
    for at, how in ((1, Killed), (5, KeyboardInterrupt)):
        with monkeypatch.context() as patch, pytest.raises(how):
            interrupt(patch, at, how)
            run(tmp_path / "parts", given, dataset, resume="auto")
    folder = tmp_path / "parts/digits-mlp/studies/001"
    states = [trial.state.name for trial in study_of(folder)]
    assert states == ["COMPLETE"] * 5 + ["WAITING"] * 4
    assert told(study_of(run(tmp_path / "parts", given, dataset, resume="auto"))) == whole
    other = told(study_of(run(tmp_path / "other", given, dataset, seed=1)))
    assert other != whole


def test_a_search_learns(pretended: list[int], dataset: data.Dataset, tmp_path: Path) -> None:
    given = {"trials": 20, "space": "level=1..4 threshold=0.01..0.3:log"}
    found = study_of(run(tmp_path, given, dataset))
    accuracies = [trial.value for trial in found]
    assert np.mean(accuracies[10:]) > np.mean(accuracies[:6]) + 0.01


def test_what_fails_is_recorded_and_not_fatal(
    pretended: list[int],
    dataset: data.Dataset,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = {"search": "grid", "space": "level=1,2 threshold=0.1,1.0"}
    folder = run(tmp_path, given, dataset)
    rows = list(csv.DictReader((folder / "trials.csv").read_text().splitlines()))
    assert [row["state"] for row in rows] == ["complete", "failed", "complete", "failed"]
    assert [(row["level"], row["threshold"]) for row in rows[:2]] == [("1", "0.1"), ("1", "1.0")]
    assert rows[1]["failure"] == "no network has such a threshold"
    assert "trial 2 of 4: 001: failed: no network has" in capsys.readouterr().out
    record = json.loads((folder / "study.json").read_text())
    assert record["trials"] == {"complete": 2, "failed": 2}
    assert record["best"]["trial"] == 0
    with pytest.raises(checks.UserError, match=r"^none of 1 trials could be completed; the first"):
        run(tmp_path / "none", {"search": "grid", "space": "threshold=1.0"}, dataset)


def test_a_disk_that_is_full_ends_the_study(
    pretended: list[int], dataset: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(OSError):
        interrupt(patch, 1, OSError)
        run(tmp_path, {"trials": 3, "space": "level=1..4 threshold=0.1..0.2"}, dataset)
    states = [trial.state.name for trial in study_of(tmp_path / "digits-mlp/studies/001")]
    assert states == ["COMPLETE", "WAITING", "WAITING"]


def test_bytes_within_a_loss_of_accuracy(
    pretended: list[int], dataset: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = control.Control(tmp_path, validation_accuracy=0.85, test_accuracy=0.0)
    monkeypatch.setattr(control, "dense", lambda *_: dense)
    given = {
        "search": "grid",
        "space": "level=1 threshold=0.05,0.1,0.2,0.3",
        "objectives": "bytes",
        "allowed_accuracy_drop": 0.1,
    }
    folder = run(tmp_path, given, dataset, epochs=10)
    record = json.loads((folder / "study.json").read_text())
    assert record["least_accuracy"] == pytest.approx(0.75)
    # 0.9 - 0.05 - 0.01 - 0.3 / 11 is above it, 0.9 - 0.1 - 0.01 - 0.3 / 11 is too, the next is not.
    assert record["best"]["parameters"] == {"level": 1, "threshold": 0.2}


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_hopeless_trials_are_ended_once_the_threshold_is_full(
    pruner: str, pretended: list[int], dataset: data.Dataset, tmp_path: Path
) -> None:
    given = {"search": "grid", "space": "level=1..4 threshold=0.1,0.8", "prune_trials": pruner}
    ramp = {"threshold_rule": "quantile", "ramp_end_epoch": 3}
    found = study_of(run(tmp_path, given, dataset, epochs=9, **ramp))
    pruned = {trial.number for trial in found if trial.state.name == "PRUNED"}
    assert {5, 7} <= pruned  # Of the larger threshold, after there is enough to compare with.
    assert 0 not in pruned
    told = [set(trial.intermediate_values) for trial in found]
    # Of nine epochs the first two belong to the ramp, and after the last nothing is left to save.
    assert set.union(*told) == set(range(1, 7))
    assert all(1 in each for each in told)


def test_pruning_needs_an_epoch_to_prune_at(tmp_path: Path) -> None:
    search = StudySettings.from_flat(
        {"trials": 2, "space": "level=1,2", "prune_trials": "median"}
    ).tuning
    preparing.check(settings(tmp_path, epochs=3), search)
    late = settings(tmp_path, epochs=3, ramp="linear", ramp_end_epoch=3)
    with pytest.raises(checks.ArgumentError, match=r"^prune_trials must be none where the thresh"):
        preparing.check(late, search)
    searched = settings(tmp_path, max_accuracy_drop=0.01)
    with pytest.raises(checks.ArgumentError, match=r"^prune_trials must be none beside max_acc"):
        preparing.check(searched, search)


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


def a_trial(number: int, accuracy: float, size: int, is_feasible: bool = True) -> Trial:
    metrics = {"validation_accuracy": accuracy, "bytes": {"dwtz": size}}
    return Trial(number, "complete", {}, metrics, is_feasible=is_feasible)


def test_the_front_and_the_best_of_it() -> None:
    found = [
        a_trial(0, 0.90, 900),
        a_trial(1, 0.91, 1000),
        a_trial(2, 0.91, 1100),
        a_trial(3, 0.80, 100),
        a_trial(4, 0.79, 100),
        a_trial(5, 0.92, 5000),
    ]
    assert [trial.number for trial in tuning.front(found)] == [0, 1, 3, 5]
    both = ("accuracy", "bytes")
    assert tuning.best_of(found, both, 0.01).number == 1
    assert tuning.best_of(found, both, 0.02).number == 0
    assert tuning.best_of(found, ("accuracy",), 0.0).number == 5
    for trial in tuning.front(found):
        assert not any(
            np.all([other.accuracy >= trial.accuracy, other.bytes <= trial.bytes])
            and (other.accuracy, other.bytes) != (trial.accuracy, trial.bytes)
            for other in found
        )


def test_the_smallest_that_is_accurate_enough_else_the_most_accurate() -> None:
    found = [a_trial(0, 0.90, 900), a_trial(1, 0.80, 100, False), a_trial(2, 0.91, 950)]
    assert tuning.best_of(found, ("bytes",), 0.0).number == 0
    none = [dataclasses.replace(trial, is_feasible=False) for trial in found]
    assert tuning.best_of(none, ("bytes",), 0.0).number == 2
