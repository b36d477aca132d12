"""A time limit ends a sleep, and leaves the alarm as it was."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.local import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_a_time_limit_interrupts_a_sleep_and_is_gone_afterwards() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(time_limit.TimeUpError), time_limit.time_limit(0.01):
        time.sleep(60)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with time_limit.time_limit(None):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.fixture
def blocked() -> Iterator[set[int]]:
    """The signals that are blocked, SIGALRM among them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    yield {*before, signal.SIGALRM}
    handler = signal.signal(signal.SIGALRM, signal.SIG_IGN)  # which drops one that is pending
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    signal.signal(signal.SIGALRM, handler)


def test_an_alarm_that_the_caller_blocks_is_let_through(blocked: set[int]) -> None:
    """A process inherits the mask of its caller: `wait --timeout` would never return."""
    with pytest.raises(time_limit.TimeUpError), time_limit.time_limit(0.01):
        time.sleep(5)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked


def test_which_thread_gets_signals() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(time_limit.is_main_thread()))
    thread.start()
    thread.join()
    assert (time_limit.is_main_thread(), found) == (True, [False])
