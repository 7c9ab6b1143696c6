"""Cross-validation: runs that each leave another part of the training data out."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting


@dataclass(frozen=True)
class FoldSettings:
    """Cross-validation.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    folds: int | None = setting(
        None,
        "Cross-validate: divide the training data into this many parts, train as many runs that "
        "each leave one out, and score each on what it has not seen.",
    )

    def __post_init__(self) -> None:
        if self.folds is not None:
            checks.integer("folds", self.folds, least=2)

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a cross-validation."""
        return self.folds is not None
