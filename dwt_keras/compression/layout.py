"""A compact file without a model: its tensors, and how they become weights again.

This module loads neither Keras nor TensorFlow.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from dwt_keras.coding import grid, quantizer, tensors
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.records import Transform
from dwt_keras.compression import sections
from dwt_keras.wavelet import basis, blocks, families

Array = np.ndarray[Any, np.dtype[Any]]


def decoded(file: sections.Opened) -> list[tensors.Tensor]:
    """The tensors of a file.

    Raises:
        CodecError: If one is damaged, or needs more memory than the limit.
    """
    try:
        return tensors.decoded(file.records, grid_of, file.value_bytes)
    except CodecError as error:
        raise file.refusal(error) from None


def weights(file: sections.Opened) -> list[Array]:
    """The tensors of a file as a model gets them.

    Raises:
        CodecError: As `decoded`, or if a value is too large for its dtype.
    """
    waiting = decoded(file)[::-1]
    found = []
    with np.errstate(over="ignore", invalid="ignore"):
        while waiting:
            tensor = waiting.pop()  # Its levels take memory no longer than they must.
            values = restored(tensor)
            if tensor.levels is not None and not np.isfinite(values).all():
                raise file.refusal(f"{tensor.name}: has values that are NaN or infinite")
            found.append(values)
    return found


def restored(tensor: tensors.Tensor) -> Array:
    """The values of a tensor as a model gets them.

    They are the same bits on every machine, but for dmey, whose inverse is computed.
    """
    if tensor.levels is None:
        assert tensor.values is not None  # A tensor has one of the two.
        return tensor.values.astype(tensor.dtype)
    wide = np.float64 if tensor.dtype == np.float64 else np.float32
    values = quantizer.dequantise(tensor.levels, tensor.step, wide)
    if tensor.transform is not None:
        values = basis_of(tensor.transform).reconstruct(values, tensor.shape, wide, overwrite=True)
    return values.reshape(tensor.shape).astype(tensor.dtype)


def grid_of(shape: tuple[int, ...], transform: Transform | None) -> grid.Grid:
    """How the entropy coder sees levels of a shape and a transform (docs/format.md).

    The last axis is the units. Height and width are the axes of a pyramid over the first one or
    two axes, or the first axes of a convolution's kernel; all others are channels.
    """
    if transform is not None:
        shape = transform.shape
        kernel_basis = basis_of(transform)  # Raises where there is none such.
    if len(shape) < 2:
        return grid.Grid((1, 1, 1, math.prod(shape)))
    places = {3: 1, 4: 2, 5: 3}.get(len(shape), 0)
    units = shape[-1]
    if transform is None or transform.wavelet == families.IDENTITY:
        around = shape[:places]
        height, width = math.prod(around[:-1]), math.prod(around[-1:])
        return grid.Grid((height, width, math.prod(shape[places:-1]), units))
    axes = transform.axes
    if transform.splits is not None or axes not in ((0,), (0, 1)) or len(axes) == len(shape):
        return grid.Grid((1, 1, math.prod(shape[:-1]), units))
    height, width = shape[0], shape[1] if len(axes) == 2 else 1
    found = []
    for band in kernel_basis.subbands:
        down, aside = band.slices[0], band.slices[1] if len(axes) == 2 else slice(0, 1)
        letters = band.name[:2] if len(axes) == 2 else band.name[0] + "a"
        found.append(
            grid.Block(
                down.start,
                aside.start,
                down.stop - down.start,
                aside.stop - aside.start,
                band.level,
                letters,
            )
        )
    channels = math.prod(shape[len(axes) : -1])
    return grid.Grid((height, width, channels, units), tuple(found))


def basis_of(transform: Transform) -> basis.Basis:
    """The basis that a file describes.

    Raises:
        CodecError: If there is none such.
    """
    if transform.wavelet == families.IDENTITY:
        return basis.identity(transform.shape)
    if transform.wavelet not in _wavelets():
        raise CodecError(f"{transform.wavelet!r} is no discrete wavelet")
    found = basis.Basis(
        transform.wavelet, transform.level, transform.axes, transform.shape, transform.splits
    )
    if not found.axes or found.level < 1 or math.prod(found.shape) == 0:
        raise CodecError(f"{found.wavelet} with level {found.level} is no transform of this shape")
    if found.splits is not None:
        blocks.in_order(found.shape, found.splits, found.axes)
    return found


@functools.cache
def _wavelets() -> frozenset[str]:
    return frozenset(families.discrete_names())
