"""How the compact file of a run is made."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

# Squared error over squared weights: how far a compact file may be from a network, where nothing
# else says how small it shall be.
DEFAULT_DISTORTION = 1e-3


@dataclass(frozen=True)
class CodingSettings:
    """How the compact file of a run is made.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    coding_accuracy_drop: float = setting(
        0.002,
        "Validation accuracy that quantising the weights may cost, as a fraction: model.dwtz is "
        "made as small as that allows. Raising it makes the file smaller; 0 allows no loss. With "
        "target_bytes, or max_accuracy_drop but for rows or columns, the steps are those of the "
        "training instead.",
    )

    def __post_init__(self) -> None:
        checks.real("coding_accuracy_drop", self.coding_accuracy_drop, least=0.0, below=1.0)
