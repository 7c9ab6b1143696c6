"""The single parts of a cross-validation: a run, or a search, on what it may see."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dwt_keras import files
from dwt_keras.settings.folds import FoldSettings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import members, predictions, splits
from dwt_keras.studies.variants import Variant
from dwt_keras.training import data, runs

_BEST = "best"


@dataclass(frozen=True)
class Task:
    """One run of a cross-validation, or one search and its best run.

    Attributes:
        variant: The settings.
        split: The fold; None for the last task, which has everything to learn from.
        folder: Where it goes.
        study: The study's settings.
    """

    variant: Variant
    split: splits.Split | None
    folder: Path
    study: StudySettings

    @property
    def name(self) -> str:
        """What it is called where its progress is told."""
        which = "the last run"
        if self.split is not None:
            which = f"fold {self.split.fold}"
            if self.study.folds.fold_repeats > 1:
                which = f"fold {self.split.repeat}.{self.split.fold}"
        return which + (f" of {self.variant.name}" if self.variant.name else "")

    @property
    def run(self) -> Path:
        """The folder of the run."""
        return self.folder / _BEST if self.study.tuning.is_wanted else self.folder

    @property
    def member(self) -> members.Member | None:
        """The run; None while something of the task is left to do."""
        last = [self.folder / predictions.FILE] if self.split is not None else []
        if self.study.tuning.is_wanted:
            last.append(self.folder / runs.STUDY)
        return members.done(self.run) if all(file.exists() for file in last) else None

    def do(self, dataset: data.Dataset, whole: data.Part) -> members.Member:
        """Trains, or searches, where that has not been done.

        Args:
            dataset: All data.
            whole: The pool of all but the test part.
        """
        mine, split = dataset, self.split
        if split is not None:
            fraction = self.variant.settings.data.validation_fraction
            mine = splits.dataset_of(split, whole, dataset, fraction)
        if self.study.tuning.is_wanted:
            self._search(mine)
        else:
            members.train(self.variant.settings, mine, self.folder)
        if split is not None:
            alike = np.ones(len(split.held_out), np.int32)
            arrays = {
                "index": split.held_out,
                "setting": self.variant.number * alike,
                "repeat": split.repeat * alike,
                "fold": split.fold * alike,
                "label": mine.test.labels,
                "probabilities": predictions.of_run(self.run, mine.test),
            }
            predictions.save(self.folder, arrays)
        found = self.member
        assert found is not None  # All that it needs is there now.
        return found

    def _search(self, dataset: data.Dataset) -> None:
        from dwt_keras.studies import tuning

        if (self.folder / runs.STUDY).exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        alone = dataclasses.replace(self.study, folds=FoldSettings())
        outcome = tuning.run(self.variant.settings, alone, dataset, self.folder, self.name)
        files.write_text(self.folder / runs.STUDY, json.dumps(outcome.record, indent=2) + "\n")
