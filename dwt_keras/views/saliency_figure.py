"""Maps of two networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dwt_keras.views import drawing
from dwt_keras.views.drawing import Drawn

Array = np.ndarray[Any, Any]


def draw(inputs: Array, titles: Sequence[str], maps: Mapping[str, tuple[Array, Array]]) -> Drawn:
    """A row a sample: the input, then each map of the dense control and of the compressed network.

    Args:
        inputs: Of shape (samples, ...).
        titles: What to call each sample.
        maps: By name those of the control and of the compressed network, of shape (samples, ...).
    """
    columns = 1 + 2 * len(maps)
    figure, grid = drawing.figure(
        0.5 + 0.95 * columns, 0.7 + 0.95 * len(inputs), len(inputs), columns
    )
    for number, (values, title) in enumerate(zip(inputs, titles, strict=True)):
        row = grid[number * columns : (number + 1) * columns]
        _show(row[0], values[..., 0] if values.shape[-1:] == (1,) else values, "gray")
        row[0].set_ylabel(title, fontsize=7)
        place = 1
        for name, pair in maps.items():
            for whose, found in zip(("dense control", "this run"), pair, strict=True):
                _show(row[place], found[number], "cividis")
                if not number:
                    words = name.replace("_", " ").replace("integrated ", "integrated\n")
                    row[place].set_title(f"{words}\n{whose}", fontsize=7)
                place += 1
    said = "Maps of the same class for both networks, the one that the dense control says; "
    said += "each in a scale of its own, the brighter the more it matters."
    return Drawn("saliency", "What the networks look at", said, figure)


def _show(axes: Any, values: Array, colours: str) -> None:
    """A map as a picture; one of a signal or of vectors as a bar."""
    if values.ndim < 2:
        values = values[np.newaxis]
    aspect = "equal" if min(values.shape[:2]) > 1 else "auto"
    axes.imshow(values, cmap=colours, interpolation="nearest", aspect=aspect)
    axes.set_xticks([])
    axes.set_yticks([])
