"""Ensembles: several networks whose predictions are combined."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

KINDS = ("bagging", "boosting", "snapshot", "wavelets")


@dataclass(frozen=True)
class EnsembleSettings:
    """Several networks whose predictions are combined.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    ensemble: str | None = setting(None, f"Train several networks and combine them: {KINDS}.")
    members: int = setting(5, "How many networks an ensemble has.")

    def __post_init__(self) -> None:
        if self.ensemble is not None:
            checks.choice("ensemble", self.ensemble, KINDS)
        checks.integer("members", self.members, least=1)

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be an ensemble."""
        return self.ensemble is not None
