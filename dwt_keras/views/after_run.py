"""What is written when a run has been trained and exported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.views import NONE
from dwt_keras.training import control, data, fitting, telling
from dwt_keras.views import outcomes, run_view, tensorboard_run


def write(
    trained: fitting.Trained,
    settings: Settings,
    dataset: data.Dataset,
    folder: Path,
    metrics: dict[str, Any],
) -> None:
    """Writes figures and report into a run's folder, and its settings and figures for TensorBoard.

    All of these can be made again from the folder: what goes wrong is said in one line, and costs
    no training.

    Args:
        trained: The network, with the weights that ship.
        settings: The run's.
        dataset: The data.
        folder: The run's.
        metrics: What its metrics.json will hold.
    """
    try:
        name = Path(os.path.relpath(folder, settings.training.save_dir)).as_posix()
        tensorboard_run.write(folder / "tensorboard", settings, metrics, name)
        if settings.views.figures == NONE:
            return
        # Here, as they load Matplotlib.
        from dwt_keras.views import figures, report

        run = run_view.read(folder, metrics, _before(trained))
        shown = figures.write(run, settings.views.figures)
        dense = control.find(settings, dataset)
        network = None if dense is None else load_control(dense.folder)
        report.write_run(run, shown, outcomes.of(trained.model, dataset, network))
    except Exception as error:  # Of Matplotlib, say, or of a disk that is full.
        said = checks.said(error)
        telling.say(f"no figures or report: {said} (python -m dwt_keras report {folder})")


def load_control(folder: Path) -> keras.Model:
    """The network of a dense control, not compiled."""
    return keras.models.load_model(folder / "model.keras", compile=False)


def _before(trained: fitting.Trained) -> dict[str, run_view.Before]:
    """Kernels before their last shrinking, but for those in a frame, which no file holds."""
    shrunk = trained.compression.report
    if shrunk is None:
        return {}
    thresholds = {row.path: row.threshold for row in shrunk.targets}
    return {
        target.path: run_view.Before(trained.before[target.path], thresholds[target.path])
        for target in trained.compression.targets
        if target.path in trained.before and not target.basis.is_frame
    }
