"""Maps of two networks side by side: what they look at, and what their layers answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dwt_keras.views import drawing
from dwt_keras.views.drawing import Drawn

Array = np.ndarray[Any, Any]

# In widths of a tile: between the two of a pair, between pairs, and what text at the left and above
# takes.
_NEAR, _APART, _TEXT = 0.06, 0.2, 0.4
_INCHES = 0.95  # A tile's width.


def draw(inputs: Array, titles: Sequence[str], maps: Mapping[str, tuple[Array, Array]]) -> Drawn:
    """A row a sample: the input, then each map of the dense control and of the compressed network.

    Args:
        inputs: Of shape (samples, ...).
        titles: What to call each sample.
        maps: By name those of the control and of the compressed network, of shape (samples, ...).
    """
    columns = 1 + 2 * len(maps)
    figure, grid = drawing.figure(
        0.5 + _INCHES * columns, 0.7 + _INCHES * len(inputs), len(inputs), columns
    )
    for number, (values, title) in enumerate(zip(inputs, titles, strict=True)):
        row = grid[number * columns : (number + 1) * columns]
        _show(row[0], _picture(values), "gray")
        row[0].set_ylabel(title, fontsize=7)
        place = 1
        for name, pair in maps.items():
            for whose, found in zip(("dense control", "this run"), pair, strict=True):
                _show(row[place], found[number], "cividis")
                if not number:
                    words = name.replace("integrated ", "integrated\n")
                    row[place].set_title(f"{words}\n{whose}", fontsize=7)
                place += 1
    said = "Maps of the same class for both networks, the one that the dense control says; "
    said += "each in a scale of its own, the brighter the more it matters."
    return Drawn("saliency", "What the networks look at", said, figure)


def draw_activations(
    inputs: Array,
    titles: Sequence[str],
    layers: Mapping[str, tuple[Array, Array]],
    channels: int,
) -> Drawn:
    """A block a layer, in it a row a sample: the input, then channels of both networks in pairs.

    Args:
        inputs: Of shape (samples, ...).
        titles: What to call each sample.
        layers: By heading the activations of the control and of the compressed network, of shape
            (samples, ..., channels), or (samples, units).
        channels: How many to draw; those are taken that answer most in the control.
    """
    pictures = [_picture(values) for values in inputs]
    rows, columns = inputs.shape[1:3] if inputs.ndim == 4 else (1, 1)
    height = float(np.clip(rows / columns, 0.25, 4))
    widest = max(min(channels, _places(pair[0]).shape[-1]) for pair in layers.values())
    right = 1 + _APART + widest * (2 + _NEAR + _APART)
    bottom = len(inputs) * (height + 2 * _NEAR)
    figure, blocks = drawing.figure(
        _INCHES * (right + _TEXT), _INCHES * len(layers) * (bottom + 2 * _TEXT), len(layers), 1
    )
    for axes, (heading, pair) in zip(blocks, layers.items(), strict=True):
        axes.set_title(heading, fontsize=9, loc="left")
        tops = np.arange(len(inputs)) * (height + 2 * _NEAR)
        for top, picture, title in zip(tops, pictures, titles, strict=True):
            _tile(axes, picture, (0, top, 1, height), cmap="gray")
            axes.text(
                -0.1, top + height / 2, title, fontsize=6, rotation=90, ha="right", va="center"
            )
        if pair[0].ndim == 2:
            _units(axes, pair, tops, height, right - 1 - 2 * _APART)
        else:
            _channels(axes, pair, tops, height, channels)
        axes.set(xlim=(-_TEXT, right), ylim=(bottom, -_TEXT), aspect="equal")
        axes.set_axis_off()
    said = "What layers answer to the same inputs: the channels that answer most in the dense "
    said += "control, and the same ones of this run, both in one scale. Bright is much; where "
    said += "answers may be negative, blue is below zero and orange above."
    return Drawn("activations", "What the layers answer", said, figure)


def _channels(
    axes: Axes, pair: tuple[Array, Array], tops: Array, height: float, count: int
) -> None:
    """Pairs of maps, one pair a channel."""
    control, ours = (_places(values) for values in pair)
    strength = np.abs(control).mean(axis=(0, 1, 2))
    signed = _signed(pair)  # The same colours for all channels of a layer.
    left = 1 + _APART
    for channel in np.argsort(-strength, kind="stable")[:count]:
        maps = control[..., channel], ours[..., channel]
        scale = _scale(maps, signed)
        for found, whose in zip(maps, ("control", "this run"), strict=True):
            words = f"channel {channel}\n{whose}"
            axes.text(left + 0.5, -0.06, words, fontsize=7, ha="center", va="bottom")
            for top, picture in zip(tops, found, strict=True):
                _tile(axes, picture, (left, top, 1, height), **scale)
            left += 1 + _NEAR
        left += _APART - _NEAR


def _units(axes: Axes, pair: tuple[Array, Array], tops: Array, height: float, width: float) -> None:
    """Two bars a sample, the control's above."""
    words = f"{pair[0].shape[1]} units: control above, this run below"
    axes.text(1 + _APART, -0.06, words, fontsize=7, va="bottom")
    scale = _scale(pair, _signed(pair))
    half = (height - _NEAR / 2) / 2
    for top, control, ours in zip(tops, *pair, strict=True):
        _tile(axes, control[np.newaxis], (1 + _APART, top, width, half), **scale)
        _tile(axes, ours[np.newaxis], (1 + _APART, top + half + _NEAR / 2, width, half), **scale)


def _places(values: Array) -> Array:
    """Activations as (samples, rows, columns, channels); one row where there is one axis."""
    if values.ndim == 2:
        return values[:, np.newaxis, np.newaxis]
    if values.ndim == 3:
        return values[:, np.newaxis]
    # Frames of a film, say, stand below each other.
    return values.reshape(len(values), -1, *values.shape[-2:])


def _signed(pair: tuple[Array, Array]) -> bool:
    return min(float(each.min()) for each in pair) < 0


def _scale(maps: tuple[Array, Array], signed: bool) -> dict[str, Any]:
    """One scale of colours for both networks."""
    most = max(float(np.abs(each).max()) for each in maps) or 1.0
    if signed:
        return {"cmap": drawing.DIVERGING, "vmin": -most, "vmax": most}
    return {"cmap": "cividis", "vmin": 0.0, "vmax": most}


def _tile(
    axes: Axes, values: Array, place: tuple[float, float, float, float], **scale: Any
) -> None:
    """A picture at a place of its own: left, top, width, height."""
    left, top, width, height = place
    axes.imshow(
        values, extent=(left, left + width, top + height, top), interpolation="nearest", **scale
    )
    axes.add_patch(
        Rectangle((left, top), width, height, fill=False, edgecolor=drawing.GREY, linewidth=0.4)
    )


def _picture(values: Array) -> Array:
    """A sample as rows and columns; one row of a signal of one channel, or of a vector."""
    return np.atleast_2d(values[..., 0] if values.shape[-1:] == (1,) else values)


def _show(axes: Axes, values: Array, colours: str) -> None:
    """A map as a picture; one of a signal or of vectors as a bar."""
    values = np.atleast_2d(values)
    aspect: Literal["equal", "auto"] = "equal" if min(values.shape[:2]) > 1 else "auto"
    axes.imshow(values, cmap=colours, interpolation="nearest", aspect=aspect)
    axes.set_xticks([])
    axes.set_yticks([])
