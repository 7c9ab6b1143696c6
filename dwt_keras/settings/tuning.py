"""A search over settings: many runs, each with some of them changed."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting


@dataclass(frozen=True)
class TuningSettings:
    """A search over settings.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    trials: int | None = setting(
        None, "Search for good settings: train this many runs, each with some settings changed."
    )

    def __post_init__(self) -> None:
        if self.trials is not None:
            checks.integer("trials", self.trials, least=1)

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a search."""
        return self.trials is not None
