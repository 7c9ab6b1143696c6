"""What kernels were shrunk to, to be recognised when they have those values again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dwt_keras.compression import records, shrink
from dwt_keras.compression.targets import Target


class ShrunkStates:
    """How each kernel was shrunk to each of the values that it has had.

    Other callbacks write to kernels too: one that restores the weights of an earlier epoch brings
    back a shrunk state, with the basis and the step of that time; an average of weights is none.
    """

    def __init__(self) -> None:
        # By path, then by a digest of the exact values.
        self._states: dict[str, dict[bytes, tuple[Target, shrink.TargetReport]]] = {}

    def add(self, reports: Mapping[Target, shrink.TargetReport]) -> None:
        """Remembers kernels as they are now."""
        for target, report in reports.items():
            states = self._states.setdefault(target.path, {})
            states[shrink.digest(target)] = target, report

    def overwritten(self, targets: Sequence[Target]) -> list[Target]:
        """Those whose values are not what any shrinking left."""
        return [target for target in targets if self._of(target) is None]

    def as_they_were(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Each with the basis and the step of the time when it had the values that it has now."""
        states = [(target, self._of(target)) for target in targets]
        return tuple(target if state is None else state[0] for target, state in states)

    def report(self, targets: Sequence[Target]) -> shrink.Report | None:
        """What left the kernels as they are; None if something else did, or there are none."""
        found = tuple(state[1] for state in map(self._of, targets) if state is not None)
        return shrink.Report(found) if found and len(found) == len(targets) else None

    def get_state(self) -> records.State:
        """All of them, as plain values."""
        return {
            path: [
                {
                    "digest": digest.hex(),
                    "target": records.of_target(target),
                    "report": records.of_target_report(report),
                }
                for digest, (target, report) in states.items()
            ]
            for path, states in self._states.items()
        }

    def set_state(self, state: records.State, targets: Sequence[Target]) -> None:
        """The inverse of `get_state`.

        Args:
            state: What it gave.
            targets: The kernels, of a model of the same architecture.
        """
        by_path = {target.path: target for target in targets}
        self._states = {
            path: {
                bytes.fromhex(each["digest"]): (
                    records.to_target(by_path[path], each["target"]),
                    records.to_target_report(each["report"]),
                )
                for each in states
            }
            for path, states in state.items()
        }

    def _of(self, target: Target) -> tuple[Target, shrink.TargetReport] | None:
        return self._states.get(target.path, {}).get(shrink.digest(target))
