"""The two fields that take the place of a threshold, and what cannot be given beside them."""

from __future__ import annotations

from typing import Any

from dwt_keras import checks

# The threshold rule that goes with them.
BYTES = "bytes"
NAMES = ("target_bytes", "max_accuracy_drop")

_FINDS = "which finds it itself"
# Field, its value when nobody gave one, and why there is nothing to give.
_NOT_BESIDE = (
    ("threshold", None, _FINDS),
    ("threshold_rule", BYTES, _FINDS),
    ("threshold_mode", "hard", "which rounds what stays"),
    ("keep_approximation", False, "which takes what a byte gains most by"),
    ("hold_support", None, "which trains the support"),
)


def given(settings: Any) -> str | None:
    """The name of the one that is given, if one is."""
    return next((name for name in NAMES if getattr(settings, name) is not None), None)


def check(settings: Any) -> None:
    """Checks the budget of settings, and what was given beside it.

    Args:
        settings: The `CompressionSettings`, not checked otherwise yet.

    Raises:
        ArgumentError: If there is none, it is out of range, or something else excludes it.
    """
    name = given(settings)
    if name is None:
        raise checks.ArgumentError("threshold_rule", f"{BYTES} needs {' or '.join(NAMES)}")
    if settings.target_bytes is not None:
        checks.integer("target_bytes", settings.target_bytes, least=1)
    if settings.max_accuracy_drop is not None:
        checks.real("max_accuracy_drop", settings.max_accuracy_drop, least=0.0, below=1.0)
        if settings.target_bytes is not None:
            raise checks.ArgumentError(
                "max_accuracy_drop",
                f"must not be given beside target_bytes; given {settings.max_accuracy_drop!r}",
            )
    for field, free, why in _NOT_BESIDE:
        value = getattr(settings, field)
        # A field read back from a run's settings has its value filled in.
        if value != free and (field, value) != ("hold_support", True):
            raise checks.ArgumentError(
                field, f"must not be given beside {name}, {why}; given {value!r}"
            )


def check_one_training(settings: Any) -> None:
    """Checks that one training can do what settings ask for.

    Args:
        settings: The `CompressionSettings`.

    Raises:
        ArgumentError: If they ask for max_accuracy_drop.
    """
    if settings.max_accuracy_drop is not None:
        raise checks.ArgumentError(
            "max_accuracy_drop",
            "takes several trainings, so that train.py has it and one training does not: give "
            f"target_bytes; given {settings.max_accuracy_drop!r}",
        )
