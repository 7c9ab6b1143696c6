"""What a cross-validation came to, as its study.json says it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dwt_keras.settings.folds import FoldSettings
from dwt_keras.studies import statistics
from dwt_keras.studies.fold_tasks import Task
from dwt_keras.views.fold_table import FIGURES

Record = dict[str, Any]

_MOST = {"accuracy": 1.0, "zero_fraction": 1.0, "bytes": math.inf}


def of(
    of_folds: Sequence[Task],
    finals: Sequence[Task],
    told: FoldSettings,
    test_samples: int,
    folder: Path,
) -> Record:
    """The record of a cross-validation whose tasks are all done.

    Args:
        of_folds: The tasks of all folds.
        finals: The last task of each setting.
        told: How many folds there are, and how settings are compared.
        test_samples: How many the test part has, on which the last tasks are scored.
        folder: The study's.
    """
    # What is held out over what teaches: to learn from, or to decide by.
    ratio = 1.0 / (int(told.folds or 0) - 1)
    found: list[Record] = []
    for final in finals:
        rows = [
            {
                "repeat": task.split.repeat,
                "fold": task.split.fold,
                "samples": len(task.split.held_out),
                **_figures(task, folder),
            }
            for task in of_folds
            if task.variant is final.variant and task.split is not None
        ]
        sums = {
            figure: dataclasses.asdict(
                statistics.summary([row[figure] for row in rows], ratio, 0.0, _MOST[figure])
            )
            for figure in FIGURES
            if all(figure in row for row in rows)
        }
        last = {"samples": test_samples, **_figures(final, folder)}
        found.append({"name": final.variant.name, "folds": rows, "summary": sums, "final": last})
    record: Record = {"kind": "cross-validation", "settings": found}
    if told.compare is not None:
        record["comparison"] = _comparison(found[0], found[1], ratio, told.comparison_test)
    return record


def _comparison(
    first: Mapping[str, Any], second: Mapping[str, Any], ratio: float, test: str
) -> dict[str, Record]:
    """How two settings differ in each figure that both have."""
    found = {}
    for figure in FIGURES:
        if figure in first["summary"] and figure in second["summary"]:
            one, other = ([row[figure] for row in each["folds"]] for each in (first, second))
            compared = statistics.compare(one, other, ratio, test)
            significant = compared.is_significant
            found[figure] = {**dataclasses.asdict(compared), "significant": significant}
    return found


def _figures(task: Task, folder: Path) -> Record:
    """What a run came to. A key that does not apply is absent."""
    member = task.member
    assert member is not None  # It is done.
    metrics = member.metrics
    zeros = metrics.get("zero_fraction")
    chosen = {"chosen": _chosen(task)} if task.study.tuning.is_wanted else {}
    return {
        "accuracy": metrics["test_accuracy"],
        "loss": metrics["test_loss"],
        **({} if zeros is None else {"zero_fraction": zeros}),
        "bytes": metrics["bytes"]["dwtz"],
        "seconds": metrics["seconds"]["total"],
        "folder": task.run.relative_to(folder).as_posix(),
        **chosen,
    }


def _chosen(task: Task) -> Record:
    """What the run that a search chose has of the settings that were searched."""
    record = json.loads((task.run / "settings.json").read_text(encoding="utf-8"))["settings"]
    return {parameter.name: record[parameter.name] for parameter in task.study.tuning.parameters}
