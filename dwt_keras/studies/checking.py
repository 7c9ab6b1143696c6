"""What can be wrong with a study, found out before TensorFlow loads."""

from __future__ import annotations

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.distribution import MULTIWORKER
from dwt_keras.settings.studies import StudySettings
from dwt_keras.training import data, requirements, starting_files


def check(settings: Settings, study: StudySettings) -> None:
    """Checks a study without its data.

    Raises:
        ArgumentError: If its settings do not go together with those of its runs.
    """
    study.check_beside(settings)
    if not study.is_wanted:
        return
    if settings.distribution.distribute == MULTIWORKER:
        raise checks.ArgumentError(
            "distribute",
            f"must be none or mirrored in a study, whose runs several machines can share; given "
            f"{MULTIWORKER}",
        )
    if study.tuning.is_wanted:
        from dwt_keras.studies import preparing

        preparing.check(settings, study.tuning)
    if study.folds.is_wanted:
        from dwt_keras.studies import variants

        for variant in variants.of(settings, study.folds):
            starting_files.check(variant.settings)


def check_data(settings: Settings, study: StudySettings, dataset: data.Dataset) -> None:
    """Checks that the data are what a study needs.

    Raises:
        ArgumentError: If they are not.
    """
    if study.folds.is_wanted:
        from dwt_keras.studies import splits, variants

        splits.check(study.folds, dataset, settings.data.validation_fraction)
        for variant in variants.of(settings, study.folds):
            requirements.check(variant.settings, dataset.input_shape)
