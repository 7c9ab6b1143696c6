"""What a study is told: loops over runs, whose own settings are `Settings`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.ensembles import EnsembleSettings
from dwt_keras.settings.folds import FoldSettings
from dwt_keras.settings.groups import Groups
from dwt_keras.settings.tuning import TuningSettings


@dataclass(frozen=True)
class StudySettings(Groups):
    """What kind of study there is to be, if any.

    Raises:
        ArgumentError: On kinds that do not go together.
    """

    tuning: TuningSettings = dataclasses.field(default_factory=TuningSettings)
    folds: FoldSettings = dataclasses.field(default_factory=FoldSettings)
    ensemble: EnsembleSettings = dataclasses.field(default_factory=EnsembleSettings)

    def __post_init__(self) -> None:
        if self.folds.compare is not None and self.tuning.is_wanted:
            raise checks.ArgumentError("compare", "must not be given beside trials")
        if not self.ensemble.is_wanted:
            return
        for name in ("trials", "folds"):
            if self.flat()[name] is not None:
                raise checks.ArgumentError("ensemble", f"must not be given beside {name}")

    def check_beside(self, settings: Settings) -> None:
        """Checks that the settings of a run go with the study.

        Raises:
            ArgumentError: If not.
        """
        self.ensemble.check_beside(settings)

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a study, and not a single run."""
        return self.tuning.is_wanted or self.folds.is_wanted or self.ensemble.is_wanted

    @property
    def is_shared(self) -> bool:
        """Whether several processes may work on the study at once."""
        return self.folds.fold is not None or self._is_search

    @property
    def is_joined(self) -> bool:
        """Whether the same command joins the unfinished study in the place of a new one."""
        return self.folds.fold is not None or self.is_found_by_storage

    @property
    def is_found_by_storage(self) -> bool:
        """Whether the same command means the study that is there, complete or not."""
        return self._is_search and self.tuning.storage is not None

    @property
    def _is_search(self) -> bool:
        return self.tuning.is_wanted and not self.folds.is_wanted

    def common(self) -> dict[str, Any]:
        """All settings by name, without what only one of the processes that share it is told."""
        return {**self.flat(), "fold": None}


NO_STUDY = StudySettings()
