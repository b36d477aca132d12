"""A time limit ends a sleep, and leaves the alarm as it was."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from bgrun.local import time_limit


def test_a_time_limit_interrupts_a_sleep_and_is_gone_afterwards() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(time_limit.TimeUpError), time_limit.time_limit(0.01):
        time.sleep(60)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    with time_limit.time_limit(None):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_which_thread_gets_signals() -> None:
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(time_limit.is_main_thread()))
    thread.start()
    thread.join()
    assert (time_limit.is_main_thread(), found) == (True, [False])
