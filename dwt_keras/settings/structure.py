"""How many whole rows or columns of a kernel remain."""

from __future__ import annotations

import re
from typing import Any

from dwt_keras import checks

COEFFICIENTS, ROWS, COLUMNS = "coefficients", "rows", "columns"
STRUCTURES = (COEFFICIENTS, ROWS, COLUMNS)
# The threshold rule that goes with the last two.
RULE = "structure"

# Field, and its value when nobody gave one.
_NOT_BESIDE = (
    ("target_bytes", None),
    ("axes", "auto"),
    ("threshold", None),
    ("threshold_rule", RULE),
    ("threshold_mode", "hard"),
    ("keep_approximation", False),
    ("hold_support", None),
)

# A pattern of layer paths (empty for all), and a count or a share.
Kept = tuple[tuple[str, float], ...]


def parse(name: str, value: object) -> Kept:
    """Reads how many remain.

    Args:
        name: Of the setting.
        value: A whole number for a count, a number below 1 for a share; or, in text, that for
            layers whose path matches a regular expression: `dense_1:98,conv:0.5`.

    Returns:
        Patterns and numbers: whole ones are counts.

    Raises:
        ArgumentError: If it is anything else.
    """
    if not isinstance(value, str):
        return (("", _number(name, value)),)
    found = []
    for part in value.split(","):
        pattern, _, number = part.strip().rpartition(":")
        try:
            re.compile(pattern)
            read: Any = float(number) if "." in number or "e" in number.lower() else int(number)
        except (ValueError, re.error):
            raise _refused(name, value) from None
        found.append((pattern, _number(name, read)))
    return tuple(found)


def fill_in(settings: Any) -> None:
    """Checks what goes as a whole, and fills it in where it follows from how much remains.

    Args:
        settings: The `CompressionSettings`.

    Raises:
        ArgumentError: On the first that is out of range, or excluded by another.
    """
    given = [name for name in (ROWS, COLUMNS) if getattr(settings, f"keep_{name}") is not None]
    if settings.structure is None:
        object.__setattr__(settings, "structure", given[0] if given else COEFFICIENTS)
    checks.choice("structure", settings.structure, STRUCTURES)
    for name in given:
        if name != settings.structure:
            raise checks.ArgumentError(
                f"keep_{name}",
                f"needs structure={name}; given {getattr(settings, f'keep_{name}')!r} beside "
                f"structure={settings.structure}",
            )


def check(settings: Any) -> None:
    """Checks rows or columns, and that nothing stands beside them that has no meaning there.

    Raises:
        ArgumentError: If something does, or it is not said how many remain.
    """
    kind = settings.structure
    if kind == COEFFICIENTS:
        raise checks.ArgumentError("threshold_rule", f"{RULE} needs keep_rows or keep_columns")
    name, drop = f"keep_{kind}", settings.max_accuracy_drop
    value = getattr(settings, name)
    if drop is not None:
        checks.real("max_accuracy_drop", drop, least=0.0, below=1.0)
        if value is not None:
            raise checks.ArgumentError(
                name, f"must not be given beside max_accuracy_drop, which finds it; given {value!r}"
            )
    elif value is None:
        raise checks.ArgumentError(
            "structure", f"{kind} needs {name} or max_accuracy_drop; none is given"
        )
    else:
        parse(name, value)
    for field, free in _NOT_BESIDE:
        given = getattr(settings, field)
        # Fields read back from a run's settings have their values filled in.
        if given != free and (field, given) != ("hold_support", True):
            raise checks.ArgumentError(
                field, f"must not be given beside structure={kind}; given {given!r}"
            )


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _refused(name, value)
    if isinstance(value, int) and value >= 1:
        return value
    if isinstance(value, float) and 0.0 < value <= 1.0:
        return value
    raise _refused(name, value)


def _refused(name: str, value: object) -> checks.ArgumentError:
    return checks.ArgumentError(
        name,
        "must be a whole number, 1 or more, or a share above 0, 1.0 at most, for all layers or as "
        f"PATTERN:NUMBER, comma-separated; given {value!r}",
    )
