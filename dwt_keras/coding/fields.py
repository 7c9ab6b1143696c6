"""Fields of a section's payload: numbers, text, shapes and blocks of bytes, one after another.

A field has no tag: who reads must know what was written. Each value has one encoding alone, and
what a file declares is compared with what is there before memory is taken for it.

A whole number is a varint (LEB128): seven bits a byte, the lowest first; the highest bit of a byte
says that another follows. With a sign it is 2n for n >= 0 and -2n - 1 for n < 0, so that small
numbers of both signs are short. Floats are IEEE 754, little-endian.
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Sequence
from typing import SupportsFloat, SupportsIndex

from dwt_keras import checks
from dwt_keras.coding.errors import CodecError

Data = bytes | bytearray | memoryview

MOST_TEXT = 1 << 16  # Bytes of one text, unless the call allows another number.
MOST_AXES = 32  # NumPy before version 2 has no more.

_BITS = 64  # Of a whole number.
_LARGEST = (1 << _BITS) - 1
_LARGEST_SIGNED = (1 << (_BITS - 1)) - 1  # Of negative ones there is one more, left out.


def as_bytes(data: Data) -> memoryview:
    """A view of the bytes of `data`, which are not copied."""
    view = memoryview(data)
    return view.cast("B") if view.nbytes else memoryview(b"")  # Nothing cannot be cast.


class Writer:
    """Appends fields; `to_bytes` gives all of them.

    Every method raises ArgumentError on a value that `Reader` would refuse.
    """

    def __init__(self) -> None:
        self._data = bytearray()

    def to_bytes(self) -> bytes:
        """What was written so far."""
        return bytes(self._data)

    def raw(self, data: Data) -> None:
        """Bytes whose number the reader knows."""
        self._data += as_bytes(data)

    def unsigned(self, value: SupportsIndex) -> None:
        """A whole number from 0 to 2^64 - 1."""
        left = operator.index(value)
        if not 0 <= left <= _LARGEST:
            raise checks.ArgumentError(
                "value", f"must be a whole number from 0 to 2^64 - 1; given {_short(left)}"
            )
        while left > 0x7F:
            self._data.append(left & 0x7F | 0x80)
            left >>= 7
        self._data.append(left)

    def signed(self, value: SupportsIndex) -> None:
        """A whole number whose size is at most 2^63 - 1."""
        number = operator.index(value)
        if abs(number) > _LARGEST_SIGNED:
            raise checks.ArgumentError(
                "value", f"must be a whole number of at most 63 bits; given {_short(number)}"
            )
        self.unsigned(2 * number if number >= 0 else -2 * number - 1)

    def float32(self, value: SupportsFloat, *, finite: bool = True) -> None:
        """A number, rounded to the nearest of 32 bits."""
        self._float("<f", value, finite)

    def float64(self, value: SupportsFloat, *, finite: bool = True) -> None:
        """A number of 64 bits."""
        self._float("<d", value, finite)

    def _float(self, form: str, value: SupportsFloat, finite: bool) -> None:
        try:
            number = float(value)
            data = struct.pack(form, number)
        except OverflowError:  # Finite, and infinite after rounding.
            bits = 8 * struct.calcsize(form)
            raise checks.ArgumentError("value", f"must fit a float of {bits} bits") from None
        if finite and not math.isfinite(number):
            raise checks.ArgumentError("value", f"must be a finite number; given {number}")
        self._data += data

    def text(self, value: str, *, limit: int = MOST_TEXT) -> None:
        """Text of at most `limit` bytes in UTF-8."""
        try:
            data = value.encode("utf-8")
        except UnicodeEncodeError:  # Half of a surrogate pair.
            raise checks.ArgumentError("value", "must be text that UTF-8 can encode") from None
        if len(data) > limit:
            raise checks.ArgumentError(
                "value", f"must be text of at most {limit} bytes; given {len(data)}"
            )
        self.block(data)

    def block(self, data: Data) -> None:
        """Bytes, preceded by their number."""
        view = as_bytes(data)
        self.unsigned(len(view))
        self.raw(view)

    def shape(self, shape: Sequence[SupportsIndex]) -> None:
        """The shape of an array: the number of axes, then their lengths."""
        if len(shape) > MOST_AXES:
            raise checks.ArgumentError(
                "shape", f"must have at most {MOST_AXES} axes; given {len(shape)}"
            )
        self.unsigned(len(shape))
        for length in shape:
            self.unsigned(length)


class Reader:
    """Reads fields in the order in which a `Writer` wrote them.

    Every method takes what is expected there, for the message, and raises CodecError if the data
    end too early or hold something else. After that the position is of no use.

    Attributes:
        position: How many bytes have been read.
    """

    def __init__(self, data: Data) -> None:
        self._data = as_bytes(data)
        self.position = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._data) - self.position

    def finish(self) -> None:
        """Raises CodecError if bytes are left."""
        if self.left:
            raise CodecError(
                f"the data go on behind their last field, at byte {self.position}: "
                f"{_count(self.left)} too many"
            )

    def raw(self, count: int, what: str = "bytes") -> memoryview:
        """So many bytes, not copied."""
        if not 0 <= count <= self.left:
            problem = f"it needs {_count(count)}, {self.left} are left"
            raise _refusal(self.position, what, problem)
        start = self.position
        self.position += count
        return self._data[start : self.position]

    def unsigned(self, what: str = "a whole number", *, limit: int = _LARGEST) -> int:
        """A whole number from 0 to `limit`."""
        start = self.position
        value = self._varint(what)
        if value > limit:
            raise _refusal(start, what, f"{value} is above the limit of {limit}")
        return value

    def signed(self, what: str = "a whole number", *, limit: int = _LARGEST_SIGNED) -> int:
        """A whole number from -`limit` to `limit`."""
        start = self.position
        coded = self._varint(what)
        value = -(coded + 1 >> 1) if coded & 1 else coded >> 1
        if abs(value) > min(limit, _LARGEST_SIGNED):
            raise _refusal(start, what, f"{value} is beyond the limit of {limit}")
        return value

    def _varint(self, what: str) -> int:
        start = self.position
        value = 0
        for shift in range(0, _BITS, 7):
            if not self.left:
                raise _refusal(start, what, "the data end too early")
            byte = self._data[self.position]
            self.position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise _refusal(start, what, "the number is not in its shortest form")
                if value > _LARGEST:
                    break
                return value
        raise _refusal(start, what, f"the number has more than {_BITS} bits")

    def float32(self, what: str = "a number", *, finite: bool = True) -> float:
        """A number of 32 bits; infinite ones and NaN only if `finite` is false."""
        return self._float("<f", what, finite)

    def float64(self, what: str = "a number", *, finite: bool = True) -> float:
        """A number of 64 bits; infinite ones and NaN only if `finite` is false."""
        return self._float("<d", what, finite)

    def _float(self, form: str, what: str, finite: bool) -> float:
        start = self.position
        value: float = struct.unpack(form, self.raw(struct.calcsize(form), what))[0]
        if finite and not math.isfinite(value):
            raise _refusal(start, what, f"{value} is not finite")
        return value

    def text(self, what: str = "text", *, limit: int = MOST_TEXT) -> str:
        """Text of at most `limit` bytes in UTF-8."""
        start = self.position
        data = self.block(what, limit=limit)
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError:
            raise _refusal(start, what, "the text is not UTF-8") from None

    def block(self, what: str = "a block of bytes", *, limit: int = _LARGEST) -> memoryview:
        """Bytes preceded by their number, at most `limit`; not copied."""
        return self.raw(self.unsigned(what, limit=limit), what)

    def shape(self, what: str = "a shape", *, limit: int) -> tuple[int, ...]:
        """The shape of an array.

        Args:
            what: What is expected, for the message.
            limit: Most values of the array. Axes without samples count as one sample each, as
                NumPy cannot make an array of 2^62 times 0 values either.
        """
        start = self.position
        lengths = []
        size = 1
        for _ in range(self.unsigned(f"the number of axes of {what}", limit=MOST_AXES)):
            length = self.unsigned(what)
            size *= max(length, 1)
            if size > limit:
                raise _refusal(start, what, f"it has more values than the limit of {limit}")
            lengths.append(length)
        return tuple(lengths)


def _refusal(position: int, what: str, problem: str) -> CodecError:
    return CodecError(f"{what} was expected at byte {position}: {problem}")


def _count(number: int) -> str:
    return f"{number} byte{'' if number == 1 else 's'}"


def _short(number: int) -> str:
    """A number for a message; one of thousands of digits would fill the screen."""
    return str(number) if number.bit_length() <= 128 else f"one of {number.bit_length()} bits"
