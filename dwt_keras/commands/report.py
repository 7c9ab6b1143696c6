"""Write report.html: of one run all that is to be seen of it, of several a comparison.

A run's own report is written by train.py already; this writes it anew, with what has come to the
run's folder since (a dense control, the figures of saliency and benchmark).
"""

from __future__ import annotations

import sys
from pathlib import Path

from dwt_keras import checks, command_line
from dwt_keras.commands import trained
from dwt_keras.settings.commands import ReportSettings
from dwt_keras.settings.views import NONE, SVG
from dwt_keras.training import runs


def run(folder: str, settings: ReportSettings) -> None:
    """Prints where the page is.

    Args:
        folder: A run's, or any folder above runs.
        settings: Where the data are.

    Raises:
        UserError: If there is no such folder, or no run in it.
    """
    place = Path(folder)
    if not place.is_dir():
        raise checks.UserError(f"{folder}: must be a folder; there is none of that name")
    if (place / "metrics.json").is_file():
        print(f"written: {_of_run(place, settings)}")
        return
    from dwt_keras.views import report

    found, problems = runs.find(place)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    if not found:
        raise checks.UserError(f"{folder}: has no finished run of train.py below it")
    print(f"written: {report.write_comparison(place, found)}")


def _of_run(place: Path, settings: ReportSettings) -> Path:
    from dwt_keras.views import figures, report, run_view

    view = run_view.read(place)
    outcomes = None
    try:
        told = trained.settings_in(place)
        dataset = trained.dataset_of(told, settings.data_dir)
    except checks.UserError as error:
        print(f"left out: confusions, and what compression changed: {error}")
    else:
        command_line.load_tensorflow()
        # Loads TensorFlow.
        from dwt_keras.views import outcomes as of_data

        control = trained.dense_control(told, dataset)
        outcomes = of_data.of(
            trained.network(place / "model.keras", dataset),
            dataset,
            None if control is None else trained.network(control, dataset),
        )
    kind = view.settings.get("figures", SVG)
    return report.write_run(view, figures.write(view, SVG if kind == NONE else kind), outcomes)
