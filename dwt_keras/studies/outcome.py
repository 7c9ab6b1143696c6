"""What a study leaves behind, of whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What a study came to.

    Attributes:
        record: What study.json says; None while other processes have parts of it to do.
        text: What the terminal says.
    """

    record: dict[str, Any] | None
    text: str
