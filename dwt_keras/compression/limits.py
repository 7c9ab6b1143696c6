"""The magnitudes below which coefficients go: which rule, for which part of which kernel."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dwt_keras.compression.support import HeldSupport
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet import blocks, rules

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Part:
    """Coefficients that have one threshold.

    Attributes:
        slices: A block of the coefficient array, ...
        spared: ... without this one inside it, if any.
        size: How many coefficients that leaves.
    """

    slices: blocks.Slices
    spared: blocks.Slices | None
    size: int


def coefficients(target: Target, held: HeldSupport | None) -> Array:
    """A kernel's coefficients, new; exactly zero outside the held support."""
    found = target.basis.decompose(target.read())
    if held is not None:
        found *= held.mask(target)
    return found


def shared(
    targets: Sequence[Target],
    settings: CompressionSettings,
    factor: float = 1.0,
    held: HeldSupport | None = None,
) -> float | None:
    """The threshold that all kernels have in common; None for rules that give each its own.

    Args:
        targets: All kernels.
        settings: Rule and threshold.
        factor: What the schedule multiplies the threshold by, 0 to 1.
        held: The support that is held, if any.
    """
    rule, wanted = settings.threshold_rule, factor * float(settings.threshold or 0.0)
    if rule == "absolute":
        return wanted
    if rule != "quantile":
        return None

    def chunks() -> Iterator[Array]:
        for target in targets:
            yield _inside(coefficients(target, held), _whole(target, settings))

    return rules.quantile_threshold(chunks, wanted)


def parts(
    target: Target,
    settings: CompressionSettings,
    factor: float,
    found: Array,
    common: float | None,
) -> list[tuple[Part, float]]:
    """The parts of a kernel's coefficients to threshold, each with its threshold.

    Args:
        target: The kernel.
        settings: Rule and threshold.
        factor: What the schedule multiplies the threshold by, 0 to 1.
        found: Its coefficients.
        common: What `shared` gave.
    """
    if settings.is_data_driven:
        return _by_noise(target, settings.threshold_rule, factor, found)
    whole = _whole(target, settings)
    if common is not None:
        return [(whole, common)]
    largest = float(np.abs(_inside(found, whole)).max(initial=0.0))
    return [(whole, factor * float(settings.threshold or 0.0) * largest)]


def mean(given: Sequence[tuple[Part, float]]) -> float:
    """The threshold, averaged over the coefficients where parts have their own."""
    if len(given) == 1:
        return given[0][1]
    total = sum(part.size * limit for part, limit in given)
    return total / max(sum(part.size for part, _ in given), 1)


def _by_noise(target: Target, rule: str, factor: float, found: Array) -> list[tuple[Part, float]]:
    """Every subband but the approximation, by the noise that its share of white noise would be."""
    basis = target.basis
    finest = next((band for band in basis.subbands if band.slices == basis.finest_details), None)
    sigma = rules.noise_sigma(found[basis.finest_details])
    if finest is not None:
        gain = basis.gain(finest)
        sigma = sigma / gain if gain else 0.0
    given = []
    for band in basis.subbands:
        if band.is_approximation:
            continue
        inside = found[band.slices]
        noise = sigma * basis.gain(band)
        if rule == "universal":
            limit = rules.universal_threshold(
                noise, math.prod(basis.shape), complex_valued=np.iscomplexobj(found)
            )
        elif rule == "bayes":
            limit = rules.bayes_threshold(inside, noise)
        else:
            limit = rules.sure_threshold(inside, noise)
        given.append((Part(band.slices, None, inside.size), factor * limit))
    return given


def _whole(target: Target, settings: CompressionSettings) -> Part:
    """All coefficients, but for the approximation where that is spared."""
    basis = target.basis
    bands = basis.subbands
    sizes = [math.prod(part.stop - part.start for part in band.slices) for band in bands]
    everything = tuple(
        slice(0, max(band.slices[axis].stop for band in bands))
        for axis in range(len(bands[0].slices))
    )
    if not settings.keep_approximation or basis.approximation is None:
        return Part(everything, None, sum(sizes))
    # The approximation is the first band.
    return Part(everything, basis.approximation, sum(sizes[1:]))


def _inside(found: Array, part: Part) -> Array:
    """The coefficients of a part in one axis."""
    if part.spared is None:
        return found[part.slices].reshape(-1)
    kept = np.ones(found.shape, bool)
    kept[part.spared] = False
    return found[kept]
