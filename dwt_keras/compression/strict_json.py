"""JSON that comes from anybody: read within limits, and its faults told in one short line."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from dwt_keras.coding.errors import CodecError

# Limits on a text.
_MOST_TOKENS = 2**18
_MOST_DEPTH = 64

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{},]', re.DOTALL)


def short(value: object) -> str:
    """A value for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def line(error: BaseException) -> str:
    """What an exception says, in one short line."""
    text = " ".join(str(error).split())
    # Keras puts the class and its whole configuration around what was wrong with it.
    classes = re.findall(r"<class '[\w.]*?(\w+)'> could not be deserialized", text)
    source = classes[-1] if classes else type(error).__name__
    return f"{source}: {text.rpartition('Exception encountered: ')[2][:200]}"


def parsed(text: bytes) -> Any:
    """The tree of an architecture's JSON.

    Raises:
        CodecError: If it is no JSON in UTF-8, is nested too deep or has too many parts, a key twice
            in one object or a number that is not finite.
    """
    depth = 0
    try:
        string = text.decode()
        # Counted before json sees it, which goes as deep as the text and keeps all of it.
        for count, match in enumerate(_TOKEN.finditer(string)):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
            if depth > _MOST_DEPTH or count > _MOST_TOKENS:
                raise CodecError("the architecture is nested too deep or has too many parts")
        return json.loads(
            string, object_pairs_hook=_unique, parse_constant=_not_finite, parse_float=_float
        )
    except CodecError:
        raise
    except ValueError as error:
        raise CodecError(f"the architecture is no valid JSON: {line(error)}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise CodecError("the architecture has a key twice in one object")
    return found


def _not_finite(text: str) -> NoReturn:
    raise CodecError(f"the architecture has a number that is not finite: {text[:20]}")


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)
