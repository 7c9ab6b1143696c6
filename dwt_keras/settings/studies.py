"""What a study is told: loops over runs, whose own settings are `Settings`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from dwt_keras import checks
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
        if not self.ensemble.is_wanted:
            return
        for name in ("trials", "folds"):
            if self.flat()[name] is not None:
                raise checks.ArgumentError("ensemble", f"must not be given beside {name}")

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a study, and not a single run."""
        return self.tuning.is_wanted or self.folds.is_wanted or self.ensemble.is_wanted

    @property
    def is_shared(self) -> bool:
        """Whether several processes may work on the study at once: on a search they may."""
        return self.tuning.is_wanted and not self.folds.is_wanted

    @property
    def is_joined(self) -> bool:
        """Whether the same command joins the study that is there in the place of a new one."""
        return self.is_shared and self.tuning.storage is not None
