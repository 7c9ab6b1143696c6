"""The tensors of a file: what each is called, how its values are kept, and their coded bytes.

A tensor is kept in one of three ways: as it is (little-endian), rounded to half precision, or as
whole numbers in units of a step, entropy-coded. The whole numbers may be coefficients of a
transform, whose description travels along; this room only carries it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

from dwt_keras.checks import ArgumentError, UserError
from dwt_keras.coding import entropy
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.fields import Reader, Writer
from dwt_keras.coding.grid import Grid

Array = npt.NDArray[Any]

DTYPES = {
    0: np.dtype(np.float32),
    1: np.dtype(np.float16),
    2: np.dtype(ml_dtypes.bfloat16),
    3: np.dtype(np.float64),
    4: np.dtype(np.int8),
    5: np.dtype(np.uint8),
    6: np.dtype(np.int16),
    7: np.dtype(np.uint16),
    8: np.dtype(np.int32),
    9: np.dtype(np.uint32),
    10: np.dtype(np.int64),
    11: np.dtype(np.uint64),
    12: np.dtype(np.bool_),
}
_CODES = {dtype: code for code, dtype in DTYPES.items()}

_FLOATING = tuple(DTYPES[code] for code in range(4))

_RAW, _HALF, _LEVELS = 0, 1, 2
# Half of the largest float32: a transform may add some up.
_LARGEST_VALUE = 1.7e38

# How much memory decoding one tensor may take, in shares of what all values may take.
_WORKING_SHARE = 3
_LEAST_WORKING = 1 << 20

_LONGEST_NAME = 1 << 10
_MOST_AXES = 16
_DEEPEST = 64
_MOST_SPLITS = 1 << 12
_MOST_TENSORS = 1 << 14


@dataclass(frozen=True)
class Transform:
    """The transform whose coefficients a tensor holds, as its basis describes it.

    Attributes:
        wavelet: Name of the wavelet.
        level: Number of levels.
        axes: The transformed axes of `shape`.
        shape: The tensor unflattened.
        splits: Paths of the split blocks of wavelet packets; None for a pyramid.
    """

    wavelet: str
    level: int
    axes: tuple[int, ...]
    shape: tuple[int, ...]
    splits: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a file.

    Attributes:
        name: Path of the variable.
        shape: Its shape.
        dtype: Its dtype.
        values: Its values, of `shape`; half precision where they were rounded to it. None where
            there are levels.
        levels: int32; of `shape`, or of the transform's.
        step: What a level of one stands for.
        transform: What the levels are coefficients of; None for the values themselves.
        record_bytes: How many bytes of the file it took, name and shape included; 0 if it is not
            from a file.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    values: Array | None = None
    levels: Array | None = None
    step: float = 0.0
    transform: Transform | None = None
    record_bytes: int = 0


# From a tensor's shape and its transform, how the entropy coder sees its levels.
Grids = Callable[[tuple[int, ...], Transform | None], Grid]


def encode(tensors: Sequence[Tensor], grids: Grids) -> bytes:
    """The payload that holds tensors, in their order.

    Args:
        tensors: Each with values or with levels.
        grids: How the coder sees the levels of each.
    """
    if len(tensors) > _MOST_TENSORS:
        raise ArgumentError("tensors", f"must be at most {_MOST_TENSORS}; given {len(tensors)}")
    writer = Writer()
    writer.unsigned(len(tensors))
    before = ""
    for tensor in tensors:
        shared = len(_shared_start(before, tensor.name))
        before = tensor.name
        writer.unsigned(shared)
        # Letters may take several bytes each; what is shared counts as one byte a letter.
        writer.text(tensor.name[shared:], limit=_LONGEST_NAME - min(shared, _LONGEST_NAME))
        writer.raw(bytes([_CODES[tensor.dtype]]))
        writer.shape(tensor.shape)
        if tensor.values is not None:
            _write_values(writer, tensor, tensor.values)
        else:
            _write_levels(writer, tensor, grids)
    return writer.to_bytes()


def decode(data: bytes | memoryview, grids: Grids, value_bytes: int) -> list[Tensor]:
    """Inverts `encode`.

    Args:
        data: The payload.
        grids: As for `encode`; raises UserError on a transform that there is not.
        value_bytes: Most bytes that all values together may take, checked before memory is taken.

    Raises:
        CodecError: If the payload is none of this format, or exceeds the limit.
    """
    reader = Reader(data)
    most = max(_WORKING_SHARE * value_bytes, _LEAST_WORKING)
    found: list[Tensor] = []
    before = ""
    for _ in range(reader.unsigned("the number of tensors", limit=_MOST_TENSORS)):
        start = reader.position
        shared = reader.unsigned("what two names share", limit=min(len(before), _LONGEST_NAME))
        before = before[:shared] + reader.text("a name", limit=_LONGEST_NAME - shared)
        dtype = DTYPES.get(reader.raw(1, "a dtype")[0])
        if dtype is None:
            raise CodecError(f"{before}: the dtype is none of this format")
        # A level takes four bytes, whatever the dtype.
        width = max(dtype.itemsize, 4)
        # An empty tensor counts as one value.
        shape = reader.shape(f"the shape of {before}", limit=max(value_bytes // width, 1))
        value_bytes -= math.prod(shape) * width
        if value_bytes < 0:
            raise CodecError(f"{before}: the tensors take more memory than the limit")
        tensor = _read(reader, before, shape, dtype, grids, most)
        found.append(dataclasses.replace(tensor, record_bytes=reader.position - start))
    reader.finish()
    return found


def _write_values(writer: Writer, tensor: Tensor, values: Array) -> None:
    half = values.dtype == np.float16 != tensor.dtype
    writer.raw(bytes([_HALF if half else _RAW]))
    writer.raw(values.astype(values.dtype.newbyteorder("<")).tobytes())


def _write_levels(writer: Writer, tensor: Tensor, grids: Grids) -> None:
    levels = tensor.levels
    if levels is None:
        raise ValueError(f"{tensor.name} has neither values nor levels")
    writer.raw(bytes([_LEVELS]))
    writer.float32(tensor.step)
    transform = tensor.transform
    writer.text(transform.wavelet if transform else "", limit=_LONGEST_NAME)
    if transform is not None:
        writer.shape(transform.shape)
        writer.unsigned(transform.level)
        writer.unsigned(sum(1 << axis for axis in transform.axes))
        splits = transform.splits or ()
        writer.unsigned(len(splits))
        for path in splits:
            writer.text(path, limit=_MOST_AXES * _DEEPEST)
    writer.block(entropy.encode(levels, grids(tensor.shape, transform)))


def _read(
    reader: Reader,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    grids: Grids,
    most: int,
) -> Tensor:
    kind = reader.raw(1, f"how {name} is kept")[0]
    is_floating = dtype in _FLOATING
    if kind in (_HALF, _LEVELS) and not is_floating:
        raise CodecError(f"{name}: {dtype} is kept as it is, and in no other way")
    if kind in (_RAW, _HALF):
        kept = dtype if kind == _RAW else np.dtype(np.float16)
        data = reader.raw(math.prod(shape) * kept.itemsize, f"the values of {name}")
        if kept == np.dtype(np.bool_) and not set(bytes(data)) <= {0, 1}:
            raise CodecError(f"{name}: a truth value is neither 0 nor 1")
        values = np.frombuffer(data, kept.newbyteorder("<")).astype(kept).reshape(shape)
        if is_floating and not np.isfinite(values.astype(np.float64)).all():
            raise CodecError(f"{name}: has values that are NaN or infinite")
        return Tensor(name, shape, dtype, values=values)
    if kind != _LEVELS:
        raise CodecError(f"{name}: the way in which it is kept is none of this format")
    step = reader.float32(f"the step of {name}")
    if step < 0.0:
        raise CodecError(f"{name}: the step must not be negative; it is {step}")
    transform = _read_transform(reader, name, shape)
    data = reader.block(f"the levels of {name}")
    try:
        grid = grids(shape, transform)
        if entropy.memory(grid) > most:
            raise CodecError("decoding it would take more memory than the limit")
        levels = entropy.decode(data, grid)
    except UserError as error:
        raise CodecError(f"{name}: {error}") from None
    levels = levels.reshape(transform.shape if transform else shape)
    if step * float(np.abs(levels).max(initial=0)) > _LARGEST_VALUE:
        raise CodecError(f"{name}: the step is too large for its levels")
    return Tensor(name, shape, dtype, levels=levels, step=step, transform=transform)


def _read_transform(reader: Reader, name: str, shape: tuple[int, ...]) -> Transform | None:
    wavelet = reader.text(f"the wavelet of {name}", limit=_LONGEST_NAME)
    if not wavelet:
        return None
    size = math.prod(shape)
    most = math.prod(max(length, 1) for length in shape)
    unflattened = reader.shape(f"the unflattened shape of {name}", limit=most)
    if math.prod(unflattened) != size or len(unflattened) > _MOST_AXES:
        raise CodecError(f"{name}: shape {shape} cannot be unflattened to {unflattened}")
    level = reader.unsigned(f"the level of {name}", limit=_DEEPEST)
    mask = reader.unsigned(f"the axes of {name}", limit=(1 << len(unflattened)) - 1)
    axes = tuple(axis for axis in range(len(unflattened)) if mask >> axis & 1)
    splits = tuple(
        reader.text(f"a split of {name}", limit=_MOST_AXES * _DEEPEST)
        for _ in range(reader.unsigned(f"the splits of {name}", limit=_MOST_SPLITS))
    )
    return Transform(wavelet, level, axes, unflattened, splits or None)


def _shared_start(first: str, second: str) -> str:
    """What two texts begin with alike."""
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    return first[:count]
