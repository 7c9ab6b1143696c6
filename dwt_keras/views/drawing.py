"""How figures look, and how they become files.

Figures are made of Matplotlib's objects, without pyplot, whose figures are global and stay until
they are closed. Colours are those of Okabe and Ito, which colour-blind readers tell apart.
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from dwt_keras import files
from dwt_keras.views import pictures

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
GREY = "#666666"
# Up to so many times from end to end an axis of sizes has evenly spaced ticks.
_FEW_TIMES = 8.0

# Blue below zero, white at it, orange above.
DIVERGING = LinearSegmentedColormap.from_list(
    "dwt_keras",
    [
        tuple(part / 255 for part in colour)
        for colour in (pictures.NEGATIVE, pictures.ZERO, pictures.POSITIVE)
    ],
)

PNG, SVG = "png", "svg"
_DPI = 150
# Text stays text; the same figure has the same bytes.
_SAVING: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "dwt_keras"}
_SIZES: dict[Any, Any] = {
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure with what is to be said of it.

    Attributes:
        name: Of its file, without a suffix.
        title: A heading.
        caption: What is to be seen, in a sentence or two.
        figure: The figure.
    """

    name: str
    title: str
    caption: str
    figure: Figure


@dataclasses.dataclass(frozen=True)
class Shown:
    """A figure as the bytes of an image.

    Attributes:
        title: A heading.
        caption: What is to be seen.
        data: The bytes.
        suffix: Of its file, ".svg" or ".png".
    """

    title: str
    caption: str
    data: bytes
    suffix: str


def figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure and its axes, row by row.

    Args:
        width: In inches.
        height: In inches.
        rows: Rows of axes.
        columns: Axes in a row.
        **options: As for Matplotlib's `Figure.subplots`.
    """
    with matplotlib.rc_context(_SIZES):
        made = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(made)
        axes = made.subplots(rows, columns, squeeze=False, **options)
    return made, list(axes.flat)


def title(axes: Axes, text: str) -> None:
    """Sets a title as large as the labels allow."""
    axes.set_title(text, fontsize=10)


def plain(axes: Axes, grid: Literal["x", "y", "both"] = "y") -> None:
    """Takes the box around axes away, and lays a light grid behind what is drawn."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)


class _Sizes(LogLocator):
    """Numbers that people write, also where an axis spans less than a power of ten."""

    def __init__(self) -> None:
        super().__init__(subs=(1.0, 2.0, 5.0))

    def tick_values(self, vmin: float, vmax: float) -> Any:
        if vmax < _FEW_TIMES * vmin:
            return MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(vmin, vmax)
        return super().tick_values(vmin, vmax)


def in_bytes(axes: Axes, label: str, which: Literal["x", "y"] = "x") -> None:
    """Lets an axis show sizes in bytes, by their logarithms."""
    axes.set(**{f"{which}scale": "log", f"{which}label": label})
    axis: Any = getattr(axes, f"{which}axis")
    axis.set_major_locator(_Sizes())
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


def encoded(drawn: Figure, kind: str) -> bytes:
    """A figure as the bytes of an image.

    Args:
        drawn: The figure.
        kind: "png" or "svg".
    """
    stream = io.BytesIO()
    metadata = {"Date": None} if kind == SVG else {}
    with matplotlib.rc_context(_SAVING):
        drawn.savefig(stream, format=kind, dpi=_DPI, metadata=metadata)
    return stream.getvalue()


def save(drawn: Figure, path: Path) -> bytes:
    """Writes a figure atomically, as the kind of image that the suffix names; returns its bytes."""
    data = encoded(drawn, path.suffix.removeprefix("."))
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        temporary.write_bytes(data)
    return data
