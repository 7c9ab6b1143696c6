"""Latencies of networks as a table and as a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dwt_keras.views.tables import table as aligned


@dataclass
class Row:
    """One network.

    Attributes:
        name: What to call it.
        bytes: Size of its file or folder.
        test_accuracy: 0 to 1.
        latencies: One for each batch size, with `batch_size`, `median`, `p95` (seconds) and
            `throughput` (samples a second).
    """

    name: str
    bytes: int
    test_accuracy: float
    latencies: list[Any] = dataclasses.field(default_factory=list)


def table(rows: Sequence[Row]) -> str:
    """One line for each network and batch size."""
    lines = [("network", "bytes", "accuracy", "batch", "median ms", "p95 ms", "samples/s")]
    for row in rows:
        head = (row.name, f"{row.bytes:,}", f"{row.test_accuracy:.4f}")
        for each in row.latencies:
            lines.append(
                (
                    *head,
                    str(each.batch_size),
                    f"{1e3 * each.median:.3f}",
                    f"{1e3 * each.p95:.3f}",
                    f"{each.throughput:,.0f}",
                )
            )
            head = ("", "", "")
    return aligned(lines, right_from=1)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draws medians as bars, one group for each batch size; the whisker is the 95th percentile."""
    # Here, as a table needs no Matplotlib.
    from dwt_keras.views import drawing

    sizes = [each.batch_size for each in rows[0].latencies]
    figure, (axes,) = drawing.figure(7.5, 4.5)
    width = 0.8 / len(rows)
    for number, row in enumerate(rows):
        medians = [1e3 * each.median for each in row.latencies]
        above = [1e3 * max(each.p95 - each.median, 0.0) for each in row.latencies]
        places = [group - 0.4 + (number + 0.5) * width for group in range(len(sizes))]
        axes.bar(places, medians, width, label=row.name)
        axes.errorbar(places, medians, [[0.0] * len(sizes), above], fmt="none", ecolor="0.3", lw=1)
        for place, median, whisker in zip(places, medians, above, strict=True):
            text = f"{median:.0f}" if median >= 10 else f"{median:.2g}"
            axes.text(place, 1.1 * (median + whisker), text, ha="center", fontsize=6)
    axes.set_yscale("log")
    axes.set_xticks(range(len(sizes)), [f"batch {size}" for size in sizes])
    axes.set_ylabel("milliseconds a batch, median")
    axes.legend(fontsize=8)
    drawing.plain(axes)
    drawing.save(figure, path)
