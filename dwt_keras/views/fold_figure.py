"""A cross-validation as a figure, from what its study.json says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from dwt_keras.views import drawing
from dwt_keras.views.drawing import Drawn
from dwt_keras.views.fold_table import FIGURES

_LABELS = {
    "accuracy": "accuracy (share)",
    "zero_fraction": "zero coefficients (%)",
    "bytes": "compact file (bytes)",
}
_COLOURS = (drawing.BLUE, drawing.ORANGE)
# Letters of a setting's name that there is room for.
_LONGEST = 24


def draw(record: Mapping[str, Any]) -> Drawn:
    """Every fold as a dot, the mean with its interval beside them, for each figure."""
    settings = record["settings"]
    shown = [name for name in FIGURES if all(name in each["summary"] for each in settings)]
    width = 1.2 + (1.6 + 0.6 * len(settings)) * len(shown)
    figure, grid = drawing.figure(width, 3.4, columns=len(shown))
    for axes, name in zip(grid, shown, strict=True):
        _draw(axes, name, settings)
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    said = "Each dot is a fold, scored on the samples that its network has not seen; beside them "
    said += "the mean with its 95 % confidence interval, and the network trained on everything."
    if len(settings) > 1:
        said += " Lines join what both settings made of the same fold."
    return Drawn("folds", "Cross-validation", said, figure)


def _draw(axes: Axes, name: str, settings: Sequence[Mapping[str, Any]]) -> None:
    values = [[fold[name] for fold in setting["folds"]] for setting in settings]
    if len(values) > 1:
        for pair in zip(*values, strict=True):
            axes.plot(range(len(pair)), pair, color="#bbbbbb", linewidth=0.8, zorder=1)
    for place, (setting, column, colour) in enumerate(
        zip(settings, values, _COLOURS, strict=False)
    ):
        first = place == 0
        axes.plot(
            [place] * len(column),
            column,
            "o",
            color=colour,
            markersize=4,
            alpha=0.7,
            label="folds" if first else None,
        )
        found = setting["summary"][name]
        axes.errorbar(
            place + 0.22,
            found["mean"],
            [[found["mean"] - found["low"]], [found["high"] - found["mean"]]],
            fmt="s",
            color=colour,
            markersize=5,
            capsize=3,
            label="mean, 95 % interval" if first else None,
        )
        axes.plot(
            place - 0.22,
            setting["final"][name],
            "D",
            color=drawing.GREY,
            markersize=4,
            label="trained on everything" if first else None,
        )
    axes.set_xlim(-0.5, len(settings) - 0.5)
    axes.set_xticks(range(len(settings)), [_short(setting["name"]) for setting in settings])
    axes.set_ylabel(_LABELS[name])
    if name == "zero_fraction":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    drawing.plain(axes)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
