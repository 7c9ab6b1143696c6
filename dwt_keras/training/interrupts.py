"""Ending a run when it is asked to by Ctrl-C or SIGTERM, and saying how to go on."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from dwt_keras import checks

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Requests:
    """Whether the user has asked a training to end."""

    def __init__(self) -> None:
        self._asked = False

    def check(self) -> None:
        """Ends the training if that has been asked for.

        Raises:
            KeyboardInterrupt: If it has.
        """
        if self._asked:
            raise KeyboardInterrupt

    def note(self, number: int, frame: FrameType | None) -> None:
        """Takes a signal: the first is remembered, the second interrupts at once."""
        self.check()
        self._asked = True


@contextlib.contextmanager
def deferred() -> Iterator[Requests]:
    """Lets a training end where it calls `check`, unless it is asked to twice."""
    requests = Requests()
    with _handled_by(requests.note):
        yield requests
        requests.check()


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Lets SIGTERM do what Ctrl-C does: raise KeyboardInterrupt."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled_by(interrupt):
        yield


@contextlib.contextmanager
def resumable(command: str | None) -> Iterator[None]:
    """Notes on what ends a run before its time how to go on: a signal, a full disk, a fault.

    A mistake of the user would end it again, and gets no such note.

    Args:
        command: What a user types to go on; None where that is not said here.
    """
    with at_once():
        try:
            yield
        except checks.UserError:
            raise
        except BaseException as error:
            if command is not None:
                error.add_note(f"to go on: {command}")
            raise


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Handles both signals where that can be done, which is in the main thread alone.

    A signal that is ignored, as Ctrl-C is in a shell's background, stays so.
    """
    before = []
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                before.append((number, signal.signal(number, handler)))
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)
