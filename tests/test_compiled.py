"""Compiled loops and their threads: every range once, errors passed on, no cache, after a fork."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras import compiled
from dwt_keras.wavelet import threshold, transform


@pytest.fixture
def three_threads(monkeypatch):
    """As on a machine of three cores."""
    monkeypatch.setattr(compiled, "threads", lambda: 3)
    compiled._pool.cache_clear()
    yield
    compiled._pool().shutdown()
    compiled._pool.cache_clear()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9), st.integers(0, 50), st.integers(0, 20))
def test_ranges_cover_everything_once_for_any_number_of_threads(threads, count, least):
    ranges = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "threads", lambda: threads)
        compiled.in_parallel(lambda first, last: ranges.append((first, last)), count, least)
    covered = sorted(item for first, last in ranges for item in range(first, last))
    assert covered == list(range(count))
    assert 1 <= len(ranges) <= threads
    if len(ranges) > 1:
        assert min(last - first for first, last in ranges) >= max(least, 1)
    if count >= threads * max(least, 1):
        assert len(ranges) == threads
        sizes = [last - first for first, last in ranges]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.usefixtures("three_threads")
def test_work_is_done_at_the_same_time():
    meeting = threading.Barrier(3, timeout=20)
    names = set()

    def work(first, last):
        meeting.wait()
        names.add(threading.current_thread().name)

    compiled.in_parallel(work, 3)
    assert len(names) == 3


def test_too_little_work_stays_on_this_thread():
    seen = []
    compiled.in_parallel(
        lambda first, last: seen.append((first, last, threading.current_thread())), 9, least=8
    )
    assert seen == [(0, 9, threading.current_thread())]


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_an_error_in_any_range_is_raised_again(bad):
    done = []

    def work(first, last):
        if first == bad:
            raise ZeroDivisionError(f"in range {first}")
        done.append(first)

    with pytest.raises(ZeroDivisionError, match=f"in range {bad}"):
        compiled.in_parallel(work, 3)
    again = []
    compiled.in_parallel(lambda first, last: again.append(first), 3)
    assert sorted(again) == [0, 1, 2]


@pytest.mark.usefixtures("three_threads")
def test_all_ranges_are_done_when_it_returns():
    done = []

    def work(first, last):
        time.sleep(0.02 * first)
        done.append(first)

    compiled.in_parallel(work, 3)
    assert sorted(done) == [0, 1, 2]


def test_there_is_a_thread_for_each_core():
    assert 1 <= compiled.threads() <= (os.cpu_count() or 1)


def total(x):
    result = 0.0
    for value in x:
        result += value
    return result


def test_functions_are_compiled_without_the_gil_and_kept_on_disk(monkeypatch):
    asked = []
    original = numba.njit

    def watched(function, **options):
        asked.append(options)
        return original(function, **options)

    monkeypatch.setattr(numba, "njit", watched)
    made = compiled.compiled(total)
    assert asked == [{"cache": True, "nogil": True}]
    assert made.py_func is total


def test_functions_are_compiled_where_no_folder_can_be_written(monkeypatch):
    asked = []
    original = numba.njit

    def without_cache(function, *, cache=False, **options):
        if function is total:
            asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return original(function, **options)

    monkeypatch.setattr(numba, "njit", without_cache)
    made = compiled.compiled(total)
    assert made(np.arange(5.0)) == 10.0
    assert asked == [True, False]
    assert made.signatures
    assert made.targetoptions["nogil"]


def _transform_and_shrink(x):
    coefficients = transform.decompose(x, "sym4", 3, (0, 1))
    threshold.shrink_in_place(coefficients, 0.5)
    return coefficients


def _in_child(x, connection):
    connection.send(_transform_and_shrink(x))
    connection.close()


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this platform cannot fork"
)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*fork.*:RuntimeWarning")
@pytest.mark.usefixtures("three_threads")
def test_a_forked_child_has_threads_of_its_own():
    x = np.random.default_rng(0).standard_normal((512, 1024)).astype(np.float32)
    expected = _transform_and_shrink(x)
    assert compiled._pool.cache_info().currsize == 1
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_in_child, args=(x, sender), daemon=True)
    child.start()
    sender.close()
    try:
        assert receiver.poll(30), "the child hangs"
        np.testing.assert_array_equal(receiver.recv(), expected)
        child.join(30)
        assert child.exitcode == 0
    finally:
        child.kill()
        child.join()
