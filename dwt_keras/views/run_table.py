"""Runs side by side. Loads no TensorFlow."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from dwt_keras.training.runs import Record
from dwt_keras.views.tables import percent
from dwt_keras.views.tables import table as aligned

# What a run was told that is shown; the file name has the rest.
_SETTINGS = ("dataset", "model", "wavelet", "level", "threshold_rule", "threshold", "batch_size")


def ordered(records: Sequence[Record], key: str) -> list[Record]:
    """Sorts by "folder", "accuracy" (the best first) or "bytes" (the smallest first).

    Runs without the figure come last.
    """
    by_folder = sorted(records, key=lambda record: record.name)
    if key == "accuracy":
        return sorted(by_folder, key=lambda record: -record.metrics.get("test_accuracy", -1.0))
    if key == "bytes":
        return sorted(by_folder, key=lambda record: _bytes(record) or float("inf"))
    return by_folder


def table(records: Sequence[Record]) -> str:
    """One row a run, aligned."""
    return aligned(rows(records), right_from=7)


def rows(records: Sequence[Record]) -> list[tuple[str, ...]]:
    """One row a run below a heading."""
    heading = "run data model wavelet level rule threshold batch epochs".split()
    found: list[tuple[str, ...]] = [(*heading, "accuracy", "zeros", "bytes", "of float32")]
    for record in records:
        size, whole = _bytes(record), record.metrics.get("bytes", {}).get("float32")
        found.append(
            (
                record.name,
                *(_text(record.settings.get(name)) for name in _SETTINGS),
                _text(record.metrics.get("epochs_run")),
                f"{record.metrics['test_accuracy']:.4f}",
                _percent(record.metrics.get("zero_fraction")),
                f"{size:,}" if size else "",
                percent(size / whole) if size and whole else "",
            )
        )
    return found


def comma_separated(records: Sequence[Record]) -> str:
    """All settings and figures, one row a run, under a row of names."""
    names = list(dict.fromkeys(name for record in records for name in record.settings))
    sizes = ("float32", "dwtz", "keras", "serving")
    figures = ("test_accuracy", "test_loss", "zero_fraction", "epochs_run")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["run", *names, *figures, *(f"bytes_{name}" for name in sizes), "seconds"])
    for record in records:
        metrics = record.metrics
        writer.writerow(
            [
                record.name,
                *(_text(record.settings.get(name)) for name in names),
                *(_text(metrics.get(name)) for name in figures),
                *(_text(metrics.get("bytes", {}).get(name)) for name in sizes),
                _text(metrics.get("seconds", {}).get("total")),
            ]
        )
    return text.getvalue().rstrip("\n")


def _bytes(record: Record) -> int | None:
    size: int | None = record.metrics.get("bytes", {}).get("dwtz")
    return size


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else percent(fraction)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "" if value is None else str(value)
