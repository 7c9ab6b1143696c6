"""What a run's epochs were, read from its folder. Loads no TensorFlow."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

History = dict[str, list[float]]


def of_run(folder: Path, metrics: Mapping[str, Any]) -> History:
    """The epochs of a run, of the trial that was chosen where several sizes were tried.

    Args:
        folder: The run's.
        metrics: What it came to.

    Returns:
        Each column of history.csv by name, in the order of the file; what is no number is NaN.
        Empty where there is no history, or none that can be read.
    """
    path = folder / "history.csv"
    searched = metrics.get("accuracy_drop")
    if not path.is_file() and searched:
        number = searched.get("chosen_trial")
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


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan
