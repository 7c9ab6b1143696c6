"""Text in columns."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], right_from: int) -> str:
    """Aligns rows of text in columns, the first row as heading.

    Args:
        rows: Cells, as many in each row.
        right_from: Index of the first column that is set to the right.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.rjust(width) if column >= right_from else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join(
        [line(rows[0]), "  ".join("-" * width for width in widths)]
        + [line(row) for row in rows[1:]]
    )


def percent(fraction: float) -> str:
    """A fraction as a percentage of two digits behind the point."""
    return f"{100 * fraction:.2f} %"
