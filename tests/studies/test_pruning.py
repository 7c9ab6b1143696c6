"""Trials that are ended early: which, and from which epoch on."""

from __future__ import annotations

from pathlib import Path

import pytest
from searches import run, settings, study_of

from dwt_keras import checks
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import preparing
from dwt_keras.training import data


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
