"""The three ways to shrink: by a threshold, by whole rows or columns, for a size in bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dwt_keras.compression import (
    byte_target,
    choice,
    inputs,
    penalty,
    records,
    rows,
    shrink,
    support,
)
from dwt_keras.compression.strategy import Reports, Strategy, Task
from dwt_keras.compression.targets import Target
from dwt_keras.settings.structure import COLUMNS, ROWS


class ByThreshold(Strategy):
    """Coefficients below a threshold go, and may be held at zero."""

    leaves_early_ends = True

    def __init__(self, found: Sequence[Target], task: Task) -> None:
        super().__init__(found, task)
        self.support: support.HeldSupport | None = None
        self._drawn: penalty.DrawnCoefficients | None = None

    def hold(self) -> None:
        if self._task.settings.hold_support:
            held = self._held()
            self.support = support.HeldSupport(
                self._task.model, held, self._task.training, self._task.drawing
            )
            self.support.attach()
        elif self._task.drawing is not None:
            self._drawn = penalty.DrawnCoefficients(
                self._task.model, self.targets, self._task.training, self._task.drawing
            )
            self._drawn.attach()

    def detach(self) -> None:
        for attached in (self.support, self._drawn):
            if attached is not None:
                attached.detach()
        self.support = self._drawn = None

    def choose_bases(self) -> None:
        before, held = self.targets, self.support
        self.targets = self._chosen()
        self.hold()
        if held is not None and self.support is not None:
            self.support.take_over(held, before)

    def shrink(self, factor: float, only: Sequence[Target] | None = None) -> Reports:
        return shrink.shrink(self.targets, self._task.settings, factor, self.support, only)

    def held_state(self) -> records.State | None:
        return None if self.support is None else self.support.get_state()

    def set_held_state(self, state: records.State) -> None:
        if self.support is not None:
            self.support.set_state(state)

    def _held(self) -> tuple[Target, ...]:
        """What is held at zero where it has been set to zero."""
        return self.targets

    def _chosen(self) -> tuple[Target, ...]:
        return choice.choose_bases(self.targets, self._task.settings, self.support)


class ByStructure(ByThreshold):
    """Whole rows or columns of coefficients go; see `rows`.

    Of the kernels those are compressed that have rows or columns to let go.
    """

    # Cutting once more what was cut already changes nothing.
    leaves_early_ends = False

    def __init__(self, found: Sequence[Target], task: Task) -> None:
        super().__init__(rows.eligible(task.model, found, task.settings), task)
        given = task.samples if task.settings.structure == ROWS else None
        self._inputs = inputs.Inputs(task.model, self.targets, given)

    def shrink(self, factor: float, only: Sequence[Target] | None = None) -> Reports:
        given = self._inputs.read()
        return rows.shrink_to(self.targets, self._task.settings, factor, self.support, given)

    def _held(self) -> tuple[Target, ...]:
        columns = self._task.settings.structure == COLUMNS
        return self.targets + (rows.biases(self.targets) if columns else ())

    def _chosen(self) -> tuple[Target, ...]:
        return rows.choose_bases(self.targets, self._task.settings, self._inputs.read())


class ByBytes(Strategy):
    """The file shall have a size; see `byte_target`.

    Attributes:
        size: Of the file, in bytes, once `settle` has been called; else 0.
    """

    def __init__(self, found: Sequence[Target], task: Task) -> None:
        super().__init__(found, task)
        self._target_bytes = task.settings.target_bytes or 0
        self.notes = byte_target.check(task.model, found, self._target_bytes)
        self._bytes: byte_target.ByteTarget | None = None
        self.size = 0

    @property
    def changes_targets(self) -> bool:
        return self._bytes is not None

    def hold(self) -> None:
        self._bytes = byte_target.ByteTarget(
            self._task.model,
            self.targets,
            self._target_bytes,
            self._task.training,
            self._task.drawing,
        )
        self._bytes.attach()

    def detach(self) -> None:
        if self._bytes is not None:
            self._bytes.detach()

    def expect(self, steps: int) -> None:
        """Lets kernels be what they show after so many optimizer steps: those of an epoch."""
        if self._bytes is not None:
            self._bytes.expect(steps)

    def show(self) -> None:
        """Sets the kernels to what they show after the last step."""
        if self._bytes is not None:
            self._bytes.show()

    def choose_kept(self, factor: float, *, quantised: bool) -> None:
        """Chooses what is kept from now on, as `ByteTarget.choose`."""
        if self._bytes is not None:
            self._bytes.choose(factor, quantised=quantised)
            self.targets = self._bytes.targets

    def settle(self, targets: Sequence[Target]) -> None:
        """Makes the kernels as they stand those of a file that is small enough.

        Args:
            targets: The kernels, each with the basis and the step of its values as they are.
        """
        if self._bytes is not None:
            self.size = self._bytes.settle(targets)
            self.targets = self._bytes.targets

    def choose_bases(self) -> None:
        if self._bytes is not None:
            self._bytes.reveal()
            self._bytes.detach()
        unquantised = [dataclasses.replace(target, step=None) for target in self.targets]
        self.targets = choice.choose_bases(unquantised, self._task.settings)
        self.hold()

    def shrink(self, factor: float, only: Sequence[Target] | None = None) -> Reports:
        """At the end of an epoch kernels are already what it trained them to."""
        if self._bytes is not None:
            return self._bytes.reports()
        shrink.check_finite(self.targets)
        measured = shrink.measure(self.targets).targets
        return dict(zip(self.targets, measured, strict=True))

    def held_state(self) -> records.State | None:
        if self._bytes is None:
            return None
        return {"bytes": self._bytes.get_state(), "size": self.size}

    def set_held_state(self, state: records.State) -> None:
        self.size = state["size"]
        if self._bytes is not None:
            self._bytes.set_state(state["bytes"])


def for_training(found: Sequence[Target], task: Task) -> Strategy:
    """The strategy that the settings of a task ask for, for the model's kernels."""
    if task.settings.is_structured:
        return ByStructure(found, task)
    return (ByThreshold if task.settings.target_bytes is None else ByBytes)(found, task)
