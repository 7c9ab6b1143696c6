"""What a training tells on the terminal, and keeping it quiet where it is one of many."""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Iterator

_is_quiet: contextvars.ContextVar[bool] = contextvars.ContextVar("is_quiet", default=False)


def say(text: str) -> None:
    """Prints a line, unless what runs has been told to be quiet."""
    if not _is_quiet.get():
        print(text)


def verbosity() -> int:
    """What Keras shows of a training: a bar on a terminal, else a line an epoch; 0 if quiet."""
    if _is_quiet.get():
        return 0
    return 1 if sys.stdout.isatty() else 2


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Lets trainings in it tell nothing."""
    before = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(before)
