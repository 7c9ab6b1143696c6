"""Figures of a search: its trials one after another, what matters, and what a byte costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

from matplotlib.ticker import (
    MaxNLocator,
    PercentFormatter,
)

from dwt_keras.views import drawing
from dwt_keras.views.drawing import Drawn
from dwt_keras.views.study_view import PRUNED, StudyView, Trial

_LABELS = {"accuracy": "validation accuracy", "bytes": "bytes of model.dwtz"}


def write(study: StudyView, folder: Path, kind: str) -> None:
    """Writes `optimization_history`, `importances` and, where bytes are an objective, `front`.

    Args:
        study: The search.
        folder: Where the files go.
        kind: "png" or "svg".
    """
    for drawn in (history(study), importances(study), front(study)):
        if drawn is not None:
            drawing.save(drawn.figure, folder / f"{drawn.name}.{kind}")


def history(study: StudyView) -> Drawn:
    """Each objective by the number of the trial, with the best so far."""
    names = study.objectives
    figure, grid = drawing.figure(7.0, 0.6 + 2.6 * len(names), rows=len(names), sharex=True)
    for axes, name in zip(grid, names, strict=True):
        value, better = _of(name)
        trials = study.complete
        axes.plot(
            [trial.number for trial in trials],
            [value(trial) for trial in trials],
            "o",
            color=drawing.BLUE,
            markersize=4,
            label="complete",
        )
        pruned = [trial for trial in study.trials if trial.state == PRUNED and trial.metrics]
        if name == "accuracy" and pruned:
            axes.plot(
                [trial.number for trial in pruned],
                [trial.accuracy for trial in pruned],
                "x",
                color=drawing.GREY,
                markersize=4,
                label="pruned, as it was last",
            )
        counted = [trial for trial in trials if trial.is_feasible]
        if counted:
            best = itertools.accumulate(map(value, counted), better)
            axes.step(
                [trial.number for trial in counted],
                list(best),
                where="post",
                color=drawing.ORANGE,
                label="best so far",
            )
        axes.set_ylabel(_LABELS[name])
        if name == "bytes":
            drawing.in_bytes(axes, _LABELS[name], "y")
        axes.legend(frameon=False, fontsize=8)
        drawing.plain(axes)
    grid[-1].set_xlabel("trial")
    grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    said = "What each trial came to, and the best until then."
    return Drawn("optimization_history", "Trials one after another", said, figure)


def importances(study: StudyView) -> Drawn | None:
    """How much each parameter decides of an objective; None where it is not known."""
    known = {name: found for name, found in study.importances.items() if found}
    if not known:
        return None
    count = max(map(len, known.values()))
    figure, grid = drawing.figure(7.0, len(known) * (0.9 + 0.3 * count), rows=len(known))
    for axes, (name, found) in zip(grid, known.items(), strict=True):
        ordered = sorted(found.items(), key=lambda item: item[1])
        axes.barh([item[0] for item in ordered], [item[1] for item in ordered], color=drawing.BLUE)
        axes.set_xlim(0.0, 1.0)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        drawing.title(axes, _LABELS[name])
        drawing.plain(axes, "x")
    grid[-1].set_xlabel("share of what all parameters explain (PED-ANOVA)")
    said = "How much each parameter decides whether a trial is among the best."
    return Drawn("importances", "What matters", said, figure)


def front(study: StudyView) -> Drawn | None:
    """Accuracy over bytes, and the front; None where bytes are no objective."""
    if "bytes" not in study.objectives:
        return None
    figure, (axes,) = drawing.figure(7.0, 4.4)
    others = [trial for trial in study.complete if trial not in study.front]
    axes.plot(*_places(others), "o", color=drawing.GREY, alpha=0.6, markersize=4, label="trial")
    if study.front:
        ordered = sorted(study.front, key=lambda trial: trial.bytes)
        axes.step(
            *_places(ordered),
            "o-",
            where="post",
            color=drawing.BLUE,
            markersize=5,
            label="Pareto front",
        )
    axes.plot(
        *_places([study.best]),
        "o",
        color=drawing.VERMILION,
        fillstyle="none",
        markersize=11,
        label=f"best, trial {study.best.number:03d}",
    )
    if study.least_accuracy is not None:
        axes.axhline(
            study.least_accuracy,
            color="black",
            linestyle="--",
            linewidth=1.0,
            label="accuracy that is asked for",
        )
    drawing.in_bytes(axes, _LABELS["bytes"])
    axes.set_ylabel(_LABELS["accuracy"])
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    drawing.plain(axes, "both")
    said = "Accuracy over size; of the trials of the front none is better in both."
    return Drawn("front", "Accuracy and bytes", said, figure)


def _places(trials: list[Trial]) -> tuple[list[int], list[float]]:
    return [trial.bytes for trial in trials], [trial.accuracy for trial in trials]


def _of(name: str) -> tuple[Callable[[Trial], float], Callable[[float, float], float]]:
    """What is drawn for an objective, and which of two is better."""
    if name == "accuracy":
        return lambda trial: trial.accuracy, max
    return lambda trial: float(trial.bytes), min
