"""List all runs of train.py below a folder. Loads no TensorFlow.

A run counts once its metrics.json is there, which is written last.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dwt_keras import checks
from dwt_keras.settings.commands import RunsSettings
from dwt_keras.training import runs
from dwt_keras.views import run_table


def run(folder: str, settings: RunsSettings) -> None:
    """Prints one row a run: what it was told, what it came to.

    Args:
        folder: Any folder above runs, or one run's.
        settings: The order, and the form.

    Raises:
        UserError: If there is no such folder, or no run in it.
    """
    if not Path(folder).is_dir():
        raise checks.UserError(f"{folder}: must be a folder; there is none of that name")
    found, problems = runs.find(Path(folder))
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    if not found:
        raise checks.UserError(f"{folder}: has no finished run of train.py below it")
    ordered = run_table.ordered(found, settings.sort)
    print(run_table.comma_separated(ordered) if settings.csv else run_table.table(ordered))
