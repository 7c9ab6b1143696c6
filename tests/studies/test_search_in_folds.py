"""Searches in each fold of a cross-validation, which what is held out does not touch."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fold_studies import Trainings, record_of, tiny, told

from dwt_keras.settings import Settings
from dwt_keras.settings.folds import FoldSettings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import fold_tasks, folds, members, splits, study_run, tuning, variants
from dwt_keras.studies.outcome import Outcome
from dwt_keras.training import data

SPACE = "wavelet=haar,none"


@dataclasses.dataclass
class Search:
    """Stands for the search: two wavelets, of which validation chooses."""

    asked: list[tuple[Path, data.Dataset]] = dataclasses.field(default_factory=list)
    train: Callable[..., Any] = members.train

    def __call__(
        self,
        settings: Settings,
        study: StudySettings,
        dataset: data.Dataset,
        folder: Path,
        label: str,
    ) -> Outcome:
        assert study.tuning.trials == 2
        assert study.folds == FoldSettings()
        self.asked.append((folder, dataset))
        accuracies = {}
        for wavelet in ("haar", "none"):
            changed = settings.changed({"wavelet": wavelet})
            self.train(changed, dataset, folder / wavelet)
            history = (folder / wavelet / "history.csv").read_text().splitlines()
            accuracies[wavelet] = list(csv.DictReader(history))[-1]["val_accuracy"]
        best = max(accuracies, key=lambda name: accuracies[name])
        (folder / best).rename(folder / "best")
        return Outcome({"validation_accuracies": accuracies}, "")


def test_what_is_held_out_decides_nothing(digits: data.Dataset, tmp_path: Path) -> None:
    pool = splits.pool(digits)
    split = splits.splits(pool.labels, FoldSettings(folds=3), 0)[1]
    labels = pool.labels.copy()
    labels[split.held_out] = np.random.default_rng(0).integers(0, 10, len(split.held_out))
    garbage = data.ArrayPart(pool.samples(), labels)
    (variant,) = variants.of(tiny(tmp_path, epochs=1), FoldSettings())
    found = []
    for name, whole in (("a", pool), ("b", garbage)):
        study = told(folds=3, trials=2, space=SPACE, search="grid")
        task = fold_tasks.Task(variant, split, tmp_path / name, study)
        found.append((task, task.do(digits, whole)))
    (first, one), (second, other) = found
    for file in ("model.dwtz", "history.csv"):
        assert (first.run / file).read_bytes() == (second.run / file).read_bytes()
    chosen = [json.loads((each.run / "settings.json").read_text()) for each in (first, second)]
    assert chosen[0]["settings"] == chosen[1]["settings"]
    # Both tried the same and came to the same; only what is reported differs.
    reports = [json.loads((each.folder / "study.json").read_text()) for each in (first, second)]
    tested = [report["best"].pop("test_accuracy") for report in reports]
    assert reports[0] == reports[1]
    assert tested[0] != tested[1]
    assert one.metrics["test_accuracy"] != other.metrics["test_accuracy"]
    with np.load(first.folder / "predictions.npz") as archive:
        np.testing.assert_array_equal(archive["label"], pool.labels[split.held_out])


def test_a_search_goes_on_in_each_fold_and_then_on_everything(
    digits: data.Dataset,
    trainings: Trainings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(settings: Settings, dataset: data.Dataset, folder: Path) -> None:
        trainings.train(settings, dataset, folder)
        accuracy = 0.9 if settings.compression.wavelet == "none" else 0.8
        (folder / "history.csv").write_text(f"val_accuracy\n{accuracy}\n")

    search = Search(train=train)
    monkeypatch.setattr(tuning, "run", search)
    said = study_run.run(tiny(tmp_path), told(folds=2, trials=2, space=SPACE), digits)
    folder = tmp_path / "digits-mlp/studies/001"
    assert [place.name for place, _ in search.asked] == ["fold-1", "fold-2", "final"]
    assert [asked.test is digits.test for _, asked in search.asked] == [False, False, True]
    (setting,) = record_of(folder)["settings"]
    assert setting["folds"][0]["folder"] == "fold-1/best"
    assert setting["final"]["chosen"] == {"wavelet": "none"}
    assert "final/best: wavelet=none" in said
    # What is done is not searched for again.
    (folder / "study.json").unlink()
    study_run.run(tiny(tmp_path, resume=str(folder)), told(folds=2, trials=2, space=SPACE), digits)
    assert len(search.asked) == 3


def test_folds_is_the_study_that_is_run() -> None:
    assert study_run._kind(told(folds=2, trials=2, space=SPACE)) is folds.run
