"""Cross-validation: a run for each fold, scored on it, and one on everything at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from dwt_keras import files
from dwt_keras.settings import Settings
from dwt_keras.settings.folds import FoldSettings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.settings.views import NONE
from dwt_keras.studies import fold_record, predictions, progress, splits, variants
from dwt_keras.studies.fold_tasks import Task
from dwt_keras.studies.outcome import Outcome
from dwt_keras.training import claims, data, resuming, runs
from dwt_keras.views import fold_table


def run(settings: Settings, study: StudySettings, dataset: data.Dataset, folder: Path) -> Outcome:
    """Cross-validates, or goes on where that was interrupted.

    Args:
        settings: Of all runs.
        study: How many folds, which of them, what is compared; and what is searched for in each.
        dataset: The data; its training and validation part are divided.
        folder: The study's. It gets a folder for each run, `folds.csv`, `predictions.npz` and a
            figure.

    Returns:
        What it came to; without a record while something is left to other processes.
    """
    told = study.folds
    whole = splits.pool(dataset)
    every = splits.splits(whole.labels, told, settings.training.seed)
    compared = variants.of(settings, told)
    if told.compare is not None:
        for note in dict.fromkeys(n for each in compared for n in each.settings.compression.notes):
            print(note)

    def task(variant: variants.Variant, split: splits.Split | None) -> Task:
        return Task(variant, split, folder / _place(variant, split, told), study)

    of_folds = [task(variant, split) for split in every for variant in compared]
    finals = [task(variant, None) for variant in compared]
    mine = [each for each in of_folds if each.split and told.fold in (None, each.split.fold)]
    _work([*mine, *(finals if told.fold is None else [])], dataset, whole)
    left = {each.split.fold for each in of_folds if each.split and each.member is None}
    if left:
        return Outcome(None, _what_is_left(left, told, folder))
    with contextlib.ExitStack() as stack:
        if study.is_shared and not _may_sum_up(folder, stack):
            return Outcome(None, "all folds are done; another process sums up")
        _work(finals, dataset, whole)
        record = fold_record.of(of_folds, finals, told, len(dataset.test), folder)
        _write(record, of_folds, settings.views.figures, folder)
    return Outcome(record, fold_table.text(record))


def _may_sum_up(folder: Path, stack: contextlib.ExitStack) -> bool:
    """Whether this process does what is left, of all that find every fold done."""
    try:
        return claims.claim(folder / runs.CHECKPOINT / "last", stack)
    except FileNotFoundError:  # Another one is through with it, and has tidied up.
        return False


def _place(variant: variants.Variant, split: splits.Split | None, told: FoldSettings) -> Path:
    """Where a task goes, below the study's folder."""
    parts = [f"setting-{variant.number}"] if variant.number else []
    if split is None:
        return Path(*parts, "final")
    if told.fold_repeats > 1:
        parts.append(f"repeat-{split.repeat}")
    return Path(*parts, f"fold-{split.fold}")


def _work(tasks: Sequence[Task], dataset: data.Dataset, whole: data.Part) -> None:
    """Does those of the tasks that are not done."""
    todo = [task for task in tasks if task.member is None]
    if not todo:
        return
    with progress.over("run", len(tasks), len(tasks) - len(todo)) as shown:
        for task in todo:
            metrics = task.do(dataset, whole).metrics
            part = "accuracy" if task.split else "test accuracy"
            size = metrics["bytes"]["dwtz"]
            shown.step(f"{task.name}, {part} {metrics['test_accuracy']:.4f}, {size:,} bytes")


def _what_is_left(left: set[int], told: FoldSettings, folder: Path) -> str:
    again = resuming.command(folder)
    return (
        f"fold {told.fold} is done; not done yet: {', '.join(map(str, sorted(left)))}\n"
        f"to go on: {again} --fold=K, or {again} for all of them"
    )


def _write(record: fold_record.Record, tasks: Sequence[Task], figures: str, folder: Path) -> None:
    """Writes what stands beside study.json."""
    files.write_text(folder / "folds.csv", fold_table.comma_separated(record))
    predictions.save(folder, predictions.joined([task.folder for task in tasks]))
    if figures != NONE:
        # Here, as it loads Matplotlib.
        from dwt_keras.views import drawing, fold_figure

        drawn = fold_figure.draw(record)
        drawing.save(drawn.figure, folder / "figures" / f"{drawn.name}.{figures}")
