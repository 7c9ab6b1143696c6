"""Searches: the same trials however often they are interrupted, and the best of them."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from searches import run, settings, study_of

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import members, study_run, trial_queue, tuning
from dwt_keras.training import control, data, parts, runs
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
