"""The tensors of a file: what each is called, how its values are kept, and their coded bytes.

A tensor is kept in one of three ways: as it is (little-endian), rounded to half precision, or as
whole numbers in units of a step, entropy-coded. The whole numbers may be coefficients of a
transform, whose description travels along; this room only carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.checks import ArgumentError, UserError
from dwt_keras.coding import entropy, records
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.fields import Writer
from dwt_keras.coding.grid import Grid
from dwt_keras.coding.records import Record, Transform

Array = npt.NDArray[Any]

_CODES = {dtype: code for code, dtype in records.DTYPES.items()}

# Half of the largest float32: a transform may add some up.
_LARGEST_VALUE = 1.7e38

# How much memory decoding one tensor may take, in shares of what all values may take.
_WORKING_SHARE = 3
_LEAST_WORKING = 1 << 20
# How many bits of levels may be decoded, for each byte of the payload, and for each of so many
# bytes that all values may take. Levels of one's own take far less, but where all are alike.
_EFFORT = 1 << 9
_EFFORT_SHARE = 8


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
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    values: Array | None = None
    levels: Array | None = None
    step: float = 0.0
    transform: Transform | None = None


# From a tensor's shape and its transform, how the entropy coder sees its levels.
Grids = Callable[[tuple[int, ...], Transform | None], Grid]


def encode(tensors: Sequence[Tensor], grids: Grids) -> bytes:
    """The payload that holds tensors, in their order.

    Args:
        tensors: Each with values or with levels.
        grids: How the coder sees the levels of each.
    """
    if len(tensors) > records.MOST_TENSORS:
        raise ArgumentError(
            "tensors", f"must be at most {records.MOST_TENSORS}; given {len(tensors)}"
        )
    writer = Writer()
    coded: list[bytes] = []
    writer.unsigned(len(tensors))
    before = ""
    for tensor in tensors:
        shared = len(_shared_start(before, tensor.name))
        before = tensor.name
        writer.unsigned(shared)
        # Letters may take several bytes each; what is shared counts as one byte a letter.
        writer.text(
            tensor.name[shared:], limit=records.LONGEST_NAME - min(shared, records.LONGEST_NAME)
        )
        writer.raw(bytes([_CODES[tensor.dtype]]))
        writer.shape(tensor.shape)
        if tensor.values is not None:
            coded.append(_write_values(writer, tensor, tensor.values))
        else:
            coded.append(_write_levels(writer, tensor, grids))
    return records.pack(writer.to_bytes(), coded)


def decode(data: bytes | memoryview, grids: Grids, value_bytes: int) -> list[Tensor]:
    """Inverts `encode`.

    Args:
        data: The payload.
        grids: As for `encode`; raises UserError on a transform that there is not.
        value_bytes: Most bytes that all values together may take, checked before memory is taken.

    Raises:
        CodecError: If the payload is none of this format, or exceeds the limit.
    """
    return decoded(records.read(data, value_bytes), grids, value_bytes)


def decoded(found: Sequence[Record], grids: Grids, value_bytes: int) -> list[Tensor]:
    """The tensors of records that have been read.

    Args:
        found: What `records.read` returned.
        grids: As for `decode`.
        value_bytes: As for `decode`.

    Raises:
        CodecError: If the coded values are damaged, or decoding them takes too much memory.
    """
    most = max(_WORKING_SHARE * value_bytes, _LEAST_WORKING)
    size = sum(len(record.data) for record in found)
    effort = np.array([_EFFORT * size + value_bytes // _EFFORT_SHARE], np.int64)
    return [_decoded(record, grids, most, effort) for record in found]


def _write_values(writer: Writer, tensor: Tensor, values: Array) -> bytes:
    half = values.dtype == np.float16 != tensor.dtype
    writer.raw(bytes([records.HALF if half else records.RAW]))
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def _write_levels(writer: Writer, tensor: Tensor, grids: Grids) -> bytes:
    levels = tensor.levels
    if levels is None:
        raise ValueError(f"{tensor.name} has neither values nor levels")
    writer.raw(bytes([records.LEVELS]))
    writer.float32(tensor.step)
    transform = tensor.transform
    writer.text(transform.wavelet if transform else "", limit=records.LONGEST_NAME)
    if transform is not None:
        writer.shape(transform.shape)
        writer.unsigned(transform.level)
        writer.unsigned(sum(1 << axis for axis in transform.axes))
        splits = transform.splits or ()
        writer.unsigned(len(splits))
        for path in splits:
            writer.text(path, limit=records.LONGEST_SPLIT)
    data = entropy.encode(levels, grids(tensor.shape, transform))
    writer.unsigned(len(data))
    return data


def _decoded(record: Record, grids: Grids, most: int, effort: Array) -> Tensor:
    name, shape, dtype = record.name, record.shape, record.dtype
    if record.kept != records.LEVELS:
        kept = record.kept_dtype
        if kept == np.dtype(np.bool_) and not set(bytes(record.data)) <= {0, 1}:
            raise CodecError(f"{name}: a truth value is neither 0 nor 1")
        values = np.frombuffer(record.data, kept.newbyteorder("<")).astype(kept).reshape(shape)
        if dtype in records.FLOATING and not np.isfinite(values.astype(np.float64)).all():
            raise CodecError(f"{name}: has values that are NaN or infinite")
        return Tensor(name, shape, dtype, values=values)
    try:
        grid = grids(shape, record.transform)
        if entropy.memory(grid, len(record.data)) > most:
            raise CodecError("decoding it would take more memory than the limit")
        levels = entropy.decode(record.data, grid, effort)
    except UserError as error:
        raise CodecError(f"{name}: {error}") from None
    levels = levels.reshape(record.transform.shape if record.transform else shape)
    if record.step * float(np.abs(levels).max(initial=0)) > _LARGEST_VALUE:
        raise CodecError(f"{name}: the step is too large for its levels")
    return Tensor(name, shape, dtype, None, levels, record.step, record.transform)


def _shared_start(first: str, second: str) -> str:
    """What two texts begin with alike."""
    count = 0
    while count < min(len(first), len(second)) and first[count] == second[count]:
        count += 1
    return first[:count]
