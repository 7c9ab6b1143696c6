"""Figures of a training: its curves over the epochs, and where coefficients went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from dwt_keras.views import drawing
from dwt_keras.views.drawing import Drawn
from dwt_keras.views.run_view import Kernel, RunView

# How many kernels a figure shows, those with the most coefficients, and how many subbands of one
# before those of a level are taken together.
_KERNELS, _SUBBANDS = 12, 10
_HISTOGRAMS = 4

# Title and caption of the figure of coefficients.
COEFFICIENTS = (
    "Coefficients and threshold",
    "Magnitudes of the largest kernels' coefficients, on a scale of powers of ten down to a "
    "ten-thousandth of the largest, before the last shrinking where that is known and as they "
    "ship, quantised; the line is the threshold.",
)


def training(run: RunView) -> Drawn | None:
    """Loss, accuracy, and threshold with zero fraction over the epochs; None without a history.

    Epochs count from 1; those of the head's phase, 0 and below, stand on grey.
    """
    columns = run.history
    epochs = np.asarray(columns.get("epoch", ())) + 1
    if not len(epochs):
        return None
    figure, (loss, accuracy, ramp) = drawing.figure(7.0, 6.6, rows=3, sharex=True)
    marker = "o" if len(epochs) <= 20 else ""
    style: dict[str, Any] = {"marker": marker, "markersize": 3, "linewidth": 1.5}
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        for column, label, colour in (
            (name, "training part", drawing.BLUE),
            (f"val_{name}", "validation part", drawing.ORANGE),
        ):
            if column in columns:
                axes.plot(epochs, columns[column], label=label, color=colour, **style)
        axes.set_ylabel("cross-entropy (nats)" if name == "loss" else "accuracy (share)")
        drawing.title(axes, name)
        if axes.lines:
            axes.legend(frameon=False, fontsize=8)
    lines = []
    if "threshold" in columns:
        lines += ramp.plot(
            epochs, columns["threshold"], label="threshold", color=drawing.GREEN, **style
        )
    ramp.set_ylabel("threshold (magnitude)")
    ramp.set_ylim(bottom=0)
    zeros = ramp.twinx()
    if "zero_fraction" in columns:
        # Another dash too, for readers without colours.
        dashed = {**style, "linestyle": "--"}
        lines += zeros.plot(
            epochs, columns["zero_fraction"], label="zeros", color=drawing.PURPLE, **dashed
        )
    zeros.yaxis.set_major_formatter(PercentFormatter(1.0))
    zeros.set_ylim(0.0, 1.0)
    zeros.set_ylabel("zero coefficients (%)", fontsize=9)
    zeros.tick_params(labelsize=8)
    zeros.spines["top"].set_visible(False)
    drawing.title(ramp, "threshold and zeros")
    if lines:
        ramp.legend(handles=lines, frameon=False, fontsize=8, loc="lower right")
    ramp.set_xlabel("epoch")
    ramp.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (loss, accuracy, ramp):
        drawing.plain(axes)
        if epochs[0] < 1:
            axes.axvspan(epochs[0] - 0.5, 0.5, color="0.92", zorder=0)
    said = "Loss and accuracy on the training and validation parts, and the threshold with the "
    said += "share of zero coefficients, after each epoch."
    if epochs[0] < 1:
        said += " On grey the epochs in which the head learns alone, uncompressed."
    return Drawn("training", "Training", said, figure)


def zeros(run: RunView) -> Drawn | None:
    """The share of zeros in each subband of each kernel, as bars."""
    kernels = _largest(run.kernels, _KERNELS)
    rows = [(kernel, *band) for kernel in kernels for band in _bands(kernel)]
    if not rows:
        return None
    figure, (axes,) = drawing.figure(7.0, 1.0 + 0.24 * (len(rows) + len(kernels)))
    place, places, labels = 0.0, [], []
    colours = (drawing.BLUE, drawing.ORANGE)
    for number, kernel in enumerate(kernels):
        axes.text(0.005, place, f"{kernel.path}, {kernel.basis}", fontsize=9, va="center")
        place += 1
        for name, values in _bands(kernel):
            share = 1.0 - np.count_nonzero(values) / values.size
            axes.barh(place, share, 0.8, color=colours[number % 2])
            inside = share > 0.15
            axes.text(
                share + (-0.008 if inside else 0.008),
                place,
                f"{100 * share:.1f} %",
                ha="right" if inside else "left",
                va="center",
                fontsize=7,
                color="white" if inside and number % 2 == 0 else "black",
            )
            places.append(place)
            labels.append(f"{name} ({values.size:,})")
            place += 1
    axes.set_yticks(places, labels)
    axes.set_ylim(place - 0.4, -0.6)
    axes.set_xlim(0.0, 1.0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("zeros among the coefficients of the subband (%)")
    axes.set_ylabel("subband (number of coefficients)")
    drawing.plain(axes, "x")
    said = "Share of zeros in each subband; a stands for approximation, d for details along an "
    said += "axis, the number for the level (1 is the finest)."
    return Drawn("zeros", "Zeros by layer and subband", said, figure)


def coefficients(run: RunView) -> Drawn | None:
    """How large coefficients are, before their last shrinking and as they ship."""
    kernels = _largest(run.kernels, _HISTOGRAMS)
    kernels = [kernel for kernel in kernels if kernel.coefficients.any()]
    if not kernels:
        return None
    columns = min(2, len(kernels))
    rows = math.ceil(len(kernels) / columns)
    figure, grid = drawing.figure(7.0, 0.7 + 2.4 * rows, rows, columns)
    for axes, kernel in zip(grid, kernels, strict=False):
        _histogram(axes, kernel, run.threshold)
    for axes in grid[len(kernels) :]:
        axes.remove()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return Drawn("coefficients", *COEFFICIENTS, figure)


def _histogram(axes: Axes, kernel: Kernel, threshold: float | None) -> None:
    shipped = _magnitudes(kernel.coefficients)
    parts = [shipped]
    if kernel.before is not None:
        parts.insert(0, _magnitudes(kernel.basis.decompose(kernel.before.weights)))
        threshold = kernel.before.threshold
    most = max(float(part.max(initial=0.0)) for part in parts)
    # Below a ten-thousandth of the largest there is rounding, where the support was held.
    bins = np.logspace(math.log10(most) - 4.0, math.log10(most) + 0.05, 61)
    counts = [np.histogram(part, bins)[0] for part in parts]
    if len(parts) > 1:
        axes.stairs(
            counts[0], bins, color=drawing.BLUE, linewidth=1.2, label="before the last shrinking"
        )
    axes.stairs(counts[-1], bins, color=drawing.ORANGE, alpha=0.7, fill=True, label="as they ship")
    if threshold:
        axes.axvline(threshold, color="black", linestyle="--", linewidth=1.0, label="threshold")
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())  # They take half of the time of drawing.
    axes.set_xlim(bins[0], bins[-1])
    share = 1.0 - len(shipped) / max(kernel.coefficients.size, 1)
    drawing.title(axes, f"{kernel.path}: {100 * share:.1f} % zeros")
    axes.set_xlabel("magnitude")
    axes.set_ylabel("coefficients")
    drawing.plain(axes)


def _magnitudes(values: Any) -> Any:
    found = np.abs(values).reshape(-1)
    return found[found > 0]


def _largest(kernels: Sequence[Kernel], count: int) -> list[Kernel]:
    """Those with the most coefficients, in the order of the network."""
    sizes = sorted((kernel.coefficients.size for kernel in kernels), reverse=True)
    least = sizes[count - 1] if len(sizes) > count else 0
    return [kernel for kernel in kernels if kernel.coefficients.size >= least][:count]


def _bands(kernel: Kernel) -> list[tuple[str, Any]]:
    """Subbands with their coefficients; by level where there are many."""
    bands = kernel.basis.subbands
    values = [kernel.coefficients[band.slices].reshape(-1) for band in bands]
    if len(bands) <= _SUBBANDS:
        return [(band.name, part) for band, part in zip(bands, values, strict=True)]
    found: dict[str, list[Any]] = {}
    for band, part in zip(bands, values, strict=True):
        name = "approximation" if band.is_approximation else f"details, level {band.level}"
        found.setdefault(name, []).append(part)
    return [(name, np.concatenate(parts)) for name, parts in found.items()]
