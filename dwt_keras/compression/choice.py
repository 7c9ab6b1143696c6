"""Choosing each kernel's basis from its weights as they stand."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from dwt_keras.compression import limits
from dwt_keras.compression.support import HeldSupport
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings
from dwt_keras.settings.compression import AUTO
from dwt_keras.wavelet import best_basis, families

# A threshold below the normal float32 numbers removes nothing.
_TINY = float(np.finfo(np.float32).tiny)


def choose_bases(
    targets: Sequence[Target], settings: CompressionSettings, held: HeldSupport | None = None
) -> tuple[Target, ...]:
    """The same kernels, each with the basis in which it is cheapest at the full threshold.

    The threshold is that of the settings' rule on the coefficients as the targets have them,
    which is on the weights themselves before the first choice. A kernel of which nothing is to go
    keeps its basis.

    Args:
        targets: The kernels. Not changed.
        settings: Wavelet and level (one of them "auto"), rule and threshold.
        held: The support that is held in the targets' bases, if any.

    Returns:
        New targets, in the same order.
    """
    trained = settings.target_bytes is not None
    if trained:
        settings = _as_quantile(settings, targets)
    wavelets = None
    if settings.wavelet != AUTO:
        wavelets = [settings.wavelet] if settings.wavelet != families.IDENTITY else []
    common = limits.shared(targets, settings, held=held)
    chosen = []
    for target in targets:
        found = limits.coefficients(target, held)
        parts = limits.parts(target, settings, 1.0, found, common)
        threshold = limits.mean(parts)
        if threshold < _TINY:
            chosen.append(target)
            continue
        kept = float(np.mean(np.abs(found) >= threshold))
        del found
        choice = best_basis.choose(
            target.read(),
            target.basis.shape,
            target.axes,
            threshold=threshold,
            kept=kept,
            wavelets=wavelets,
            level=settings.level or AUTO,
            trained=trained,
        )
        chosen.append(dataclasses.replace(target, basis=choice.basis, choice=choice))
    return tuple(chosen)


def _as_quantile(settings: CompressionSettings, targets: Sequence[Target]) -> CompressionSettings:
    """A share of the coefficients to zero that leaves about as many as a file has bytes.

    It is half at least: with fewer zeros no threshold tells one basis from another.
    """
    count = sum(math.prod(target.basis.shape) for target in targets)
    kept = min((settings.target_bytes or 0) / max(count, 1), 0.5)
    return dataclasses.replace(
        settings, target_bytes=None, threshold_rule="quantile", threshold=1.0 - kept
    )
