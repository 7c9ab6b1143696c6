"""Whole rows or columns of coefficients that go together.

A row of a kernel is what multiplies one of its inputs, or one coefficient of them: for a Dense
kernel the weights to all units, for a convolution those of an input channel. Without it that input
need not be computed. A column is what makes one output: a unit or a filter.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import layers

from dwt_keras import checks
from dwt_keras.compression import graph, inputs, shrink
from dwt_keras.compression import targets as kernels
from dwt_keras.compression.support import HeldSupport
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings
from dwt_keras.settings.compression import AUTO
from dwt_keras.settings.structure import COLUMNS, ROWS
from dwt_keras.wavelet import best_basis
from dwt_keras.wavelet.basis import Basis, build, identity

Array = np.ndarray[Any, np.dtype[Any]]

_LAYERS = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
# More levels gather no more in few rows.
_MOST_LEVELS = 6


def axes_of(basis: Any, kernel_shape: Sequence[int], structure: str) -> tuple[int, ...]:
    """The axes of a kernel's coefficients that rows or columns are numbered by.

    Args:
        basis: The kernel's basis.
        kernel_shape: Shape of the kernel: two axes for Dense, else a window, input channels,
            filters.
        structure: rows or columns.
    """
    last = len(basis.shape) - 1
    if structure == COLUMNS:
        return (last,)
    return tuple(range(last)) if len(kernel_shape) == 2 else (last - 1,)


def eligible(
    model: Any, found: Sequence[Target], settings: CompressionSettings
) -> tuple[Target, ...]:
    """The kernels whose rows or columns can go: of Dense layers and of convolutions.

    Of the layers that make the model's outputs all columns are needed.

    Args:
        model: The model.
        found: Its kernels.
        settings: What goes, and how many remain.

    Raises:
        UserError: If there is none, or layers are asked for that have no such kernel.
        ArgumentError: If more are to remain than a kernel has.
    """
    able = tuple(target for target in found if _can(model, target, settings.structure))
    left_out = [target.path for target in found if target not in able]
    if not able or (settings.layers and left_out):
        but = {
            ROWS: "but for convolutions of the model's inputs",
            COLUMNS: "but for the model's outputs",
        }
        raise checks.UserError(
            f"structure={settings.structure} is for Dense layers and convolutions without groups, "
            f"{but[settings.structure]}; it cannot be had of {', '.join(left_out)}"
        )
    name = f"keep_{settings.structure}"
    for pattern, _ in settings.kept:
        if not any(kernels.matches(pattern, target.layer_path) for target in able):
            raise checks.ArgumentError(
                name,
                f"must match layers with {settings.structure} that can go "
                f"({', '.join(target.layer_path for target in able)}); no match: {pattern}",
            )
    for target in able:
        kept(target, settings)
    return able


def _can(model: Any, target: Target, structure: str) -> bool:
    layer = target.layer
    if not isinstance(layer, _LAYERS) or getattr(layer, "groups", 1) > 1:
        return False
    if structure == COLUMNS:
        return layer not in graph.makers(model)
    nodes = getattr(layer, "_inbound_nodes", None)
    if not nodes or len(nodes[0].input_tensors[0].shape) == 2:
        return True
    # Channels of an image are few, and no layer before would become smaller.
    return not isinstance(graph.source(nodes[0].input_tensors[0]), layers.InputLayer)


def count(target: Target, structure: str) -> int:
    """How many rows or columns a kernel has."""
    axes = axes_of(target.basis, target.variable.shape, structure)
    return math.prod(target.basis.shape[axis] for axis in axes)


def kept(target: Target, settings: CompressionSettings) -> int:
    """How many of them shall remain in the end.

    Raises:
        ArgumentError: If that is more than there are.
    """
    there = count(target, settings.structure)
    wanted = next(
        (n for pattern, n in settings.kept if kernels.matches(pattern, target.layer_path)), None
    )
    name = f"keep_{settings.structure}"
    if wanted is None:
        return there
    if isinstance(wanted, int):
        if wanted > there:
            raise checks.ArgumentError(
                name,
                f"must be at most {there}, the {settings.structure} of {target.path}; "
                f"given {wanted}",
            )
        return wanted
    return max(round(wanted * there), 1)


def scores(coefficients: Array, axes: tuple[int, ...], spread: Array | float) -> Array:
    """What rows or columns matter: their norms, times how far what they multiply spreads.

    Args:
        coefficients: Of a kernel.
        axes: Those that number them.
        spread: Standard deviations, of the shape of those axes.

    Returns:
        Array of the shape of those axes.
    """
    others = tuple(axis for axis in range(coefficients.ndim) if axis not in axes)
    return np.asarray(np.sqrt(np.square(coefficients, dtype=np.float64).sum(axis=others)) * spread)


def shrink_to(
    targets: Sequence[Target],
    settings: CompressionSettings,
    factor: float,
    held: HeldSupport | None,
    given: Mapping[str, Array],
) -> dict[Target, shrink.TargetReport]:
    """Sets the least rows or columns of all kernels to zero and writes the kernels back.

    With a column goes its bias, so that nothing is left of the unit.

    Args:
        targets: The kernels.
        settings: What goes, and how many remain.
        factor: How far the schedule is, 0 (all remain) to 1.
        held: The support that is held; what remains becomes it.
        given: What reaches the kernels' layers (`inputs.Inputs.read`).

    Raises:
        UserError: If a kernel has weights that are NaN or infinite; nothing is written then.
    """
    shrink.check_finite(targets)
    return {target: _shrink_one(target, settings, factor, held, given) for target in targets}


def _shrink_one(
    target: Target,
    settings: CompressionSettings,
    factor: float,
    held: HeldSupport | None,
    given: Mapping[str, Array],
) -> shrink.TargetReport:
    axes = axes_of(target.basis, target.variable.shape, settings.structure)
    found = target.basis.decompose(target.read())
    if held is not None:
        found *= held.mask(target)
    before = shrink.energy(found)
    spread = inputs.spread(target, axes, given)
    every = count(target, settings.structure)
    remain = round(every - (every - kept(target, settings)) * factor)
    mask = _largest(scores(found, axes, spread), remain)
    wide = np.expand_dims(mask, [axis for axis in range(found.ndim) if axis not in axes])
    found *= wide
    if held is not None:
        held.hold(target, np.broadcast_to(wide, found.shape))
    if settings.structure == COLUMNS:
        for bias in biases([target]):
            bias.write(bias.read() * mask)
            if held is not None:
                held.hold(bias, mask)
    done = shrink.report(target, found, before, 0.0)
    # Also where the rows were gone before: weights of that time may have come back.
    if remain < every:
        target.write(target.kernel(found))
    return done


def biases(targets: Sequence[Target]) -> tuple[Target, ...]:
    """The biases of the layers of kernels that have one."""
    return tuple(
        Target(target.layer_path, "bias", bias, (), identity(bias.shape), layer=target.layer)
        for target in targets
        if (bias := target.layer.bias) is not None
    )


def choose_bases(
    targets: Sequence[Target], settings: CompressionSettings, given: Mapping[str, Array]
) -> tuple[Target, ...]:
    """The same kernels, each with the basis in which the rows that remain hold most.

    What is lost is the squared scores of the others: the mean square of the outputs' change, were
    coefficients of the input not correlated.

    Args:
        targets: The kernels. Not changed.
        settings: Wavelet and level (one of them "auto"), and how many rows remain.
        given: What reaches the kernels' layers.
    """
    return tuple(
        dataclasses.replace(target, basis=_best(target, settings, given)) for target in targets
    )


def _best(target: Target, settings: CompressionSettings, given: Mapping[str, Array]) -> Basis:
    kernel = target.read()
    remain = kept(target, settings)

    def lost(basis: Basis) -> float:
        axes = axes_of(basis, target.variable.shape, settings.structure)
        spread = inputs.spread(dataclasses.replace(target, basis=basis), axes, given)
        each = np.sort(np.square(scores(basis.decompose(kernel), axes, spread)), axis=None)
        return float(each[: len(each) - remain].sum())

    return min(_candidates(target, settings), key=lost)


def _candidates(target: Target, settings: CompressionSettings) -> list[Basis]:
    shape = target.basis.shape
    found = [identity(shape)]
    if target.variable.ndim != 2 or settings.structure == COLUMNS or not target.axes:
        # A transform of the window, or of inputs, leaves norms of channels or units as they are.
        return found
    automatic = settings.level in (None, AUTO)
    levels = range(1, _MOST_LEVELS + 1) if automatic else (settings.level,)
    names = best_basis.CANDIDATES if settings.wavelet == AUTO else (settings.wavelet,)
    for name, level in itertools.product(names, levels):
        candidate, note = build(name, level or 1, target.axes, shape)
        if not (note and automatic) and candidate not in found:
            found.append(candidate)
    return found


def _largest(values: Array, number: int) -> Array:
    """A mask of so many largest values, the first ones among equals."""
    order = np.argsort(-values, axis=None, kind="stable")
    mask = np.zeros(values.size, bool)
    mask[order[:number]] = True
    return mask.reshape(values.shape)
