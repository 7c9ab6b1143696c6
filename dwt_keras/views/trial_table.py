"""The trials of a search side by side. Loads no TensorFlow."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from dwt_keras.views.study_view import StudyView, Trial, shortened
from dwt_keras.views.tables import percent
from dwt_keras.views.tables import table as aligned

# How many trials the terminal shows.
_SHOWN = 10


def table(study: StudyView) -> str:
    """The best trials, one row each, aligned; below it how many there are besides."""
    ranked = ranking(study)
    shown = ranked[:_SHOWN]
    names = list(study.best.values)
    rows = [("trial", *names, "validation accuracy", "bytes", "zeros", "")]
    for trial in shown:
        zeros = trial.metrics.get("zero_fraction")
        rows.append(
            (
                f"{trial.number:03d}",
                *(shortened(trial.values[name]) for name in names),
                f"{trial.accuracy:.4f}",
                f"{trial.bytes:,}",
                "" if zeros is None else percent(zeros),
                _note(study, trial),
            )
        )
    counts = _counts(study, len(ranked) - len(shown))
    return aligned(rows, right_from=len(names) + 1) + (f"\n{counts}" if counts else "")


def ranking(study: StudyView) -> list[Trial]:
    """Complete trials, the best first; with two objectives the front by bytes, then the rest."""
    front = {trial.number for trial in study.front}

    def key(trial: Trial) -> tuple[float, ...]:
        if study.objectives == ("bytes",):
            missing = 0.0 if trial.is_feasible else -trial.accuracy
            return (not trial.is_feasible, missing, trial.bytes, trial.number)
        if front:
            is_behind = trial.number not in front
            return (is_behind, -trial.accuracy if is_behind else trial.bytes, trial.number)
        return (-trial.accuracy, trial.bytes, trial.number)

    return sorted(study.complete, key=key)


def comma_separated(trials: Sequence[Trial], names: Sequence[str]) -> str:
    """All trials, one row each, under a row of names.

    Args:
        trials: The trials.
        names: Of the parameters.
    """
    figures = ("validation_accuracy", "validation_loss")
    others, last = ("zero_fraction", "epochs_run"), ("seconds", "same_as", "failure")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heading = ["trial", "state", *names, *figures, "bytes", *others, *last]
    writer.writerow(heading)
    for trial in trials:
        metrics = trial.metrics
        cells = [trial.number, trial.state, *(trial.values.get(name, "") for name in names)]
        cells += [metrics.get(name, "") for name in figures]
        cells.append(metrics.get("bytes", {}).get("dwtz", ""))
        cells += [metrics.get(name, "") for name in others]
        cells.append(metrics.get("seconds", {}).get("total", ""))
        writer.writerow([*cells, trial.same_as, trial.failure])
    return text.getvalue()


def _note(study: StudyView, trial: Trial) -> str:
    if trial is study.best:
        return "best"
    if not trial.is_feasible:
        return "not accurate enough"
    return "front" if trial in study.front else ""


def _counts(study: StudyView, more: int) -> str:
    counted = {
        "more complete": more,
        "pruned": sum(trial.state == "pruned" for trial in study.trials),
        "failed": sum(trial.state == "failed" for trial in study.trials),
    }
    said = ", ".join(f"{count} {what}" for what, count in counted.items() if count)
    return f"and {said}" if said else ""
