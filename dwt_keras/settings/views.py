"""What a run draws of itself."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

SVG, PNG, NONE = "svg", "png", "none"
FIGURES = (SVG, PNG, NONE)


@dataclass(frozen=True)
class ViewSettings:
    """What a run draws of itself.

    Raises:
        ArgumentError: On anything else.
    """

    figures: str = setting(
        SVG,
        "Figures in the run's folder, and report.html, which shows them: svg, png, or none, which "
        "saves the second or two that they take.",
    )

    def __post_init__(self) -> None:
        checks.choice("figures", self.figures, FIGURES)
