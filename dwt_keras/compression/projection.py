"""The wavelet transform as TensorFlow operations, to project a kernel inside a training step.

It computes what `dwt_keras.wavelet.transform` computes, on subbands kept apart rather than laid
out in one array, since copying them together would cost more than the transform. Filters of two
taps become sums and differences of reshaped blocks, which XLA fuses into almost nothing; longer
ones a matrix product on short axes and shifted sums on long ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dwt_keras.wavelet import basis, blocks, families

Bands = dict[str, Any]
Change = Callable[[str, Any], Any]

# A sum over taps beats the product with the whole matrix from about this many samples a tap.
_SAMPLES_PER_TAP = 8


class Projection:
    """Changes the coefficients of a kernel, block by block.

    Args:
        kernel_basis: The basis of the coefficients.
        kernel_shape: Shape of the kernel.
        dtype: TensorFlow dtype to compute in.

    Attributes:
        leaves: Where the blocks that are changed lie in the array of coefficients, by their paths.
    """

    def __init__(
        self, kernel_basis: basis.Basis, kernel_shape: tuple[int, ...], dtype: Any
    ) -> None:
        self._basis = kernel_basis
        self._shape = kernel_shape
        self._dtype = tf.as_dtype(dtype)
        self.leaves: dict[str, blocks.Slices] = {"": blocks.root(kernel_basis.shape).slices}
        if not kernel_basis.is_identity:
            self._bank = families.filter_bank(kernel_basis.wavelet)
            self.leaves = {leaf.path: leaf.slices for leaf in kernel_basis.leaves}

    def __call__(self, kernel: Any, change: Change) -> Any:
        """The kernel with its coefficients changed.

        Args:
            kernel: Tensor of the kernel's shape, of any floating dtype.
            change: From a block's path and its coefficients, in the dtype to compute in, to those
                that take their place.

        Returns:
            Tensor of the kernel's shape and dtype.
        """
        values = tf.reshape(tf.cast(kernel, self._dtype), self._basis.shape)
        values = self._project(values, change, "")
        return tf.cast(tf.reshape(values, self._shape), kernel.dtype)

    def _project(self, values: Any, change: Change, path: str) -> Any:
        """One block of the decomposition, and all that it is split into."""
        if path in self.leaves:
            return change(path, values)
        lengths = {axis: values.shape[axis] for axis in self._basis.axes}
        parts = {
            letters: self._project(part, change, path + letters)
            for letters, part in _split_all(values, lengths, self._bank).items()
        }
        return _merge_all(parts, lengths, self._bank)


def _split_all(values: Any, lengths: dict[int, int], bank: families.FilterBank) -> Bands:
    """One level of analysis along all axes: blocks by their letters."""
    if _two_taps_and_even(lengths, bank):
        return _split_pairs(values, lengths, bank)
    blocks: Bands = {"": values}
    for axis, length in lengths.items():
        split: Bands = {}
        for name, block in blocks.items():
            if length > 1:
                split[name + "a"], split[name + "d"] = _split(block, axis, bank)
            else:
                split[name + "a"] = block
        blocks = split
    return blocks


def _merge_all(blocks: Bands, lengths: dict[int, int], bank: families.FilterBank) -> Any:
    """Inverts `_split_all`."""
    if _two_taps_and_even(lengths, bank):
        return _merge_pairs(blocks, lengths, bank)
    for axis, length in reversed(lengths.items()):
        merged: Bands = {}
        for name in dict.fromkeys(key[:-1] for key in blocks):
            low = blocks[name + "a"]
            merged[name] = _merge(low, blocks[name + "d"], axis, bank) if length > 1 else low
        blocks = merged
    return blocks[""]


def _two_taps_and_even(lengths: dict[int, int], bank: families.FilterBank) -> bool:
    return len(bank.analysis_low) == 2 and all(length % 2 == 0 for length in lengths.values())


def _split_pairs(values: Any, lengths: dict[int, int], bank: families.FilterBank) -> Bands:
    """All axes at once: the 2^d members of each cell are combined axis by axis."""
    paired: list[int] = []
    for axis, size in enumerate(values.shape):
        paired += [size // 2, 2] if axis in lengths else [size]
    cells = tf.reshape(values, paired)
    places = _pair_axes(lengths)
    blocks: Bands = {}
    for members in itertools.product((0, 1), repeat=len(places)):
        index: list[Any] = [slice(None)] * len(paired)
        for place, member in zip(places, members, strict=True):
            index[place] = member
        blocks["".join(map(str, members))] = cells[tuple(index)]
    for position in range(len(places)):
        blocks = _combine(
            blocks, position, "01", "ad", np.stack([bank.analysis_low, bank.analysis_high])
        )
    return blocks


def _merge_pairs(blocks: Bands, lengths: dict[int, int], bank: families.FilterBank) -> Any:
    places = _pair_axes(lengths)
    weights = np.stack([bank.synthesis_low, bank.synthesis_high], axis=1)
    for position in range(len(places)):
        blocks = _combine(blocks, position, "ad", "01", weights)
    shape = list(blocks["0" * len(places)].shape)
    for axis in lengths:
        shape[axis] *= 2
    while places:
        # All later members are stacked already, so that this axis lands in its final place.
        place = places.pop()
        names = dict.fromkeys(name[:-1] for name in blocks)
        axis = place - sum(earlier < place for earlier in places)
        blocks = {name: tf.stack([blocks[name + "0"], blocks[name + "1"]], axis) for name in names}
    return tf.reshape(blocks[""], shape)


def _pair_axes(lengths: dict[int, int]) -> list[int]:
    """Where the pairs lie once each axis of n samples is reshaped to (n / 2, 2)."""
    return [axis + sum(other < axis for other in lengths) + 1 for axis in lengths]


def _combine(blocks: Bands, position: int, old: str, new: str, weights: Any) -> Bands:
    """Replaces the letter at `position`: new[i] = sum_j weights[i, j] * old[j]."""
    combined: Bands = {}
    for name, block in blocks.items():
        if name[position] != old[0]:
            continue
        head, tail = name[:position], name[position + 1 :]
        partner = blocks[head + old[1] + tail]
        for letter, (first, second) in zip(new, weights.tolist(), strict=True):
            combined[head + letter + tail] = first * block + second * partner
    return combined


def _split(values: Any, axis: int, bank: families.FilterBank) -> tuple[Any, Any]:
    """One level of analysis along one axis: approximation (odd sample included), details."""
    length = values.shape[axis]
    half = length // 2
    even, last = values[_at(axis, 0, 2 * half)], values[_at(axis, 2 * half, length)]
    if _by_matrix(bank, length):
        matrix = families.analysis_matrix(bank, 2 * half)
        both = _along(matrix, even, axis)
        low, high = both[_at(axis, 0, half)], both[_at(axis, half, 2 * half)]
    else:
        phases = _phases(even, axis)
        low, high = (
            _filtered(phases, taps, bank.analysis_start, axis)
            for taps in (bank.analysis_low, bank.analysis_high)
        )
    return (tf.concat([low, last], axis) if length % 2 else low), high


def _merge(low: Any, high: Any, axis: int, bank: families.FilterBank) -> Any:
    """Inverts `_split`."""
    half = high.shape[axis]
    length = low.shape[axis] + half
    last = low[_at(axis, half, length - half)]
    low = low[_at(axis, 0, half)]
    if _by_matrix(bank, length):
        matrix = families.synthesis_matrix(bank, 2 * half)
        even = _along(matrix, tf.concat([low, high], axis), axis)
    else:
        sums: list[Any] = [0.0, 0.0]
        for band, taps in ((low, bank.synthesis_low), (high, bank.synthesis_high)):
            for place, tap in enumerate(taps.tolist(), bank.synthesis_start):
                sums[place % 2] += tap * _rolled(band, -(place // 2), axis)
        shape = list(high.shape)
        shape[axis] = 2 * half
        even = tf.reshape(tf.stack(sums, axis + 1), shape)
    return tf.concat([even, last], axis) if length % 2 else even


def _by_matrix(bank: families.FilterBank, length: int) -> bool:
    taps = len(bank.analysis_low)
    return taps > 2 and length < _SAMPLES_PER_TAP * taps


def _filtered(phases: tuple[Any, Any], taps: families.Taps, start: int, axis: int) -> Any:
    total: Any = 0.0
    for place, tap in enumerate(taps.tolist(), start):
        total += tap * _rolled(phases[place % 2], place // 2, axis)
    return total


def _phases(values: Any, axis: int) -> tuple[Any, Any]:
    shape = list(values.shape)
    pairs = tf.reshape(values, [*shape[:axis], shape[axis] // 2, 2, *shape[axis + 1 :]])
    before = (slice(None),) * (axis + 1)
    return pairs[(*before, 0)], pairs[(*before, 1)]


def _rolled(values: Any, shift: int, axis: int) -> Any:
    """Sample i becomes sample i + shift of the periodic axis."""
    length = values.shape[axis]
    shift %= length
    if not shift:
        return values
    return tf.concat([values[_at(axis, shift, length)], values[_at(axis, 0, shift)]], axis)


def _along(matrix: Any, values: Any, axis: int) -> Any:
    shape = list(values.shape)
    before = int(np.prod(shape[:axis]))
    lines = tf.reshape(values, [before, shape[axis], -1] if before > 1 else [shape[axis], -1])
    product = tf.linalg.matmul(tf.constant(matrix, values.dtype), lines)
    return tf.reshape(product, shape)


def _at(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, stop),)
