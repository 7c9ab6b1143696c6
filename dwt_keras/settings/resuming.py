"""What a run takes up, and what it keeps on the way."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

# In the place of a run's folder.
AUTO = "auto"


@dataclass(frozen=True)
class ResumingSettings:
    """What a run takes up, and what it keeps on the way.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    resume: str | None = setting(
        None,
        "Continue a run that was interrupted, to the same weights as if it had not been: its "
        "folder, and all other settings are those of the run; or auto for the newest unfinished "
        "run of the same settings, and a new one where there is none.",
    )
    save_best: bool = setting(
        False,
        "Keep best.keras too: the shrunk network of the epoch with the best validation accuracy, "
        "epochs in which the threshold still grows or bases are still to be chosen left out. What "
        "ships, and what metrics.json measures, stays the network of the last epoch.",
    )

    def __post_init__(self) -> None:
        checks.boolean("save_best", self.save_best)
        if self.resume is None:
            return
        if not checks.text("resume", self.resume):
            raise checks.ArgumentError("resume", f"must be a run's folder, or {AUTO}; given ''")
        object.__setattr__(self, "resume", os.path.expanduser(self.resume))
