"""On how many devices a run trains."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

NONE, MIRRORED, MULTIWORKER = "none", "mirrored", "multiworker"
DISTRIBUTIONS = (NONE, MIRRORED, MULTIWORKER)


@dataclass(frozen=True)
class DistributionSettings:
    """On how many devices a run trains.

    Raises:
        ArgumentError: On anything else.
    """

    distribute: str = setting(
        NONE,
        "none for one device, mirrored for all of this machine, multiworker for those of all "
        "machines that TF_CONFIG names. batch_size is that of all devices together.",
    )

    def __post_init__(self) -> None:
        checks.choice("distribute", self.distribute, DISTRIBUTIONS)
