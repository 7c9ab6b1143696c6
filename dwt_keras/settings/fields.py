"""How a setting is declared: a dataclass field that is also a flag."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

from dwt_keras import checks


def setting(default: Any, help: str, *, is_repeated: bool = False) -> Any:
    """A dataclass field that carries its flag's help text.

    Args:
        default: Of the field.
        help: What it does.
        is_repeated: Whether the flag may be given several times, which makes a tuple of texts.
    """
    return dataclasses.field(default=default, metadata={"help": help, "is_repeated": is_repeated})


def kind(field: dataclasses.Field[Any]) -> type:
    """What a setting takes on a command line.

    Returns:
        bool, int or float; str for text, which the setting may read as something else; tuple for
        texts, each given by a flag of its own.
    """
    written = str(field.type)
    if field.metadata["is_repeated"]:
        return tuple
    if written.startswith("bool"):
        return bool
    if written.startswith("int") and "str" not in written:
        return int
    return float if written.startswith("float") else str


def value(argument: str, field: dataclasses.Field[Any], text: str) -> Any:
    """Reads a setting's value from a text that has values of several settings.

    Args:
        argument: Name of the setting that the text is of, for messages.
        field: The setting whose value it is.
        text: As it would stand in a flag; "none" leaves out what may be left out.

    Returns:
        A number where the setting takes one and the text is one; else what `kind` says.

    Raises:
        ArgumentError: If it is of another type.
    """
    written = str(field.type)
    if "str" not in written and "None" in written and text.lower() == "none":
        return None
    if kind(field) is bool:
        if text.lower() not in ("true", "false"):
            raise _mistyped(argument, "true or false", field, text)
        return text.lower() == "true"
    if written.startswith("tuple") or not re.search("int|float", written):
        return text
    found = number(text)
    if found is None and "str" in written:
        return text
    if "float" not in written and "str" not in written and not isinstance(found, int):
        raise _mistyped(argument, "whole numbers", field, text)
    if found is None:
        raise _mistyped(argument, "finite numbers", field, text)
    return found if "str" in written or "float" not in written else float(found)


def number(text: str) -> int | float | None:
    """The finite number that a text is, a whole one where it is written as one; None for none."""
    try:
        found = int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        return found if math.isfinite(found) else None
    except (ValueError, OverflowError):  # A whole number may be beyond all floats.
        return None


def _mistyped(
    argument: str, what: str, field: dataclasses.Field[Any], text: str
) -> checks.ArgumentError:
    return checks.ArgumentError(argument, f"must have {what} for {field.name}; given {text!r}")


def whole_numbers(name: str, value: object) -> tuple[int, ...]:
    """Reads numbers, comma-separated or in a sequence.

    Raises:
        ArgumentError: If there is none, or one is no whole number, 1 or more.
    """
    parts: Any = value.split(",") if isinstance(value, str) else value
    try:
        numbers = tuple(int(part) if isinstance(part, str) else part for part in parts)
        for number in numbers:
            checks.integer(name, number, least=1)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers:
        raise checks.ArgumentError(
            name, f"must be whole numbers, 1 or more, comma-separated; given {value!r}"
        )
    return numbers
