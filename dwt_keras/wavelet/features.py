"""Computing some wavelet coefficients of an input, without the others.

A kernel W whose coefficients are C is W = S C with the synthesis S, so that a product with it is

    y = x W = (x S) C:

where a row of C is zero, that coefficient of x S need not be computed, nor C have the row. x S
takes the inner products of x with the synthesis atoms: the analysis by the adjoint of synthesis,
which for orthonormal wavelets is the analysis itself.

An atom of a separable transform is a product of atoms along each axis, and many coefficients share
those. So a few rows of a small matrix are needed for each axis, and no matrix of the whole
transform.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras import checks
from dwt_keras.wavelet import blocks, families, transform
from dwt_keras.wavelet.basis import Basis

Array = npt.NDArray[Any]

# The block of an axis (one letter a level) and the place in it.
Atom = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Features:
    """Some coefficients of x S, and how to compute them.

    Attributes:
        basis: The basis of the input, without the units' axis.
        rows: Which of the coefficients, as flat indices into an array of the basis' shape.
        axes: The axes of the basis along which there is something to multiply.
        atoms: For each of them the atoms that are needed, in order.
        places: Where each coefficient lies in the flattened array of all products, whose axes
            are those of the basis with one value an atom.
    """

    basis: Basis
    rows: Array
    axes: tuple[int, ...]
    atoms: tuple[tuple[Atom, ...], ...]
    places: Array

    def matrix(self, axis: int) -> Array:
        """The atoms along an axis.

        Args:
            axis: One of `axes`.

        Returns:
            float64 array of shape (atoms, samples along the axis).
        """
        length = self.basis.shape[axis]
        wanted = self.atoms[self.axes.index(axis)]
        found = np.empty((len(wanted), length))
        for path in dict.fromkeys(path for path, _ in wanted):
            numbers = [number for number, atom in enumerate(wanted) if atom[0] == path]
            places = [wanted[number][1] for number in numbers]
            found[numbers] = _atoms(self.basis.wavelet, length, path, places)
        return found


def adjoint(basis: Basis, inputs: Array) -> Array:
    """All coefficients of x S.

    Args:
        basis: The basis of the input, without the units' axis.
        inputs: Array of shape (samples, inputs), the inputs flattened; floating.

    Returns:
        Array of the same shape and dtype.
    """
    if basis.is_identity:
        return inputs
    bank = families.filter_bank(basis.wavelet)
    turned = dataclasses.replace(
        bank,
        analysis_low=bank.synthesis_low,
        analysis_high=bank.synthesis_high,
        analysis_start=bank.synthesis_start,
    )
    axes = [axis + 1 for axis in basis.axes]
    values = inputs.reshape(len(inputs), *basis.shape)
    found = transform.decompose(values, turned, basis.level, axes, basis.splits)
    return found.reshape(inputs.shape)


def of_inputs(basis: Basis) -> Basis:
    """The basis of a Dense kernel, without its units' axis.

    Args:
        basis: Of a kernel unflattened to (..., units).

    Raises:
        ArgumentError: If the units are transformed too.
    """
    last = len(basis.shape) - 1
    if last in basis.axes:
        raise checks.ArgumentError(
            "axes", f"must not hold that of the units, {last}; given {basis.axes}"
        )
    return dataclasses.replace(basis, shape=basis.shape[:-1])


def plan(basis: Basis, rows: Sequence[int] | Array) -> Features:
    """How to compute some coefficients.

    Args:
        basis: The basis of the input, without the units' axis.
        rows: Which of them, as flat indices into an array of the basis' shape, each once.

    Raises:
        ArgumentError: If there is none, or one is not there.
    """
    given = np.asarray(rows, np.int64)
    count = math.prod(basis.shape)
    if given.ndim != 1 or not given.size or len(np.unique(given)) < len(given):
        raise checks.ArgumentError("rows", f"must be one index or more, each once; given {rows}")
    if given.min() < 0 or given.max() >= count:
        wrong = given.min() if given.min() < 0 else given.max()
        raise checks.ArgumentError("rows", f"must lie within 0 and {count - 1}; given {wrong}")
    index = np.unravel_index(given, basis.shape)
    by_axis: dict[int, list[Atom]] = {axis: [("", 0)] * len(given) for axis in basis.axes}
    for leaf in basis.leaves:
        inside = np.ones(len(given), bool)
        for axis, (start, size) in enumerate(zip(leaf.starts, leaf.sizes, strict=True)):
            inside &= (index[axis] >= start) & (index[axis] < start + size)
        for position, axis in enumerate(basis.axes):
            path = leaf.path[position :: len(basis.axes)]
            for row in np.flatnonzero(inside):
                by_axis[axis][row] = path, int(index[axis][row]) - leaf.starts[axis]
    sizes = list(basis.shape)
    where = list(index)
    atoms = []
    for axis, found in by_axis.items():
        distinct = sorted(set(found), key=lambda atom: (len(atom[0]), atom))
        numbers = {atom: number for number, atom in enumerate(distinct)}
        where[axis] = np.array([numbers[atom] for atom in found])
        sizes[axis] = len(distinct)
        atoms.append(tuple(distinct))
    places = np.ravel_multi_index(where, sizes)
    return Features(basis, given, basis.axes, tuple(atoms), places)


def _atoms(wavelet: str, length: int, path: str, places: Sequence[int]) -> Array:
    """Some synthesis atoms of one block of an axis, one a row."""
    # A block of one sample is not split, whatever its letter.
    splits: list[str] = []
    size = length
    for end, letter in enumerate(path):
        if size < 2:
            break
        splits.append(path[:end])
        size -= size // 2 if letter == "a" else -(-size // 2)
    _, leaves = blocks.in_order((length,), splits, (0,))
    (block,) = (leaf for leaf in leaves if leaf.path == path[: len(splits)])
    units = np.zeros((len(places), length))
    units[np.arange(len(places)), block.starts[0] + np.asarray(places)] = 1.0
    if not splits:
        return units
    return transform.reconstruct(units, wavelet, len(splits), (1,), splits, overwrite=True)
