"""What a callback keeps of kernels, as plain values: to go on with a training in another process.

A state is made of dicts with text keys, lists, numbers, text, None and NumPy arrays.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from dwt_keras.compression.shrink import Report, TargetReport
from dwt_keras.compression.targets import Target
from dwt_keras.wavelet.basis import Basis
from dwt_keras.wavelet.best_basis import Choice

State = dict[str, Any]


def of_target(target: Target) -> State:
    """What a training has found out about a kernel: its basis, how it was chosen, its step."""
    basis, choice = target.basis, target.choice
    return {
        # A frame is never chosen, so that whoever finds the kernel finds it.
        "basis": _of_basis(basis) if isinstance(basis, Basis) else None,
        "choice": None
        if choice is None
        else {
            "basis": _of_basis(choice.basis),
            "cost": choice.cost,
            "runner_up": _of_basis(choice.runner_up),
            "runner_up_cost": choice.runner_up_cost,
        },
        "step": target.step,
    }


def to_target(found: Target, state: State) -> Target:
    """A kernel as it was.

    Args:
        found: The same kernel, of a model of the same architecture.
        state: What `of_target` gave.
    """
    choice = state["choice"]
    return dataclasses.replace(
        found,
        basis=found.basis if state["basis"] is None else _to_basis(state["basis"]),
        choice=None
        if choice is None
        else Choice(
            _to_basis(choice["basis"]),
            choice["cost"],
            _to_basis(choice["runner_up"]),
            choice["runner_up_cost"],
        ),
        step=state["step"],
    )


def of_targets(targets: Sequence[Target]) -> list[State]:
    """`of_target` for all."""
    return [of_target(target) for target in targets]


def to_targets(found: Sequence[Target], states: Sequence[State]) -> tuple[Target, ...]:
    """`to_target` for all, in the same order."""
    return tuple(to_target(target, state) for target, state in zip(found, states, strict=True))


def of_report(report: Report | None) -> list[State] | None:
    """A report, kernel by kernel."""
    return None if report is None else [of_target_report(row) for row in report.targets]


def to_report(state: Sequence[State] | None) -> Report | None:
    """The inverse of `of_report`."""
    return None if state is None else Report(tuple(to_target_report(row) for row in state))


def of_target_report(report: TargetReport) -> State:
    """What a shrinking did to one kernel."""
    return dataclasses.asdict(report)


def to_target_report(state: State) -> TargetReport:
    """The inverse of `of_target_report`."""
    return TargetReport(**{**state, "shape": tuple(state["shape"])})


def _of_basis(basis: Basis) -> State:
    return dataclasses.asdict(basis)


def _to_basis(state: State) -> Basis:
    splits = state["splits"]
    return Basis(
        state["wavelet"],
        state["level"],
        tuple(state["axes"]),
        tuple(state["shape"]),
        None if splits is None else tuple(splits),
    )
