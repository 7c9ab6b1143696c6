"""How the threshold grows over the epochs, and whether a training has room for it."""

from __future__ import annotations

from typing import Any

from dwt_keras import checks
from dwt_keras.settings import budget as budgets
from dwt_keras.settings import structure

RAMPS = ("constant", "linear", "cubic")


def fill_in(settings: Any) -> None:
    """Checks ramp and held support, and fills in what follows from the other settings.

    Raises:
        ArgumentError: On the first that is out of range.
    """
    ramped = settings.threshold_rule in ("quantile", budgets.BYTES, structure.RULE)
    other = settings.budget or f"keep_{settings.structure}"
    demanding = settings.budget is not None or settings.is_structured
    if demanding and settings.is_frame:
        raise checks.ArgumentError(
            "wavelet",
            f"must be a discrete one beside {other}; the coefficients of {settings.wavelet} are "
            "more than the weights",
        )
    if settings.hold_support and settings.is_frame:
        raise checks.ArgumentError(
            "hold_support",
            f"needs a basis; the coefficients of the continuous wavelet {settings.wavelet} are "
            "redundant, so that zeros among them do not stay",
        )
    if settings.hold_support is None:
        _set(settings, "hold_support", ramped and not settings.is_frame)
    if settings.ramp is None:
        _set(settings, "ramp", "cubic" if ramped else "constant")
    if settings.scale_dropout is None:
        _set(settings, "scale_dropout", demanding)
    checks.boolean("hold_support", settings.hold_support)
    checks.boolean("scale_dropout", settings.scale_dropout)
    checks.choice("ramp", settings.ramp, RAMPS)
    begin = checks.integer("ramp_begin_epoch", settings.ramp_begin_epoch, least=0)
    if settings.ramp_end_epoch is not None:
        if settings.ramp == "constant":
            raise checks.ArgumentError(
                "ramp_end_epoch", "needs ramp=linear or cubic; the ramp is constant"
            )
        checks.integer("ramp_end_epoch", settings.ramp_end_epoch, least=begin + 1)


def check_within(settings: Any, epochs: int) -> None:
    """Checks that the ramp and the choice of bases lie within a training of so many epochs.

    Raises:
        ArgumentError: If it does not, so that the full threshold would never be reached.
    """
    begin, end = settings.ramp_begin_epoch, settings.ramp_end_epoch
    if begin >= epochs:
        raise checks.ArgumentError(
            "ramp_begin_epoch", f"must lie before the last epoch, {epochs}; given {begin}"
        )
    if end is not None and end > epochs:
        raise checks.ArgumentError(
            "ramp_end_epoch", f"must not lie beyond the last epoch, {epochs}; given {end}"
        )
    quantised = settings.budget and not settings.is_structured
    if quantised and epochs > 1 and (end or begin + 1) >= epochs:
        name, value = ("ramp_begin_epoch", begin) if end is None else ("ramp_end_epoch", end)
        raise checks.ArgumentError(
            name,
            f"must leave epochs of {epochs} to train quantised, with {settings.budget}; given "
            f"{value}",
        )
    chosen = max(settings.choose_basis_epochs or (0,))
    if chosen > epochs:
        raise checks.ArgumentError(
            "choose_basis_epochs",
            f"must not lie beyond the last epoch, {epochs}; given {chosen}",
        )


def _set(settings: Any, name: str, value: Any) -> None:
    object.__setattr__(settings, name, value)
