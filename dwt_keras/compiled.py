"""Loops compiled to machine code by numba, and the threads that run them.

No fast-math anywhere: the order of operations is the written one and nothing is fused, so that
the same input gives the same bits on every machine and for every number of threads.
"""

from __future__ import annotations

import concurrent.futures
import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Whole = Any  # A whole number in compiled code, Python's or NumPy's.

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a function of arrays and numbers on its first call; it runs without the GIL.

    The machine code is kept on disk for the next process where there is a folder to write to.
    """
    return _made(function)


def inlined(function: Function) -> Function:
    """Compiles a function into each compiled function that calls it.

    For short ones that are called for every number: passing an array costs seven arguments.
    """
    return _made(function, forceinline=True)


def _made(function: Function, **options: Any) -> Function:
    try:
        made: Any = numba.njit(function, cache=True, nogil=True, **options)
    except RuntimeError:  # Neither the package's folder nor the user's cache can be written.
        made = numba.njit(function, nogil=True, **options)
    return cast(Function, made)


def in_parallel(work: Callable[[int, int], None], count: int, least: int = 1) -> None:
    """Calls `work(first, last)` on ranges that together cover 0 to count, one on each core.

    Args:
        work: Releases the GIL; its ranges do not depend on each other.
        count: Number of items.
        least: Items below which another thread costs more than it gives.
    """
    parts = min(threads(), count // max(least, 1))
    if parts < 2:
        work(0, count)
        return
    ends = [count * part // parts for part in range(parts + 1)]
    others = [_pool().submit(work, *ends[part : part + 2]) for part in range(1, parts)]
    try:
        work(0, ends[1])
    finally:
        # Not even an error may leave while others still write.
        concurrent.futures.wait(others)
    for other in others:
        other.result()


@functools.cache
def threads() -> int:
    """The number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such call.
        return os.cpu_count() or 1


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(threads(), "dwt_keras")


if hasattr(os, "register_at_fork"):
    # A child process has none of its parent's threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
