"""What study.json says of a cross-validation."""

from __future__ import annotations

import json
from pathlib import Path

from dwt_keras.settings import Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import fold_record, fold_tasks
from dwt_keras.studies.variants import Variant


def test_what_a_search_chose_is_told_where_it_is_the_default_too(tmp_path: Path) -> None:
    study = StudySettings.from_flat({"folds": 2, "trials": 4, "space": "level=1,2 wavelet=haar"})
    task = fold_tasks.Task(Variant(0, "", Settings()), None, tmp_path, study)
    task.run.mkdir()
    record = {"settings": {**Settings().flat(), "level": 1}}
    (task.run / "settings.json").write_text(json.dumps(record))
    assert fold_record._chosen(task) == {"level": 1, "wavelet": "haar"}
