"""One shrinking: transform, threshold, reconstruct, write back, one kernel at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from dwt_keras import checks
from dwt_keras.compression import limits
from dwt_keras.compression.support import HeldSupport
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet import threshold as thresholds

Array = np.ndarray[Any, np.dtype[Any]]

# A coefficient recomputed from stored weights is zero if it is this many roundings of the
# largest one or less: transforming back and forth leaves a zero at one to three of them.
_ZERO_ROUNDINGS = 16


@dataclass(frozen=True)
class TargetReport:
    """What a shrinking did to one kernel.

    Attributes:
        path: Path of the kernel.
        layer_path: Path of its layer.
        shape: Shape of the kernel.
        basis: The basis in words.
        coefficients: Number of coefficients.
        zeros: How many of them are zero now.
        energy_before: Sum of their squares before.
        energy_after: And after.
        threshold: The magnitude that was applied; the mean where subbands have their own.
    """

    path: str
    layer_path: str
    shape: tuple[int, ...]
    basis: str
    coefficients: int
    zeros: int
    energy_before: float
    energy_after: float
    threshold: float

    @property
    def zero_fraction(self) -> float:
        """Share of zeros among the coefficients, 0 to 1."""
        return _zero_fraction([self])

    @property
    def energy_kept(self) -> float:
        """Share of the energy (sum of squares) that the shrinking left."""
        return _energy_kept([self])


@dataclass(frozen=True)
class Report:
    """What a shrinking did to all kernels, in the model's order."""

    targets: tuple[TargetReport, ...]

    @property
    def zero_fraction(self) -> float:
        """Share of zeros among all coefficients, 0 to 1."""
        return _zero_fraction(self.targets)

    @property
    def zero_fraction_by_layer(self) -> dict[str, float]:
        """The same by layer path; a layer's kernels count together."""
        paths = dict.fromkeys(target.layer_path for target in self.targets)
        return {
            path: _zero_fraction([row for row in self.targets if row.layer_path == path])
            for path in paths
        }

    @property
    def energy_kept(self) -> float:
        """Share of the coefficients' energy (sum of squares) that the shrinking left."""
        return _energy_kept(self.targets)

    @property
    def threshold(self) -> float:
        """The magnitude applied; the mean over kernels where each has its own."""
        return sum(target.threshold for target in self.targets) / len(self.targets)


def shrink(
    targets: Sequence[Target],
    settings: CompressionSettings,
    factor: float = 1.0,
    held: HeldSupport | None = None,
    only: Collection[Target] | None = None,
) -> dict[Target, TargetReport]:
    """Thresholds the coefficients of all targets and writes the kernels back.

    A kernel of which nothing changes is not written, so that repeated shrinking with a threshold
    of zero leaves every bit.

    Args:
        targets: The kernels.
        settings: Rule, mode and threshold.
        factor: What the schedule multiplies the threshold by, 0 to 1.
        held: The support that is held, if any. What lies outside it is zero, whatever rounding
            the weights left of it; what is left now becomes the support.
        only: The targets to shrink; the others still count where the rule looks at all
            together. None for all.

    Returns:
        What was done to each target that was shrunk.

    Raises:
        UserError: If a kernel has weights that are NaN or infinite; nothing is written then.
    """
    check_finite(targets)
    shared = limits.shared(targets, settings, factor, held)
    return {
        target: _shrink_one(target, settings, factor, held, shared)
        for target in targets
        if only is None or target in only
    }


def check_finite(targets: Sequence[Target]) -> None:
    """Checks that a training has not diverged.

    Raises:
        UserError: If a kernel has weights that are NaN or infinite.
    """
    for target in targets:
        check_finite_values(target.path, target.read())


def check_finite_values(path: str, values: Array) -> None:
    """Checks the weights or coefficients of one kernel, as `check_finite` does those of all."""
    if not np.isfinite(values).all():
        raise checks.UserError(
            f"{path}: has weights that are NaN or infinite; the training has diverged "
            "(a lower learning rate helps)"
        )


def measure(targets: Sequence[Target]) -> Report:
    """Counts the zeros of kernels as they stand, from their weights alone.

    Weights are stored rounded: see `without_roundings`.

    Args:
        targets: The kernels, with bases; a frame's coefficients are not those of its kernel's
            weights alone. Not changed.

    Returns:
        A report with `threshold` 0 whose energies are equal.
    """
    reports = []
    for target in targets:
        coefficients = without_roundings(target)
        reports.append(report(target, coefficients, energy(coefficients), 0.0))
    return Report(tuple(reports))


def without_roundings(target: Target) -> Array:
    """A kernel's coefficients from its weights, exactly zero where only rounding is left.

    A coefficient counts as zero up to 16 roundings (machine epsilons of the kernel's dtype) of the
    kernel's largest coefficient.
    """
    kernel = target.read()
    coefficients = target.basis.decompose(kernel)
    largest = max(-float(coefficients.min(initial=0.0)), float(coefficients.max(initial=0.0)))
    # Up to the tolerance itself, and a threshold keeps what equals it.
    tolerance = _ZERO_ROUNDINGS * float(_epsilon(kernel.dtype)) * largest
    above = float(np.nextafter(coefficients.dtype.type(tolerance), np.inf))
    thresholds.shrink_in_place(coefficients, above)
    return coefficients


def digest(target: Target) -> bytes:
    """A fingerprint of a kernel's exact values."""
    return hashlib.blake2b(target.read().tobytes()).digest()


def _shrink_one(
    target: Target,
    settings: CompressionSettings,
    factor: float,
    held: HeldSupport | None,
    shared: float | None,
) -> TargetReport:
    # In place, and nothing kept longer than needed: kernels are large.
    coefficients = limits.coefficients(target, held)
    before = energy(coefficients)
    parts = limits.parts(target, settings, factor, coefficients, shared)
    changed = sum(
        _shrink_part(coefficients, part, limit, settings.threshold_mode) for part, limit in parts
    )
    done = report(target, coefficients, before, limits.mean(parts))
    if held is not None:
        held.hold(target, coefficients)
    if changed:
        kernel = target.kernel(coefficients)
        del coefficients
        target.write(kernel)
    return done


def _shrink_part(coefficients: Array, part: limits.Part, limit: float, mode: str) -> int:
    """Shrinks a block of the array but for another one inside it; counts what was changed."""
    inside = coefficients[part.slices]
    if part.spared is None:
        return thresholds.shrink_in_place(inside, limit, mode)
    spared = coefficients[part.spared].copy()
    coefficients[part.spared] = 0
    changed = thresholds.shrink_in_place(inside, limit, mode)
    coefficients[part.spared] = spared
    return changed


def report(target: Target, after: Array, energy_before: float, limit: float) -> TargetReport:
    """What a shrinking did that left these coefficients."""
    return TargetReport(
        path=target.path,
        layer_path=target.layer_path,
        shape=tuple(target.variable.shape),
        basis=str(target.basis),
        coefficients=after.size,
        zeros=after.size - int(np.count_nonzero(after)),
        energy_before=energy_before,
        energy_after=energy(after),
        threshold=limit,
    )


def energy(coefficients: Array) -> float:
    """The sum of squares."""
    flat = coefficients.reshape(-1)
    return float(np.vdot(flat, flat).real)


def _epsilon(dtype: np.dtype[Any]) -> float:
    return float(ml_dtypes.finfo(dtype).eps)


def _zero_fraction(reports: Sequence[TargetReport]) -> float:
    count = sum(report.coefficients for report in reports)
    return sum(report.zeros for report in reports) / count if count else 0.0


def _energy_kept(reports: Sequence[TargetReport]) -> float:
    before = sum(report.energy_before for report in reports)
    return sum(report.energy_after for report in reports) / before if before else 1.0
