"""How training samples are varied."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

from dwt_keras import checks
from dwt_keras.settings.fields import setting


@dataclass(frozen=True)
class _Kind:
    """What a variation takes, and what it is for.

    Attributes:
        unit: What its value is, for messages; None where it takes none.
        most: The largest value.
        itself: Whether that is allowed itself.
        axes: The fewest axes that a sample must have: 3 for images, 2 for signals, 1 for features.
    """

    unit: str | None
    most: float = math.inf
    itself: bool = False
    axes: int = 3

    @property
    def range(self) -> str:
        if math.isinf(self.most):
            return "above 0"
        return f"above 0, {self.most:g} at most" if self.itself else f"above 0, below {self.most:g}"


_KINDS = MappingProxyType(
    {
        "flip": _Kind(None),
        "rotate": _Kind("DEGREES", 180.0, True),
        "shift": _Kind("SHARE", 1.0, axes=2),
        "zoom": _Kind("SHARE", 1.0),
        "noise": _Kind("DEVIATION", axes=1),
        "cutout": _Kind("SHARE", 1.0),
        "mixup": _Kind("ALPHA", axes=1),
    }
)
_SAMPLES = {1: "features", 2: "signals", 3: "images"}


@dataclass(frozen=True)
class AugmentationSettings:
    """How training samples are varied.

    Raises:
        ArgumentError: On an unknown variation, one given twice, or a value out of range.
    """

    augment: str | None = setting(
        None,
        "Random variations of the training samples, comma-separated, each drawn anew for every "
        "sample and epoch: flip (left and right, every second image), rotate=DEGREES (up to so "
        "many either way), shift=SHARE (up to so much of each side, by whole pixels), zoom=SHARE "
        "(in or out by up to so much), noise=DEVIATION (Gaussian, in units of the pixels, which "
        "run from 0 to 1), cutout=SHARE (a square of so much of the shorter side becomes 0), "
        "mixup=ALPHA (two samples and their labels mixed, by a share from Beta(ALPHA, ALPHA)). "
        "Raising a number varies more; signals take shift, noise and mixup.",
    )

    def __post_init__(self) -> None:
        if self.augment is not None:
            checks.text("augment", self.augment)
            _parse(self.augment)

    @property
    def variations(self) -> dict[str, float]:
        """The values by name, in the order given; 1 for flip, which takes none."""
        return {} if self.augment is None else _parse(self.augment)

    def check_for(self, input_shape: tuple[int, ...]) -> None:
        """Checks that samples of a shape can be varied so.

        Args:
            input_shape: Shape of one sample: height, width, channels of an image; time and
                channels of a signal; or a number of features.

        Raises:
            ArgumentError: If a variation is for others.
        """
        axes = len(input_shape)
        samples = _SAMPLES.get(axes, f"samples of {axes} axes")
        able = [name for name, kind in _KINDS.items() if kind.axes <= axes and axes <= 3]
        for name in self.variations:
            if name not in able:
                allowed = f"must be of {', '.join(able)}" if able else "must not be given"
                raise checks.ArgumentError("augment", f"{allowed} for {samples}; given {name}")


def _parse(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in text.split(","):
        name, separator, number = (each.strip() for each in part.partition("="))
        if name not in _KINDS:
            hint = checks.nearest(name, _KINDS)
            forms = ", ".join(
                key + (f"={kind.unit}" * bool(kind.unit)) for key, kind in _KINDS.items()
            )
            raise checks.ArgumentError(
                "augment", f"must be of {forms}, comma-separated; given {part.strip()!r}{hint}"
            )
        if name in found:
            raise checks.ArgumentError("augment", f"must name {name} once; given {text!r}")
        found[name] = _value(name, number, bool(separator))
    return found


def _value(name: str, number: str, is_given: bool) -> float:
    kind = _KINDS[name]
    if kind.unit is None:
        if is_given:
            raise checks.ArgumentError(
                "augment", f"must have {name} without a value; given {number!r}"
            )
        return 1.0
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (0.0 < value < kind.most or (kind.itself and value == kind.most)):
        raise checks.ArgumentError(
            "augment", f"must have {name}={kind.unit} {kind.range}; given {number!r}"
        )
    return value
