"""Draws the README's picture from the table of docs/benchmarks.md that rate_accuracy.py printed.

    python benchmarks/picture.py

Writes docs/figures/gain.png. Nothing is trained: what was measured stands in one place, and the
picture says the same.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib import ticker
from rate_accuracy import bytes_for

from dwt_keras.views import drawing

ROOT = Path(__file__).parents[1]
PATH = ROOT / "docs" / "figures" / "gain.png"
HEADING = "## Bytes against accuracy"
# What a row of the table begins with -> what the picture calls it, its colour, and the place of the
# words beside which point.
CURVES = {
    "wavelets": ("wavelets", drawing.BLUE, 1, (-10, 2), "right"),
    "pruning, `": ("pruning, same training and coder", drawing.VERMILION, 1, (10, -10), "left"),
    "pruning, coded": ("pruning, coded by NNCodec", drawing.ORANGE, 0, (10, 2), "left"),
    "tfmot": ("tfmot's pruning, float32, gzip", drawing.GREEN, 0, (-10, 0), "right"),
}
DENSE = "dense control"

Point = tuple[float, float]


def curves(text: str) -> dict[str, list[Point]]:
    """Bytes and mean test accuracy of the table below the heading, by the rows' first cells."""
    section = text.split(f"{HEADING}\n")[1]
    lines = [line for line in section.split("![")[0].splitlines() if line.startswith("|")]
    found: dict[str, list[Point]] = {}
    name = ""
    for line in lines[2:]:
        first, size, accuracy, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        name = first or name
        found.setdefault(name, []).append((float(size.replace(",", "")), float(accuracy)))
    return {name: sorted(points) for name, points in found.items()}


def draw(found: dict[str, list[Point]], path: Path) -> None:
    """One curve each, the dense network as a point, and how much pruning needs for the same."""
    figure, (axes,) = drawing.figure(8, 4.2)

    def of(beginning: str) -> list[Point]:
        (points,) = (each for name, each in found.items() if name.startswith(beginning))
        return points

    for beginning, (words, colour, number, offset, side) in CURVES.items():
        points = of(beginning)
        axes.plot(*zip(*points, strict=True), "o-", color=colour, markersize=4)
        axes.annotate(
            words, points[number], offset, textcoords="offset points", color=colour, ha=side
        )
    ((size, accuracy),) = of(DENSE)
    axes.axhline(accuracy, color=drawing.GREY, linestyle=":", linewidth=1)
    axes.plot(size, accuracy, "s", color=drawing.GREY)
    axes.annotate(
        f"dense, float32:\n{size:,.0f} bytes",
        (size, accuracy),
        (0, -12),
        textcoords="offset points",
        color=drawing.GREY,
        ha="center",
        va="top",
    )
    # The point where the gain is largest.
    gains = [
        (needed / at, at, reached, needed)
        for at, reached in of("wavelets")
        if (needed := bytes_for(of("pruning, `"), reached)) is not None
    ]
    ratio, at, reached, needed = max(gains)
    axes.annotate("", (at, reached), (needed, reached), arrowprops={"arrowstyle": "<->"})
    axes.annotate(
        f"pruning needs {ratio:.1f} times the bytes",
        (needed, reached),
        (26, -3),
        textcoords="offset points",
        fontsize=8,
    )
    axes.set(xscale="log", xlabel="bytes of the whole file", ylabel="test accuracy")
    axes.set_xlim(1200, 900_000)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    drawing.title(axes, "Fashion-MNIST, 784-128-10 network, 30 epochs, mean of three seeds")
    drawing.plain(axes, "both")
    drawing.save(figure, path)


if __name__ == "__main__":
    draw(curves((ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")), PATH)
    print(f"written: {PATH}")
