"""A cross-validation as text, from what its study.json says. Loads no TensorFlow."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from dwt_keras.views.tables import percent
from dwt_keras.views.tables import table as aligned

Record = Mapping[str, Any]

# The figures that are summed up and compared; which settings are the better ones, and what they
# are then called.
FIGURES = ("accuracy", "zero_fraction", "bytes")
_BETTER = {
    "accuracy": (1, "more accurate"),
    "zero_fraction": (1, "sparser"),
    "bytes": (-1, "smaller"),
}
_SUMS = (
    ("mean", "mean"),
    ("standard deviation", "deviation"),
    ("95 % interval, from", "low"),
    ("95 % interval, to", "high"),
)


def text(record: Record) -> str:
    """A table for each setting, and what can be said of their difference where there are two."""
    tables = []
    for setting in record["settings"]:
        heading = f"{setting['name']}\n" if setting["name"] else ""
        tables.append(heading + table(setting))
    names = [setting["name"] for setting in record["settings"]]
    said = [
        verdict(figure, found, *names) for figure, found in record.get("comparison", {}).items()
    ]
    return "\n\n".join([*tables, *(["\n".join(said)] if said else [])])


def table(setting: Record) -> str:
    """One line a fold, then mean, deviation and interval, then the run on everything."""
    runs = [*setting["folds"], setting["final"]]
    repeated = setting["folds"][-1]["repeat"] > 1
    lines = [["fold", "scored on", "accuracy", "zeros", "bytes"]]
    for run in setting["folds"]:
        name = f"{run['repeat']}.{run['fold']}" if repeated else str(run["fold"])
        lines.append([name, f"{run['samples']:,}", *_cells(run)])
    for name, part in _SUMS:
        sums = {figure: setting["summary"].get(figure, {}).get(part) for figure in FIGURES}
        lines.append([name, "", *_cells(sums)])
    final = setting["final"]
    lines.append(["all, on the test part", f"{final['samples']:,}", *_cells(final)])
    found = aligned(lines, right_from=1)
    chosen = [f"{run['folder']}: {assigned(run['chosen'])}" for run in runs if "chosen" in run]
    return "\n".join([found, *(["", "chosen by the search:", *chosen] if chosen else [])])


def verdict(figure: str, found: Record, first: str, second: str) -> str:
    """Whether one of two settings can be said to be better, in a sentence.

    Args:
        figure: What they were compared by.
        found: How they differ in it.
        first: Name of the settings that the others were taken from.
        second: Name of the others.
    """
    sign, word = _BETTER[figure]
    p = "p not to be had" if found["p"] is None else f"p = {found['p']:.3g}"
    measured = (
        f"{first} minus {second}: {_shown(figure, found['difference'])}, 95 % interval by the "
        f"corrected t {_shown(figure, found['low'])} to {_shown(figure, found['high'])}; {p} by "
        f"{found['test']}, {found['pairs']} pairs"
    )
    if found["significant"]:
        better, worse = (first, second) if sign * found["difference"] > 0 else (second, first)
        said = f"{better} can be said to be {word} than {worse}"
    else:
        said = f"neither can be said to be {word}"
    note = f"; {found['note']}" if found["note"] else ""
    return f"{said} ({measured}{note})"


def comma_separated(record: Record) -> str:
    """One row a run under a row of names; the last run, on everything, is of no fold."""
    names = ["repeat", "fold", "samples", "accuracy", "loss", "zero_fraction", "bytes", "seconds"]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["setting", *names, "folder", "chosen"])
    for setting in record["settings"]:
        for run in (*setting["folds"], setting["final"]):
            cells = [run.get(name, "") for name in names]
            chosen = assigned(run.get("chosen", {}))
            writer.writerow([setting["name"], *cells, run["folder"], chosen])
    return stream.getvalue()


def assigned(values: Record) -> str:
    """Settings as they are written in flags: `wavelet=haar level=2`."""
    return " ".join(f"{name}={value}" for name, value in values.items())


def _cells(values: Record) -> list[str]:
    return [_shown(figure, values.get(figure)) for figure in FIGURES]


def _shown(figure: str, value: float | None) -> str:
    if value is None:
        return ""
    if figure == "zero_fraction":
        return percent(value)
    return f"{value:.4f}" if figure == "accuracy" else f"{value:,.0f}"
