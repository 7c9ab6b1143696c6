"""One shrinking: transform, threshold, reconstruct, write back, one kernel at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from dwt_keras import checks
from dwt_keras.compression.support import HeldSupport
from dwt_keras.compression.targets import Target
from dwt_keras.settings import DATA_DRIVEN_RULES, CompressionSettings
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
        threshold: The magnitude that was applied.
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
    for target in targets:
        if not np.isfinite(target.read()).all():
            raise checks.UserError(
                f"{target.path}: has weights that are NaN or infinite; the training has diverged "
                "(a lower learning rate helps)"
            )
    limits = _limits(targets, settings, factor, held)
    reports = {}
    for target, limit in zip(targets, limits, strict=True):
        if only is not None and target not in only:
            continue
        coefficients = _coefficients(target, held)
        shrunk = thresholds.shrink(coefficients, limit, settings.threshold_mode)
        if _spares_approximation(target, settings):
            shrunk[target.basis.approximation] = coefficients[target.basis.approximation]
        if not np.array_equal(shrunk, coefficients):
            target.write(shrunk)
        if held is not None:
            held.hold(target, shrunk)
        reports[target] = _report(target, coefficients, shrunk, limit)
    return reports


def measure(targets: Sequence[Target]) -> Report:
    """Counts the zeros of kernels as they stand, from their weights alone.

    Weights are stored rounded, so a coefficient counts as zero up to 16 roundings (machine
    epsilons of the kernel's dtype) of the kernel's largest coefficient.

    Args:
        targets: The kernels; not changed.

    Returns:
        A report with `threshold` 0 whose energies are equal.
    """
    reports = []
    for target in targets:
        kernel = target.read()
        coefficients = target.basis.decompose(kernel)
        largest = float(np.abs(coefficients).max(initial=0.0))
        tolerance = _ZERO_ROUNDINGS * float(_epsilon(kernel.dtype)) * largest
        rounded = np.where(np.abs(coefficients) <= tolerance, 0, coefficients)
        reports.append(_report(target, rounded, rounded, 0.0))
    return Report(tuple(reports))


def digest(target: Target) -> bytes:
    """A fingerprint of a kernel's exact values."""
    return hashlib.blake2b(target.read().tobytes()).digest()


def _coefficients(target: Target, held: HeldSupport | None) -> Array:
    coefficients = target.basis.decompose(target.read())
    if held is not None:
        coefficients *= held.mask(target)
    return coefficients


def _limits(
    targets: Sequence[Target],
    settings: CompressionSettings,
    factor: float,
    held: HeldSupport | None,
) -> list[float]:
    """The magnitude below which coefficients go, for each target."""
    rule = settings.threshold_rule
    if rule in DATA_DRIVEN_RULES:
        return [factor * _universal(target, held) for target in targets]
    wanted = factor * float(settings.threshold or 0.0)
    if rule == "quantile":

        def chunks() -> Iterator[Array]:
            return (_thresholded(target, settings, held) for target in targets)

        return [thresholds.quantile_threshold(chunks, wanted)] * len(targets)
    if rule == "relative":
        return [wanted * _largest(_thresholded(target, settings, held)) for target in targets]
    return [wanted] * len(targets)


def _universal(target: Target, held: HeldSupport | None) -> float:
    coefficients = _coefficients(target, held)
    finest = coefficients[target.basis.finest_details]
    return thresholds.universal_threshold(finest, max(coefficients.size, 1))


def _thresholded(target: Target, settings: CompressionSettings, held: HeldSupport | None) -> Array:
    """The coefficients that the rule may zero, in one axis."""
    coefficients = _coefficients(target, held)
    if not _spares_approximation(target, settings):
        return coefficients.reshape(-1)
    details = [
        coefficients[band.slices].reshape(-1)
        for band in target.basis.subbands
        if not band.is_approximation
    ]
    return np.concatenate(details)


def _spares_approximation(target: Target, settings: CompressionSettings) -> bool:
    data_driven = settings.threshold_rule in DATA_DRIVEN_RULES
    return (settings.keep_approximation or data_driven) and (target.basis.approximation is not None)


def _report(target: Target, before: Array, after: Array, limit: float) -> TargetReport:
    return TargetReport(
        path=target.path,
        layer_path=target.layer_path,
        shape=tuple(target.variable.shape),
        basis=str(target.basis),
        coefficients=after.size,
        zeros=after.size - int(np.count_nonzero(after)),
        energy_before=_energy(before),
        energy_after=_energy(after),
        threshold=limit,
    )


def _energy(coefficients: Array) -> float:
    flat = coefficients.reshape(-1)
    return float(np.dot(flat, flat))


def _largest(coefficients: Array) -> float:
    return float(np.abs(coefficients).max(initial=0.0))


def _epsilon(dtype: np.dtype[Any]) -> float:
    return float(ml_dtypes.finfo(dtype).eps)


def _zero_fraction(reports: Sequence[TargetReport]) -> float:
    count = sum(report.coefficients for report in reports)
    return sum(report.zeros for report in reports) / count if count else 0.0


def _energy_kept(reports: Sequence[TargetReport]) -> float:
    before = sum(report.energy_before for report in reports)
    return sum(report.energy_after for report in reports) / before if before else 1.0
