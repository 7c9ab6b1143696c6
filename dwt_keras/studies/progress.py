"""How far a study is: a bar on a terminal, and a line for each step."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator

import tqdm


class Progress:
    """Counts the steps of a study."""

    def __init__(self, unit: str, total: int, done: int) -> None:
        self._unit, self._total, self._done, self._before = unit, total, done, done
        self._started = time.monotonic()
        self._bar = tqdm.tqdm(
            total=total,
            initial=done,
            unit=unit,
            file=sys.stderr,
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )

    def step(self, result: str, done: int | None = None) -> None:
        """Says that a step is over.

        Args:
            result: What it came to.
            done: How many are over, where other processes make some of them too.
        """
        before, self._done = self._done, self._done + 1 if done is None else done
        left = "" if sys.stderr.isatty() else self._left()
        self._bar.clear()
        print(f"{self._unit} {self._done} of {self._total}: {result}{left}", flush=True)
        self._bar.update(self._done - before)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()

    def _left(self) -> str:
        """The time that is left if further steps take as long as those so far."""
        steps = self._total - self._done
        if steps <= 0:
            return ""
        each = (time.monotonic() - self._started) / (self._done - self._before)
        return f"; about {tqdm.tqdm.format_interval(each * steps)} left"


@contextlib.contextmanager
def over(unit: str, total: int, done: int = 0) -> Iterator[Progress]:
    """Shows how far a study is while the context lasts.

    Args:
        unit: What a step is, in the singular.
        total: How many there are.
        done: How many were over before.
    """
    progress = Progress(unit, total, done)
    try:
        yield progress
    finally:
        progress.close()
