"""Cross-validation."""

from __future__ import annotations

from pathlib import Path

from dwt_keras.settings import Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies.outcome import Outcome
from dwt_keras.training import data


def run(settings: Settings, study: StudySettings, dataset: data.Dataset, folder: Path) -> Outcome:
    """To be written."""
    raise NotImplementedError
