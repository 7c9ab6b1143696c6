"""The records of a file's tensors, as yet undecoded: name, shape, dtype, and how values are kept.

A payload is an index, deflated, and behind it the coded values of one tensor after another. What
can be said of a tensor without decoding it is said here, fast: this module compiles nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from dwt_keras.coding import deflate
from dwt_keras.coding.errors import CodecError
from dwt_keras.coding.fields import Reader, Writer

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

FLOATING = tuple(DTYPES[code] for code in range(4))

RAW, HALF, LEVELS = 0, 1, 2  # How values are kept.

# What an index looks like: names of variables and layers, then whole records, the likeliest last.
_VARIABLES = "embeddings recurrent_kernel depthwise_kernel pointwise_kernel moving_mean"
_VARIABLES += " moving_variance gamma beta"
_LAYERS = (
    "embedding lstm gru separable_conv2d depthwise_conv2d batch_normalization conv2d conv dense"
)
DICTIONARY = (
    "".join(f"/{name}" for name in _VARIABLES.split())
    + "".join(f"{name}_{i}/kernel" for name in _LAYERS.split() for i in (4, 3, 2, 1))
).encode() + bytes.fromhex(
    "636c61737365732f6b65726e656c00"  # classes/kernel, float32,
    "020280010a02"  # two axes, 128 and 10, levels;
    "0604626961730001"  # 6 alike, bias, float32, one axis,
    "0a01"  # 10, half precision;
    "00029006800102"  # float32, 784 and 128, levels,
    "0468616172041c1c018001030300"  # haar over 28 x 28, three levels of axes 0 and 1, no splits.
)
_MOST_INDEX = 1 << 21
# Reading records takes time; how many there may be grows with the size of the payload.
_SMALL_INDEX = 1 << 15
_INDEX_EXPANSION = 16

LONGEST_NAME = 1 << 10
LONGEST_SPLIT = 1 << 10
MOST_TENSORS = 1 << 14
_MOST_AXES = 16
# A split makes up to two blocks for each of them.
_MOST_TRANSFORMED = 4
_DEEPEST = 64
_MOST_SPLITS = 1 << 12


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
class Record:
    """What a file says of a tensor.

    Attributes:
        name: Path of the variable.
        shape: Its shape.
        dtype: Its dtype.
        kept: RAW, HALF or LEVELS.
        data: The coded values.
        step: What a level of one stands for.
        transform: What the levels are coefficients of; None for the values themselves.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    kept: int
    data: memoryview
    step: float
    transform: Transform | None

    @property
    def kept_dtype(self) -> np.dtype[Any]:
        """The dtype in which values are kept that are no levels."""
        return np.dtype(np.float16) if self.kept == HALF else self.dtype

    @property
    def non_zeros(self) -> int:
        """How many of the coefficients, or values, are not zero.

        Raises:
            CodecError: If there are not as many in all.
        """
        if self.kept == LEVELS:
            if not self.data:
                return 0
            # They begin with twice the number; decoding checks that it is so.
            most = 2 * math.prod(self.shape) + 1
            return Reader(self.data).unsigned("the number of non-zeros", limit=most) // 2
        found = np.frombuffer(self.data, self.kept_dtype.newbyteorder("<"))
        return int(np.count_nonzero(found))


def pack(index: bytes, coded: Sequence[bytes]) -> bytes:
    """A payload from its index, not yet deflated, and the coded values of its tensors."""
    writer = Writer()
    writer.block(deflate.deflated(index, DICTIONARY))
    return b"".join([writer.to_bytes(), *coded])


def unpack(data: bytes | memoryview) -> tuple[bytes, memoryview]:
    """Inverts `pack`: the index, and all coded values.

    Raises:
        CodecError: If there is no index of a size that the payload's allows.
    """
    reader = Reader(data)
    index = reader.block("the index of the tensors")
    most = min(_MOST_INDEX, _SMALL_INDEX + _INDEX_EXPANSION * len(data))
    found = deflate.inflated(index, DICTIONARY, most, "the index of the tensors")
    return found, reader.raw(reader.left)


def read(data: bytes | memoryview, value_bytes: int) -> list[Record]:
    """Reads the records of a payload.

    Args:
        data: The payload.
        value_bytes: Most bytes that the values of all tensors together may take.

    Raises:
        CodecError: If the payload is none of this format, or exceeds the limit.
    """
    index, values = unpack(data)
    reader, coded = Reader(index), Reader(values)
    found: list[Record] = []
    before = ""
    for _ in range(reader.unsigned("the number of tensors", limit=MOST_TENSORS)):
        shared = reader.unsigned("what two names share", limit=min(len(before), LONGEST_NAME))
        before = before[:shared] + reader.text("a name", limit=LONGEST_NAME - shared)
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
        found.append(_read_values(reader, coded, before, shape, dtype))
    reader.finish()
    coded.finish()
    return found


def _read_values(
    reader: Reader, coded: Reader, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Record:
    kept = reader.raw(1, f"how {name} is kept")[0]
    if kept in (HALF, LEVELS) and dtype not in FLOATING:
        raise CodecError(f"{name}: {dtype} is kept as it is, and in no other way")
    if kept in (RAW, HALF):
        width = 2 if kept == HALF else dtype.itemsize
        data = coded.raw(math.prod(shape) * width, f"the values of {name}")
        return Record(name, shape, dtype, kept, data, 0.0, None)
    if kept != LEVELS:
        raise CodecError(f"{name}: the way in which it is kept is none of this format")
    step = reader.float32(f"the step of {name}")
    if step < 0.0:
        raise CodecError(f"{name}: the step must not be negative; it is {step}")
    transform = _read_transform(reader, name, shape)
    data = coded.raw(reader.unsigned(f"the bytes of {name}"), f"the levels of {name}")
    return Record(name, shape, dtype, kept, data, step, transform)


def _read_transform(reader: Reader, name: str, shape: tuple[int, ...]) -> Transform | None:
    wavelet = reader.text(f"the wavelet of {name}", limit=LONGEST_NAME)
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
    if len(axes) > _MOST_TRANSFORMED:
        raise CodecError(f"{name}: more than {_MOST_TRANSFORMED} axes are transformed")
    splits = tuple(
        reader.text(f"a split of {name}", limit=LONGEST_SPLIT)
        for _ in range(reader.unsigned(f"the splits of {name}", limit=_MOST_SPLITS))
    )
    return Transform(wavelet, level, axes, unflattened, splits or None)
