"""The grammar of --space.

    wavelet=haar,sym2,bior4.4 level=1..4 threshold=1e-3..1e-1:log batch_size=32,64,128

A parameter is a setting of a run, with values or a range. `:log` makes all orders of magnitude of a
range as likely as each other, `:5` makes five values of it, evenly apart. A value that has commas
or spaces of its own stands in parentheses: `hidden_units=(300,100),128`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from dwt_keras import checks
from dwt_keras.settings import fields, flat_fields
from dwt_keras.settings.changes import changeable
from dwt_keras.settings.space import Parameter, Space, Value, refused

# How many values of a range are told apart at most.
_MOST_VALUES = 1000


def parse(text: str) -> Space:
    """Reads a space.

    Raises:
        ArgumentError: If it is empty, names what is no setting to be searched, or has values that
            can be none of it.
    """
    parameters: dict[str, Parameter] = {}
    for part in _split(text, str.isspace):
        name, equals, values = part.partition("=")
        if not equals or not name:
            raise refused(f"must be NAME=VALUES, separated by spaces; given {part!r}")
        if name in parameters:
            raise refused(f"must name each setting once; given {name} twice")
        if name not in changeable():
            hint = checks.nearest(name, changeable())
            raise refused(
                f"names {name}, which is no setting that a search can vary{hint}; these can be: "
                f"{', '.join(changeable())}"
            )
        parameters[name] = _parameter(name, values)
    if not parameters:
        raise refused("must have a parameter, as wavelet=haar,sym2; given an empty one")
    return tuple(parameters.values())


def _parameter(name: str, text: str) -> Parameter:
    if ".." in text:
        return _range(name, text)
    choices = tuple(_value(name, part) for part in _split(text, ",".__eq__, keep_empty=True))
    for choice in choices:
        if choices.count(choice) > 1:
            raise refused(f"must give each value once; given {name}={text}")
    return Parameter(name, choices)


def _range(name: str, text: str) -> Parameter:
    """Reads LOW..HIGH, LOW..HIGH:log, LOW..HIGH:COUNT or LOW..HIGH:log:COUNT."""
    match = re.fullmatch(r"([^:,]*?)\.\.([^:,]*)(:log)?(?::(\d+))?", text)
    kind = str(flat_fields()[name].type)
    if match is None:
        raise refused(
            f"must have ranges as LOW..HIGH, LOW..HIGH:log or LOW..HIGH:log:COUNT; given "
            f"{name}={text}"
        )
    if not any(number in kind for number in ("int", "float")):
        raise refused(f"must list the values of {name}, which has no ranges; given {name}={text}")
    low, high = (_number(name, text, part) for part in match.group(1, 2))
    is_log, count = match.group(3) is not None, match.group(4)
    if low >= high:
        raise refused(f"must have ranges that rise; given {name}={text}")
    if is_log and low <= 0:
        raise refused(f"must have ranges above 0 beside :log; given {name}={text}")
    if "int" not in kind and not ("str" in kind and all(isinstance(x, int) for x in (low, high))):
        low, high = float(low), float(high)
    elif not (isinstance(low, int) and isinstance(high, int)):
        raise refused(f"must have whole numbers for {name}; given {name}={text}")
    whole = Parameter(name, (), low, high, is_log, kind.startswith("tuple"))
    if count is None:
        return whole
    if not 2 <= int(count) <= _MOST_VALUES:
        raise refused(f"must have 2 to {_MOST_VALUES} values of a range; given {name}={text}")
    return dataclasses.replace(whole, choices=_spread(whole, int(count)))


def _spread(parameter: Parameter, count: int) -> tuple[Value, ...]:
    """So many values of a range, evenly apart, its ends among them."""
    low, high = parameter.low, parameter.high
    shares = [number / (count - 1) for number in range(1, count - 1)]
    if parameter.is_log:
        between = [low * (high / low) ** share for share in shares]
    else:
        between = [low + (high - low) * share for share in shares]
    if parameter.is_whole:
        return tuple(dict.fromkeys([low, *map(round, between), high]))
    # Rounded, as a value is read by people and stands in the names of folders.
    return (low, *(float(f"{value:.6g}") for value in between), high)


def _value(name: str, text: str) -> Value:
    """Reads one value."""
    if not text:
        raise refused(f"must give a value between commas; given an empty one for {name}")
    found: Value = fields.value("space", flat_fields()[name], text)
    return found


def _number(name: str, text: str, part: str) -> int | float:
    """Reads one end of a range."""
    found = fields.number(part)
    if found is None:
        raise refused(f"must have finite numbers for {name}; given {name}={text}")
    return found


def _split(text: str, separates: Callable[[str], bool], keep_empty: bool = False) -> list[str]:
    """Parts of a text, what stands in parentheses undivided and without them."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            break
        if depth == 0 and separates(letter):
            parts.append("")
        else:
            parts[-1] += letter
    if depth:
        raise refused(f"must close the parentheses that it opens; given {text!r}")
    if not keep_empty:
        return [part for part in parts if part]
    return [re.sub(r"^\((.*)\)$", r"\1", part) for part in parts]
