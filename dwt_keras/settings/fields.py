"""How a setting is declared: a dataclass field that is also a flag."""

from __future__ import annotations

import dataclasses
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
