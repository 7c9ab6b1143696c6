"""Spending a number of bytes: which coefficients to keep, and how coarsely to quantise them.

One threshold for the coefficients of all kernels decides which are kept. Each kernel's quantisation
step follows from what it keeps, and the size of the file from both, so that one number is left to
solve for.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize

from dwt_keras import checks
from dwt_keras.coding import container, quantizer, tensors
from dwt_keras.compression import artifact, layout, packing
from dwt_keras.compression.targets import Target

Array = np.ndarray[Any, np.dtype[Any]]

# A kernel's step as a share of the mean magnitude of what it keeps: most are then one to three
# steps large, and finer ones cost more bits than they are worth (docs/benchmarks.md).
_STEP_SHARE = 0.5
# Where nearly everything is kept that would be too coarse: a dead zone of this many steps is the
# least there may be.
_DEAD_ZONE = 0.6
# A solution lies within this of the wanted size, as a fraction.
_PRECISION = 0.01
# Between two choices a threshold hardly moves by more than this factor.
_NEAR = 1.25
# Where a size must not be exceeded, the share of what is too much that goes at once.
_TRIMMED_AT_ONCE = 0.5
_FINEST = 2.0**-12
# What a trained bias may cost, and a tensor of them besides.
_BIAS_BYTES, _TABLE_BYTES = 1, 8


@dataclass(frozen=True)
class Allocation:
    """What a number of bytes buys.

    Attributes:
        threshold: Coefficients of a smaller magnitude go.
        steps: The quantisation step of each kernel, by its path.
        size: What the file then takes, in bytes.
    """

    threshold: float
    steps: Mapping[str, float]
    size: int


class FileSize:
    """The size of a model's file with any coefficients in the place of its own.

    Args:
        model: The model.
        targets: Its kernels, each with its basis.
        with_architecture: Whether the file shall hold the architecture.

    Attributes:
        with_architecture: As given.

    Raises:
        UserError: If the architecture cannot be stored.
    """

    def __init__(
        self, model: Any, targets: Sequence[Target], *, with_architecture: bool = True
    ) -> None:
        self.with_architecture = with_architecture
        self._model = model
        self._targets = targets
        self._wrapped = artifact.wrapping(
            model, with_architecture=with_architecture, limits=container.UNLIMITED
        )

    def least(self) -> int:
        """The size with all kernels zero, and some room for biases that are still to be trained."""
        kernels = [dataclasses.replace(target, step=1.0) for target in self._targets]
        levels = {target.path: np.zeros(target.basis.shape, np.int32) for target in kernels}
        packed = packing.pack(self._model, kernels, levels=levels)
        mine = {id(target.variable) for target in kernels}
        named = packing.variables(self._model)
        # Values that are rounded, and so cost next to nothing as long as they are zero.
        room = sum(
            _BIAS_BYTES * math.prod(tensor.shape) + _TABLE_BYTES
            for tensor in packed
            if tensor.levels is not None and id(named[tensor.name]) not in mine
        )
        return len(self._wrapped(tensors.encode(packed, layout.grid_of))) + room

    def check(self, target_bytes: int) -> None:
        """Checks that there can be a file so small; to be called before training.

        Raises:
            ArgumentError: If even one in which all kernels are zero is larger.
        """
        least = self.least()
        if least > target_bytes:
            raise checks.ArgumentError(
                "target_bytes",
                f"must be {least} or more, the size with all kernels zero; given {target_bytes}",
            )

    def with_threshold(
        self,
        latent: Mapping[str, Array],
        threshold: float,
        steps: Mapping[str, float] | None = None,
    ) -> Allocation:
        """The size with a threshold.

        Args:
            latent: The coefficients of each kernel, by its path.
            threshold: Above 0.
            steps: The step of each kernel; None for those that go with the threshold.
        """
        if steps is None:
            steps = {path: _step(found, threshold) for path, found in latent.items()}
        levels = {path: levels_of(found, threshold, steps[path]) for path, found in latent.items()}
        kernels = [dataclasses.replace(target, step=steps[target.path]) for target in self._targets]
        return Allocation(threshold, steps, self.as_they_are(kernels, levels))

    def as_they_are(
        self,
        kernels: Sequence[Target],
        levels: Mapping[str, quantizer.Levels] | None = None,
    ) -> int:
        """The size with kernels that have their steps, or with other levels in their place."""
        packed = packing.pack(self._model, kernels, levels=levels)
        return len(self._wrapped(tensors.encode(packed, layout.grid_of)))

    def allocate(
        self,
        latent: Mapping[str, Array],
        target_bytes: int,
        *,
        at_most: bool = False,
        near: float = 0.0,
    ) -> Allocation:
        """The threshold with which the file has about so many bytes.

        Args:
            latent: The coefficients of each kernel, by its path.
            target_bytes: The wanted size, for which `check` has found that there is a file.
            at_most: Whether it must not be exceeded; else it is met to one percent.
            near: A threshold that may be close to it, as that of a while ago; 0 for none.
        """
        known: dict[float, Allocation] = {}

        def excess(logarithm: float) -> float:
            # Bounds are asked for twice.
            if logarithm not in known:
                known[logarithm] = self.with_threshold(latent, math.exp(logarithm))
            found = math.log(known[logarithm].size / target_bytes)
            # The search ends at a zero, which is made where it is close enough.
            return 0.0 if abs(found) <= _PRECISION else found

        low, high = _bracket(latent, target_bytes, near, excess)
        if low < high:
            # Thresholds fall faster than sizes.
            scipy.optimize.brentq(excess, low, high, xtol=_PRECISION / 4)
        best = min(known, key=lambda tried: abs(math.log(known[tried].size / target_bytes)))
        found = known[best]
        if at_most:
            found = self.trimmed(latent, found.threshold, found.steps, target_bytes)
        return found

    def trimmed(
        self,
        latent: Mapping[str, Array],
        threshold: float,
        steps: Mapping[str, float],
        target_bytes: int,
    ) -> Allocation:
        """Takes away the smallest coefficients, a few at a time, until a size is kept to.

        Args:
            latent: The coefficients of each kernel, by its path.
            threshold: What has been taken away already.
            steps: The step of each kernel, which stays.
            target_bytes: The size, for which `check` has found that there is a file.
        """
        count = sum(int((np.abs(part) >= threshold).sum()) for part in latent.values())
        found = self.with_threshold(latent, threshold, steps)
        while found.size > target_bytes and count > 0:
            excess = found.size / target_bytes - 1.0
            count -= max(round(_TRIMMED_AT_ONCE * excess * count), 1)
            found = self.with_threshold(latent, threshold_keeping(latent, count), steps)
        return found


def levels_of(latent: Array, threshold: float, step: float) -> quantizer.Levels:
    """Whole numbers of steps: 0 below the threshold, else the nearest, but 1 at least.

    Args:
        latent: The coefficients.
        threshold: Smaller magnitudes are zero.
        step: The quantisation step.
    """
    size = np.abs(latent)
    levels = np.maximum(np.rint(size / latent.dtype.type(step)), 1)
    return np.where(size >= threshold, np.copysign(levels, latent), 0).astype(np.int32)


def threshold_keeping(latent: Mapping[str, Array], count: int) -> float:
    """The threshold that keeps so many of all coefficients, above 0; for none, above all."""
    sizes = np.concatenate([np.abs(found).reshape(-1) for found in latent.values()])
    if count < 1:
        return 2.0 * float(sizes.max()) + float(np.finfo(sizes.dtype).tiny)
    place = max(len(sizes) - count, 0)
    found = float(np.partition(sizes, place)[place])
    return max(found, float(np.finfo(sizes.dtype).tiny))


def _bracket(
    latent: Mapping[str, Array],
    target_bytes: int,
    near: float,
    excess: Callable[[float], float],
) -> tuple[float, float]:
    """Logarithms of two thresholds, one that keeps enough for a size and one that keeps no more.

    Both are the same where there is no other: one is just right, all fits, or nothing does.
    """
    largest = max(float(np.abs(found).max(initial=0.0)) for found in latent.values()) or 1.0
    finest, coarsest = math.log(_FINEST * largest), math.log(1.001 * largest)

    def within(threshold: float) -> float:
        return min(max(math.log(threshold), finest), coarsest)

    # A byte holds about one coefficient and its place.
    lows = [within(threshold_keeping(latent, 3 * target_bytes)), finest]
    highs = [within(threshold_keeping(latent, max(target_bytes // 3, 1))), coarsest]
    if near:
        close = within(near)
        found = excess(close)
        if found == 0.0:
            return close, close
        if found > 0.0:
            lows, highs = [close], [within(near * _NEAR), *highs]
        else:
            lows, highs = [within(near / _NEAR), *lows], [close]
    low = next((guess for guess in lows if excess(guess) >= 0.0), None)
    if low is None:
        return finest, finest
    high = next((guess for guess in highs if excess(guess) <= 0.0), None)
    return (low, low) if high is None else (low, high)


def _step(latent: Array, threshold: float) -> float:
    """A kernel's step, as files keep it: in 32 bits."""
    kept = np.abs(latent[np.abs(latent) >= threshold])
    wanted = _STEP_SHARE * float(kept.mean()) if kept.size else threshold
    return float(np.float32(min(wanted, threshold / _DEAD_ZONE)))
