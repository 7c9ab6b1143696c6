"""Argument checks with one wording: what is allowed, and what was given."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterable

# Letters of what an exception says that are quoted.
_LONGEST = 200


class UserError(ValueError):
    """A mistake in what the caller gave; the message is one line meant for a person."""


class ArgumentError(UserError):
    """An argument (a setting, a flag) outside what is allowed.

    Attributes:
        argument: Name of the argument; a command line writes it as ``--argument``.
        problem: The rest of the sentence: what is allowed and what was given.
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument} {problem}")
        self.argument = argument
        self.problem = problem


_LARGEST = (1 << 63) - 1


def integer(argument: str, value: object, *, least: int) -> int:
    """Returns `value` if it is a whole number not below `least`, and within 64 bits.

    Raises:
        ArgumentError: If it is anything else (booleans included).
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(argument, f"must be a whole number, {least} or more; given {value!r}")
    if value > _LARGEST:
        raise ArgumentError(argument, f"must be at most {_LARGEST}; given {value}")
    return value


def real(
    argument: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Returns `value` as a float if it is finite and within the bounds.

    Args:
        argument: Name for the message.
        value: What was given.
        least: Smallest allowed value, itself allowed.
        above: Bound that the value must exceed.
        below: Bound that the value must stay under.

    Raises:
        ArgumentError: If it is no number, NaN, infinite or out of bounds.
    """
    bounds = [
        text
        for bound, text in (
            (least, f"{least:g} or more" if least is not None else ""),
            (above, f"above {above:g}" if above is not None else ""),
            (below, f"below {below:g}" if below is not None else ""),
        )
        if bound is not None
    ]
    allowed = ", ".join(["must be a finite number", *bounds])
    number = math.nan
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # A whole number beyond all floats.
            number = float(value)
    if (
        not math.isfinite(number)
        or (least is not None and number < least)
        or (above is not None and number <= above)
        or (below is not None and number >= below)
    ):
        raise ArgumentError(argument, f"{allowed}; given {value!r}")
    return number


def boolean(argument: str, value: object) -> bool:
    """Returns `value` if it is True or False.

    Raises:
        ArgumentError: If it is anything else (0 and 1 included).
    """
    if not isinstance(value, bool):
        raise ArgumentError(argument, f"must be true or false; given {value!r}")
    return value


def text(argument: str, value: object) -> str:
    """Returns `value` if it is a string.

    Raises:
        ArgumentError: If it is anything else.
    """
    if not isinstance(value, str):
        raise ArgumentError(argument, f"must be text; given {value!r}")
    return value


def choice(argument: str, value: object, allowed: Iterable[str]) -> str:
    """Returns `value` if it is one of `allowed`.

    Raises:
        ArgumentError: If not; the message lists what is allowed and the closest match.
    """
    names = list(allowed)
    if isinstance(value, str) and value in names:
        return value
    raise ArgumentError(
        argument, f"must be one of {', '.join(names)}; given {value!r}{nearest(value, names)}"
    )


def nearest(value: object, names: Iterable[str]) -> str:
    """What a message adds about a name that is none: the closest one, where there is one."""
    close = difflib.get_close_matches(str(value), list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def said(error: BaseException) -> str:
    """What an exception says, in one line; Keras' own go on for screens."""
    text = " ".join(str(error).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
