"""What a run's epochs were, read from its folder. Loads no TensorFlow."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dwt_keras.settings import structure

History = dict[str, list[float]]


def of_run(folder: Path, settings: Mapping[str, Any], metrics: Mapping[str, Any]) -> History:
    """The epochs of a run, of the trial that was chosen where several sizes were tried.

    Args:
        folder: The run's.
        settings: What the run was told, by name.
        metrics: What it came to.

    Returns:
        Each column of history.csv by name, in the order of the file; what is no number is NaN.
        Empty where there is no history, or none that can be read.
    """
    path = folder / "history.csv"
    searched = metrics.get("accuracy_drop")
    if not path.is_file() and searched:
        number = _chosen(searched, settings)
        path = next((folder / "trials").glob(f"{number}-*/history.csv"), path)
    return read(path)


def read(path: Path) -> History:
    """The columns of a history.csv, as `of_run` returns them."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    names = [name for name in (rows[0] if rows else {}) if name is not None]
    return {name: [_number(row.get(name)) for row in rows] for name in names}


def _chosen(searched: Mapping[str, Any], settings: Mapping[str, Any]) -> int:
    """The number of the trial that training.accuracy_drop chose; counts from 1."""
    goal = searched["control_validation_accuracy"] - (settings.get("max_accuracy_drop") or 0.0)
    if settings.get("structure", structure.COEFFICIENTS) != structure.COEFFICIENTS:
        goal += settings.get("coding_accuracy_drop") or 0.0
    trials = list(enumerate(searched["trials"], start=1))
    reaching = [trial for trial in trials if trial[1]["validation_accuracy"] >= goal]
    if reaching:
        return min(reaching, key=lambda trial: _size(trial[1]))[0]
    return max(trials, key=lambda trial: trial[1]["validation_accuracy"])[0]


def _size(trial: Mapping[str, Any]) -> float:
    return float(next(value for name, value in trial.items() if name != "validation_accuracy"))


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan
