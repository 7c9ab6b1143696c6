"""The settings that a cross-validation compares, or the ones that it has."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.folds import FoldSettings


@dataclass(frozen=True)
class Variant:
    """Settings that are cross-validated.

    Attributes:
        number: From 1 on where two are compared, else 0.
        name: What the user calls them; empty where there are no others.
        settings: Of each of their runs.
    """

    number: int
    name: str
    settings: Settings


def of(settings: Settings, told: FoldSettings) -> tuple[Variant, ...]:
    """The settings to be cross-validated: two that are compared, or one.

    Raises:
        ArgumentError: If what is changed is out of range, or comes to the same.
    """
    if told.compare is None:
        return (Variant(0, "", settings),)
    found = []
    pairs = zip(told.compare, told.compared, strict=True)
    for number, (name, changes) in enumerate(pairs, start=1):
        try:
            found.append(Variant(number, name, settings.changed(changes)))
        except checks.ArgumentError as error:
            raise checks.ArgumentError("compare", f"{name!r}: {error}") from None
    if found[0].settings == found[1].settings:
        raise checks.ArgumentError(
            "compare",
            f"must be two settings that differ; {found[0].name!r} and {found[1].name!r} are the "
            "same",
        )
    return tuple(found)
