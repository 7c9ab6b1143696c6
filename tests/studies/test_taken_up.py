"""Studies that are taken up elsewhere, or with other data than they were begun with."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import ensemble, study_run
from dwt_keras.training import data, parts

# What dies closes no files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SNAPSHOTS = StudySettings.from_flat({"ensemble": "snapshot", "members": 2})


@pytest.fixture(scope="module")
def dataset() -> data.Dataset:
    found = data.load(DataSettings())
    train = parts.ArrayPart(found.train.samples(256), found.train.labels[:256])
    return dataclasses.replace(found, train=train, class_names=tuple("abcdefghij"))


def settings(save_dir: Path, **values: Any) -> Settings:
    common = {"hidden_units": (8,), "epochs": 4, "learning_rate": 0.01, "figures": "none"}
    return Settings.from_flat({**common, "save_dir": str(save_dir), **values})


def test_a_study_goes_on_where_its_folder_is_but_not_with_other_data(
    dataset: data.Dataset, tmp_path: Path, dying_after: Any
) -> None:
    begun = tmp_path / "runs/digits-mlp/studies/001"
    with dying_after(30):  # Of 32 batches.
        study_run.run(settings(tmp_path / "runs"), SNAPSHOTS, dataset)
    record = json.loads((begun / "members/02/settings.json").read_text())
    assert record["begins_with"] == "../01/model.keras"
    assert record["settings"]["init"] is None

    moved = tmp_path / "elsewhere/it"
    moved.parent.mkdir()
    shutil.move(begun, moved)
    again = settings(tmp_path / "runs", resume=str(moved))
    other = parts.ArrayPart(np.roll(dataset.train.samples(), 1), dataset.train.labels)
    with pytest.raises(checks.UserError, match="cannot be resumed: it was begun with other data"):
        study_run.run(again, SNAPSHOTS, dataclasses.replace(dataset, train=other))
    text = study_run.run(again, SNAPSHOTS, dataset)
    assert text.splitlines()[-1] == str(moved)
    assert len(json.loads((moved / "study.json").read_text())["members"]) == 2
    assert not begun.exists()
    # As that of any run, for who serves it or reports on it.
    assert json.loads((moved / "settings.json").read_text())["class_names"] == list("abcdefghij")


def test_the_module_of_a_network_is_there_before_members_are_loaded(
    dataset: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may register layers that complete members have."""
    (tmp_path / "a_module_of_mine.py").write_text("def make(**_): pass")
    monkeypatch.syspath_prepend(tmp_path)

    def networks(*_: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(ensemble, "_networks", networks)
    told = settings(tmp_path, hidden_units=(128,), model="a_module_of_mine:make")
    with pytest.raises(NotImplementedError):
        ensemble.run(told, SNAPSHOTS, dataset, tmp_path)
    assert sys.modules.pop("a_module_of_mine", None) is not None
