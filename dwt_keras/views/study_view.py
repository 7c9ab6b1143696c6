"""A search as its tables and figures see it. Loads no TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"


@dataclasses.dataclass(frozen=True)
class Trial:
    """A trial that is over.

    Attributes:
        number: From 0, in the order in which trials were begun.
        state: COMPLETE, PRUNED or FAILED.
        values: Its parameters by name, as far as they were drawn.
        metrics: What its run's metrics.json says; of a pruned one `validation_accuracy` alone, as
            it was last.
        failure: Why it failed, in one line; else empty.
        same_as: The number of the trial whose parameters it has; it was not trained then.
        is_feasible: Whether it keeps to the accuracy that is asked for.
    """

    number: int
    state: str
    values: Mapping[str, Any]
    metrics: Mapping[str, Any]
    failure: str = ""
    same_as: int | None = None
    is_feasible: bool = True

    @property
    def accuracy(self) -> float:
        """Accuracy on the validation part, of a complete one that of the network as it ships."""
        return float(self.metrics["validation_accuracy"])

    @property
    def bytes(self) -> int:
        """Size of model.dwtz, of a complete one."""
        return int(self.metrics["bytes"]["dwtz"])


@dataclasses.dataclass(frozen=True)
class StudyView:
    """A search.

    Attributes:
        trials: Its trials, by number.
        objectives: What it is for: "accuracy", "bytes" or both.
        best: The trial that is trained again.
        front: The trials of which none is better in both objectives; those of one objective have
            none.
        importances: Objective -> parameter -> its share of what parameters make of the objective;
            none where too few trials tell it.
        least_accuracy: The validation accuracy that is asked for, if one is.
    """

    trials: tuple[Trial, ...]
    objectives: tuple[str, ...]
    best: Trial
    front: tuple[Trial, ...]
    importances: Mapping[str, Mapping[str, float]]
    least_accuracy: float | None

    @property
    def complete(self) -> list[Trial]:
        """The trials that were trained to the end."""
        return [trial for trial in self.trials if trial.state == COMPLETE]


def told(values: Mapping[str, Any]) -> str:
    """Parameters as --space and flags have them, numbers shortened."""
    return " ".join(f"{name}={shortened(value)}" for name, value in values.items())


def shortened(value: Any) -> str:
    """A value of a parameter, a number with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def summary(trial: Trial) -> str:
    """What a trial came to, in one line."""
    if trial.state == COMPLETE:
        said = "" if trial.same_as is None else f"as {trial.same_as:03d}: "
        said += f"validation accuracy {trial.accuracy:.4f}, {trial.bytes:,} bytes"
    else:
        said = trial.state + (f": {trial.failure}" if trial.failure else "")
    return f"{said} ({told(trial.values)})"
