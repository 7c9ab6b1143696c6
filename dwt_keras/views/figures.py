"""All figures of a run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import Normalize

from dwt_keras.views import contents, curves, drawing, pictures
from dwt_keras.views.drawing import Drawn, Shown
from dwt_keras.views.run_view import Kernel, RunView

# Rows of the figures of bytes and of kernels.
_TENSORS, _KERNELS = 20, 4
# Differences below this part of the weights are not shown.
_ROUNDING = 1e-5

# Title and caption of the figure of kernels.
KERNELS = (
    "Kernels before and after",
    "The weights of one unit or channel each, the one with the most energy (of kernels without "
    "geometry, inputs and units): before the last shrinking, as they ship after thresholding and "
    "quantisation, and the difference, in a scale of its own.",
)
# What the training alone can draw in full, as it knows the kernels before.
_OF_TRAINING = {"coefficients": curves.COEFFICIENTS, "kernels": KERNELS}


def of_run(run: RunView) -> list[Drawn]:
    """The figures that can be drawn of a run."""
    drawn = (
        curves.training(run),
        curves.zeros(run),
        curves.coefficients(run),
        kernels(run),
        file_bytes(run),
    )
    return [each for each in drawn if each is not None]


def write(run: RunView, kind: str) -> list[Shown]:
    """Draws the figures of a run into its folder `figures`.

    Those that the training drew, and that now could only be drawn in part, are left as they are.

    Args:
        run: The run.
        kind: "png" or "svg".

    Returns:
        The figures, in the order in which they are shown.
    """
    drawn: dict[str, Drawn | None] = {each.name: each for each in of_run(run)}
    kept = {}
    if not any(kernel.before for kernel in run.kernels):
        kept = {name: existing(run.folder, name) for name in _OF_TRAINING}
    shown = []
    # In this order, with what is kept in its place.
    for name in ("training", "zeros", "coefficients", "kernels", "bytes"):
        path, figure = kept.get(name), drawn.get(name)
        if path is not None:
            shown.append(Shown(*_OF_TRAINING[name], path.read_bytes(), path.suffix))
        elif figure is not None:
            data = drawing.save(figure.figure, run.folder / "figures" / f"{name}.{kind}")
            shown.append(Shown(figure.title, figure.caption, data, f".{kind}"))
    return shown


def kernels(run: RunView) -> Drawn | None:
    """The strongest plane of some kernels before their last shrinking, as it ships, and the rest.

    None where it is not known what they were before.
    """
    known = [kernel for kernel in run.kernels if kernel.before is not None]
    # Those with geometry first, of which there is most to see.
    known.sort(key=lambda kernel: (-len(kernel.basis.axes), -kernel.coefficients.size))
    chosen = known[:_KERNELS]
    if not chosen:
        return None
    figure, grid = drawing.figure(7.0, 0.6 + 1.9 * len(chosen), len(chosen), 3)
    for number, kernel in enumerate(chosen):
        _kernel_row(figure, grid[3 * number : 3 * number + 3], kernel, number == 0)
    return Drawn("kernels", *KERNELS, figure)


def _kernel_row(figure: Any, axes: list[Any], kernel: Kernel, is_first: bool) -> None:
    shape = kernel.basis.shape
    assert kernel.before is not None  # Of those alone rows are drawn.
    was = kernel.before.weights.reshape(shape).astype(np.float64)
    now = kernel.basis.reconstruct(kernel.coefficients, shape, np.float64)
    (plane,) = pictures.strongest(now, kernel.basis, 1)
    parts = [plane.of(each) for each in (was, now, was - now)]
    scales = [max(np.abs(parts[0]).max(), np.abs(parts[1]).max())] * 2 + [np.abs(parts[2]).max()]
    titles = ("before shrinking", "as it ships", "difference")
    wide = parts[0].shape[1] > 4 * parts[0].shape[0] or parts[0].shape[0] > 4 * parts[0].shape[1]
    for place, part, scale, title in zip(axes, parts, scales, titles, strict=True):
        # Where nothing but rounding is left, white.
        most = float(scale) if scale > _ROUNDING * scales[0] else float(scales[0]) or 1.0
        image = place.imshow(
            part,
            cmap=drawing.DIVERGING,
            norm=Normalize(-most, most),
            aspect="auto" if wide else "equal",
            interpolation="nearest",
        )
        bar = figure.colorbar(image, ax=place, shrink=0.85, ticks=[-most, 0, most], format="%.2g")
        bar.ax.tick_params(labelsize=7)
        place.set_xticks([])
        place.set_yticks([])
        if is_first:
            drawing.title(place, title)
    axes[0].set_ylabel(f"{kernel.path}\n{_place(plane)}", fontsize=8)


def _place(plane: pictures.Plane) -> str:
    """Which plane it is, in words."""
    numbers = [str(number) for number in plane.index if isinstance(number, int)]
    if not numbers:
        return "inputs by units"
    channels = f"channel {' '.join(numbers[:-1])}, " if numbers[:-1] else ""
    return f"{channels}unit {numbers[-1]}"


def file_bytes(run: RunView) -> Drawn | None:
    """Where the bytes of the compact file go."""
    if run.file is None:
        return None
    parts = contents.sizes(run.file)
    kept = set(sorted(parts, key=lambda name: -parts[name])[:_TENSORS])
    rows = {name: size for name, size in parts.items() if name in kept}
    if len(kept) < len(parts):
        rows[f"{len(parts) - len(kept)} others"] = sum(parts.values()) - sum(rows.values())
    figure, (axes,) = drawing.figure(7.0, 0.9 + 0.26 * len(rows))
    tensors = {tensor.name for tensor in run.file.records}
    for place, (name, size) in enumerate(rows.items()):
        colour = drawing.BLUE if name in tensors else drawing.GREY
        bar = axes.barh(place, size, 0.8, color=colour)
        text = f"{size:,} ({100 * size / run.file.file_bytes:.1f} %)"
        axes.bar_label(bar, [text], padding=3, fontsize=8)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.25 * max(rows.values()))
    axes.set_xlabel("bytes of model.dwtz")
    drawing.plain(axes, "x")
    whole = run.metrics.get("bytes", {}).get("float32")
    said = (
        f"Where the {run.file.file_bytes:,} bytes of model.dwtz go: tensors in blue, all else in "
    )
    said += "grey."
    if whole:
        said += f" The weights as float32 take {whole:,}."
    return Drawn("bytes", "Where the bytes go", said, figure)


def pareto(points: dict[str, list[tuple[str, int, float]]]) -> Drawn:
    """Test accuracy against the bytes of model.dwtz, with the Pareto front.

    Args:
        points: By data and network, each run's name, bytes and accuracy (0 to 1).
    """
    columns = min(2, len(points))
    rows = math.ceil(len(points) / columns)
    figure, grid = drawing.figure(7.0, 0.6 + 3.4 * rows, rows, columns)
    for axes, (group, runs) in zip(grid, points.items(), strict=False):
        front = pareto_front(runs)
        axes.plot(
            [size for _, size, _ in runs],
            [accuracy for *_, accuracy in runs],
            "o",
            color=drawing.SKY,
            markersize=4,
            label="run",
        )
        axes.step(
            [size for _, size, _ in front],
            [accuracy for *_, accuracy in front],
            "o-",
            where="post",
            color=drawing.VERMILION,
            markersize=5,
            linewidth=1.2,
            label="Pareto front",
        )
        drawing.in_bytes(axes, "bytes of model.dwtz")
        drawing.title(axes, group)
        axes.set_ylabel("test accuracy (share)")
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        drawing.plain(axes, "both")
    for axes in grid[len(points) :]:
        axes.remove()
    said = "Test accuracy against the size of model.dwtz, one point a run. On the Pareto front are "
    said += "the runs that no other beats in both."
    return Drawn("accuracy_bytes", "Accuracy against bytes", said, figure)


def pareto_front(runs: list[tuple[str, int, float]]) -> list[tuple[str, int, float]]:
    """The runs that no other beats in bytes and accuracy both, from the smallest on."""
    front: list[tuple[str, int, float]] = []
    for run in sorted(runs, key=lambda run: (run[1], -run[2])):
        if not front or run[2] > front[-1][2]:
            front.append(run)
    return front


def existing(folder: Path, name: str) -> Path | None:
    """The file of a figure that a run has already; the SVG where there are both."""
    for kind in (drawing.SVG, drawing.PNG):
        path = folder / "figures" / f"{name}.{kind}"
        if path.is_file():
            return path
    return None
