"""Training a network for a file of a given size."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dwt_keras import checks
from dwt_keras.compression import budget, records, shrink
from dwt_keras.compression.constraints import Penalty
from dwt_keras.compression.latent import Array, LatentCoefficients
from dwt_keras.compression.targets import Target

# What is aimed at during the training, as a share of the size, and between which shares a size is
# left alone. Coefficients gather at the threshold: whenever it moves many of them go, and come back
# in the next steps, so that the last epochs are better off without that, and with some room.
_AIM = 0.975
_LEFT_ALONE = (0.955, 0.995)

# How far from a multiple of its step a coefficient may lie by rounding, in steps.
_OFF_GRID = 0.01
_TINY = float(np.finfo(np.float32).tiny)


class ByteTarget:
    """The kernels of a model on their way to a file of a given size.

    Args:
        model: The model.
        targets: Its kernels, each with its basis.
        target_bytes: Size of the whole file, the architecture included where it can be stored;
            `check` has found that it can be kept.
        training: Any object that stands for this training.
        penalty: What draws latent coefficients to zero; None for nothing.
    """

    def __init__(
        self,
        model: Any,
        targets: Sequence[Target],
        target_bytes: int,
        training: object,
        penalty: Penalty | None = None,
    ) -> None:
        self._model = model
        self.targets = tuple(targets)
        self._target_bytes = target_bytes
        self._size = file_size(model, targets)
        self._latent = LatentCoefficients(model, targets, training, penalty)
        self._threshold = 0.0
        # With which the file has the size, whatever the schedule makes of it.
        self._goal = 0.0
        # Of the latent coefficients when they were shown last, by path.
        self._energy: dict[str, float] = {}

    def attach(self) -> None:
        """Lets optimizer steps train the latent coefficients from now on."""
        self._latent.attach()

    def detach(self) -> None:
        """Ends that; kernels stay as they are."""
        self._latent.detach()

    def expect(self, steps: int) -> None:
        """Lets kernels be what they show after so many optimizer steps: those of an epoch."""
        self._latent.expect(steps)

    def reveal(self) -> None:
        """Sets the kernels to all of their latent coefficients."""
        for target in self.targets:
            latent = self._latent.show(target, self._latent.read(target), 0.0, 0.0)
            target.write(target.kernel(latent))

    def choose(self, factor: float, *, quantised: bool) -> None:
        """Chooses anew what is kept, for a little less than the size, and sets the kernels to it.

        Nothing is done where kernels are quantised to about that already.

        Args:
            factor: How far the schedule is, 0 (all is kept) to 1 (what fits).
            quantised: Whether what is kept is also rounded to steps; those of the file then.

        Raises:
            UserError: If a kernel has weights that are NaN or infinite; nothing is changed then.
        """
        if quantised and all(target.step for target in self.targets):
            share = self._size.as_they_are(self.targets) / self._target_bytes
            if _LEFT_ALONE[0] <= share <= _LEFT_ALONE[1]:
                return
        found = self._read()
        goal = self._size.allocate(found, round(_AIM * self._target_bytes), near=self._goal)
        self._goal = goal.threshold
        threshold = goal.threshold
        if factor < 1.0:
            every = sum(part.size for part in found.values())
            fit = sum(int((abs(part) >= goal.threshold).sum()) for part in found.values())
            count = round(every - (every - fit) * factor)
            threshold = budget.threshold_keeping(found, count)
        self._show(found, threshold, goal.steps if quantised else {})

    def show(self) -> None:
        """Sets the kernels to what their latent coefficients show after the last step.

        Raises:
            UserError: If one is NaN or infinite; nothing is changed then.
        """
        found = self._read()
        if not self._latent.are_shown():
            self._show(found, self._threshold, _steps(self.targets))

    def settle(self, targets: Sequence[Target]) -> int:
        """Makes the kernels as they stand those of a file that is small enough.

        Args:
            targets: The kernels, each with the step that it has been quantised to, if it has.

        Returns:
            The size of the file, above what was wanted only where not even zeros would fit.
        """
        shrink.check_finite(targets)
        self.targets = tuple(targets)
        # Weights restored to an earlier state may have the bases of that time.
        self._size = file_size(self._model, targets)
        mine = self._latent.are_shown()
        found = self._read() if mine else {target.path: _distinct(target) for target in targets}
        if not all(_on_grid(target) for target in targets):
            goal = self._size.allocate(found, self._target_bytes, at_most=True)
        else:
            size = self._size.as_they_are(targets)
            if size <= self._target_bytes:
                return size
            # Nothing is trained after this: as little as possible is taken away.
            threshold = self._threshold if mine else _TINY
            goal = self._size.trimmed(found, threshold, _steps(targets), self._target_bytes)
        self._show(found, goal.threshold, goal.steps)
        return goal.size

    def reports(self) -> dict[Target, shrink.TargetReport]:
        """What thresholding and quantising does to the kernels as they stand."""
        rows = shrink.measure(self.targets).targets
        return {
            target: dataclasses.replace(
                row,
                energy_before=self._energy.get(target.path, row.energy_before),
                threshold=self._threshold,
            )
            for target, row in zip(self.targets, rows, strict=True)
        }

    def get_state(self) -> records.State:
        """Latent coefficients, bases, steps and thresholds, as plain values."""
        return {
            "targets": records.of_targets(self.targets),
            "latent": self._latent.get_state(),
            "threshold": self._threshold,
            "goal": self._goal,
            "energy": self._energy,
        }

    def set_state(self, state: records.State) -> None:
        """Sets what `get_state` gave; kernels stay as they are.

        Args:
            state: That of kernels that have the bases of these.
        """
        self.targets = records.to_targets(self.targets, state["targets"])
        self._latent.set_state(state["latent"])
        self._threshold, self._goal = state["threshold"], state["goal"]
        self._energy = dict(state["energy"])

    def _read(self) -> dict[str, Array]:
        """The latent coefficients of all kernels, by path."""
        found = {target.path: self._latent.read(target) for target in self.targets}
        for path, part in found.items():
            shrink.check_finite_values(path, part)
        return found

    def _show(
        self, found: Mapping[str, Array], threshold: float, steps: Mapping[str, float]
    ) -> None:
        chosen = []
        for target in self.targets:
            step = steps.get(target.path, 0.0)
            shown = self._latent.show(target, found[target.path], threshold, step)
            self._energy[target.path] = shrink.energy(found[target.path])
            target.write(target.kernel(shown))
            chosen.append(dataclasses.replace(target, step=step or None))
        self.targets = tuple(chosen)
        self._threshold = threshold


def check(model: Any, targets: Sequence[Target], target_bytes: int) -> list[str]:
    """Checks before training that a model can be trained for a size.

    Returns:
        Notes for the user, one line each.

    Raises:
        UserError: If there is no file so small, or a kernel has 16 bits.
    """
    for target in targets:
        if target.variable.dtype not in ("float32", "float64"):
            # Rounding the kernel in every step would add up in its latent coefficients.
            raise checks.UserError(
                f"target_bytes needs kernels in float32 or float64; {target.path} is "
                f"{target.variable.dtype} (dtype policy mixed_float16 keeps float32)"
            )
    size = file_size(model, targets)
    size.check(target_bytes)
    if size.with_architecture:
        return []
    return [
        "the architecture cannot be stored: target_bytes counts a file of weights alone "
        "(save_compressed with with_architecture=False)"
    ]


def file_size(model: Any, targets: Sequence[Target]) -> budget.FileSize:
    """The size of the file of a model, with its architecture where that can be stored."""
    try:
        return budget.FileSize(model, targets)
    except checks.UserError:
        return budget.FileSize(model, targets, with_architecture=False)


def _steps(targets: Sequence[Target]) -> dict[str, float]:
    """The steps of kernels by their paths, 0 where there is none."""
    return {target.path: float(target.step or 0.0) for target in targets}


def _on_grid(target: Target) -> bool:
    """Whether a kernel's coefficients are multiples of its step, but for rounding."""
    if not target.step:
        return False
    levels = shrink.without_roundings(target) / target.step
    return bool(np.abs(levels - np.rint(levels)).max(initial=0.0) < _OFF_GRID)


def _distinct(target: Target) -> Array:
    """A kernel's own coefficients, those of equal magnitude told apart by a trifle."""
    found = shrink.without_roundings(target)
    shrinking = np.random.default_rng(0).uniform(0.0, _OFF_GRID / 10, found.shape)
    return (found * (1.0 - shrinking)).astype(found.dtype)
