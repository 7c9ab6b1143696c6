"""Files by which processes keep each other off. Loads no TensorFlow."""

from __future__ import annotations

import contextlib
import importlib
import os
from pathlib import Path
from typing import Any


def claim(
    path: Path, stack: contextlib.ExitStack, *, shared: bool = False, waits: bool = False
) -> bool:
    """Claims a file until the stack is closed or this process ends, however it does.

    Args:
        path: The file, made where there is none, or a folder that is there.
        stack: Ends the claim when it is closed.
        shared: Whether others may have it too that ask for it so.
        waits: Whether to wait while another process has it.

    Returns:
        Whether it is claimed now; always so where the system has no such claims (Windows).
    """
    fcntl = _fcntl()
    if fcntl is None:
        return True
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags, 0o666)
    stack.callback(os.close, descriptor)
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind if waits else kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_free(path: Path) -> bool | None:
    """Whether no process has claimed a file; None where the system has no claims, or there is none.

    A process that lives has what it claimed, on whichever machine that sees the file.
    """
    if _fcntl() is None or not path.is_file():
        return None
    with contextlib.ExitStack() as stack:
        return claim(path, stack)


def _fcntl() -> Any:
    """Python's way to the system's claims; None where there are none."""
    try:
        return importlib.import_module("fcntl")
    except ImportError:
        return None
