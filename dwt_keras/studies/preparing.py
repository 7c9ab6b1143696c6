"""What can be wrong with a search before anything is trained. Loads no TensorFlow."""

from __future__ import annotations

import importlib.util

from dwt_keras import checks
from dwt_keras.compression import schedule
from dwt_keras.settings import Settings, space
from dwt_keras.settings.distribution import MULTIWORKER
from dwt_keras.settings.tuning import NONE, TuningSettings


def check(settings: Settings, tuning: TuningSettings) -> None:
    """Checks that a search can be made.

    Args:
        settings: What all its trials have in common.
        tuning: The search.

    Raises:
        UserError: If Optuna is missing, a value of the space is refused, trials cannot be ended
            early, or the storage cannot be had.
    """
    if importlib.util.find_spec("optuna") is None:
        raise checks.UserError("--trials needs the package optuna: pip install 'dwt_keras[tune]'")
    if settings.distribution.distribute == MULTIWORKER:
        raise checks.ArgumentError(
            "trials",
            f"must not be given beside distribute={MULTIWORKER}: a search over several machines "
            "has a storage that all share",
        )
    possible = space.candidates(settings, tuning.parameters)
    if tuning.prune_trials != NONE:
        _check_pruning(possible)
    if tuning.storage is not None:
        from dwt_keras.studies import storages

        with storages.opened(tuning.storage):
            pass


def _check_pruning(possible: list[Settings]) -> None:
    if any(each.compression.max_accuracy_drop is not None for each in possible):
        raise checks.ArgumentError(
            "prune_trials",
            f"must be {NONE} beside max_accuracy_drop, which makes several trainings of a trial",
        )
    for each in possible:
        epochs = each.training.epochs
        if schedule.first_full_epoch(each.compression, epochs) + 1 < epochs:
            return
    raise checks.ArgumentError(
        "prune_trials",
        f"must be {NONE} where the threshold is full in the last epoch alone: no epoch before it "
        "tells how good a trial will be",
    )
