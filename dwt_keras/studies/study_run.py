"""One study: its folder, its kind, and what is left when it is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from dwt_keras import files
from dwt_keras.settings import Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies.outcome import Outcome
from dwt_keras.training import checkpoint, data, interrupts, resuming, runs

Kind = Callable[[Settings, StudySettings, data.Dataset, Path], Outcome]


def run(settings: Settings, study: StudySettings, dataset: data.Dataset) -> str:
    """Runs a study, or goes on where it was interrupted; returns what there is to tell of it.

    Args:
        settings: What all its runs have in common.
        study: What to do.
        dataset: The data.

    Raises:
        UserError: If the settings do not fit the data, the network or the disk.
        KeyboardInterrupt: If the user ends it; a note says how to go on.
    """
    kind = _kind(study)
    shared = study.is_shared
    with resuming.folder_of(settings, study=study, is_shared=shared) as folder:
        again = resuming.command(folder)
        again += "" if study.folds.fold is None else f" --fold={study.folds.fold}"
        with interrupts.resumable(again):
            resuming.check_data(folder, data.digest(dataset))
            resuming.write_study(folder, settings, study, data.record(dataset))
            outcome = kind(settings, study, dataset, folder)
        if outcome.record is not None:
            # Last of all: a folder that has it is complete.
            files.write_text(folder / runs.STUDY, json.dumps(outcome.record, indent=2) + "\n")
            checkpoint.remove(folder)
    return f"{outcome.text}\n\n{folder}"


def _kind(study: StudySettings) -> Kind:
    if study.folds.is_wanted:
        from dwt_keras.studies import folds

        return folds.run
    if study.tuning.is_wanted:
        from dwt_keras.studies import tuning

        return tuning.run
    from dwt_keras.studies import ensemble

    return ensemble.run
