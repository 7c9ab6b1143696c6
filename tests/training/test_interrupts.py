"""What a signal does to a training, and after it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from dwt_keras.training import interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def _not_ignored():
    """As in a terminal: a shell's background has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_waits_for_a_check(number):
    with pytest.raises(KeyboardInterrupt), interrupts.deferred() as requests:
        requests.check()
        os.kill(os.getpid(), number)
        went_on = True
        requests.check()
        went_on = False
    assert went_on


@pytest.mark.parametrize("number", SIGNALS)
def test_the_second_does_not(number):
    went_on = False
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        went_on = True
    assert not went_on


def test_one_that_nobody_has_checked_for_counts_at_the_end():
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_interrupts_at_once():
    with pytest.raises(KeyboardInterrupt), interrupts.at_once():
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError


def test_handlers_are_put_back_and_other_threads_have_none():
    before = [signal.getsignal(number) for number in SIGNALS]
    with interrupts.deferred():
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in SIGNALS] == before
    failed = []

    def elsewhere():
        try:
            with interrupts.deferred() as requests:
                requests.check()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert not failed


def test_an_ignored_interrupt_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupts.deferred() as requests:
        os.kill(os.getpid(), signal.SIGINT)
        requests.check()
