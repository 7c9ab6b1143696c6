"""An ensemble beside single networks: a table, and what is drawn of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure

from dwt_keras import checks
from dwt_keras.settings.views import NONE
from dwt_keras.training import control, data, telling
from dwt_keras.views import after_run, drawing, figures, outcomes, report, run_view
from dwt_keras.views.tables import percent
from dwt_keras.views.tables import table as aligned


def table(record: Mapping[str, Any]) -> str:
    """Accuracy and bytes of the ensemble, of its members and of single networks.

    Args:
        record: What study.json says.
    """
    rows = [("", "test accuracy", "bytes", "of the dense network")]
    whole = record["dense"]["bytes"]
    count = len(record["by_count"])
    names = {
        "ensemble": f"ensemble of {count} ({record['kind']}, {record['combine']})",
        "mean_member": "its members, in the mean",
        "single": "a single network of the same settings",
        "dense": "the dense network, float32",
    }
    for key, name in names.items():
        size = record[key]["bytes"]
        accuracy = f"{record[key]['test_accuracy']:.4f}"
        rows.append((name, accuracy, f"{size:,.0f}", percent(size / whole)))
    return aligned(rows, right_from=1)


def write(
    model: keras.Model,
    dataset: data.Dataset,
    folder: Path,
    record: Mapping[str, Any],
    metrics: dict[str, Any],
    dense: control.Control,
    kind: str,
) -> None:
    """Writes figures and report of an ensemble; what goes wrong is said, and costs nothing else.

    Args:
        model: The ensemble, as it ships.
        dataset: The data.
        folder: The study's.
        record: What its study.json will hold.
        metrics: What its metrics.json will hold.
        dense: The dense control.
        kind: svg, png or none.
    """
    if kind == NONE:
        return
    try:
        drawing.save(draw(record), folder / "figures" / f"ensemble.{kind}")
        view = run_view.read(folder, metrics, {})
        shown = figures.write(view, kind)
        network = after_run.load_control(dense.folder)
        report.write_run(view, shown, outcomes.of(model, dataset, network))
    except Exception as error:  # Of Matplotlib, say, or of a disk that is full.
        telling.say(f"no figures or report: {checks.said(error)}")


def draw(record: Mapping[str, Any]) -> Figure:
    """Test accuracy against bytes: of members, of ever more of them together, of single networks.

    Args:
        record: What study.json says.
    """
    figure, (axes,) = drawing.figure(7.0, 4.2)
    members = [each for each in record["members"] if each["weight"]]
    sizes = list(itertools.accumulate(each["bytes"] for each in members))
    # Of all of them there is a file.
    sizes[-1] = record["ensemble"]["bytes"]
    axes.plot(
        sizes,
        record["by_count"],
        "o-",
        color=drawing.VERMILION,
        markersize=5,
        label="the first members together",
    )
    axes.plot(
        [each["bytes"] for each in members],
        [each["test_accuracy"] for each in members],
        "o",
        color=drawing.SKY,
        markersize=4,
        label="each member",
    )
    for key, marker, colour, label in (
        ("single", "D", drawing.GREEN, "a single network of the same settings"),
        ("dense", "s", drawing.GREY, "the dense network, float32"),
    ):
        found = record[key]
        axes.plot([found["bytes"]], [found["test_accuracy"]], marker, color=colour, label=label)
    axes.axhline(record["dense"]["test_accuracy"], color=drawing.GREY, linewidth=0.8, linestyle=":")
    drawing.in_bytes(axes, "bytes")
    axes.set_ylabel("test accuracy (share)")
    axes.legend(frameon=False, fontsize=8)
    drawing.plain(axes, "both")
    return figure
