"""End a sleep in the kernel when its time is up, by the alarm of the process."""

from __future__ import annotations

import sys

from bgrun.light import contextmanager, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class TimeUpError(Exception):
    """A time limit expired during a sleep."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TimeUpError in the block when the time is up. For the main thread only, which alone gets signals.

    The alarm is let through, since a process may inherit a mask that blocks it (sigprocmask(2)).
    """
    if seconds is None:
        yield
        return

    def time_up(*_: object) -> None:
        raise TimeUpError

    before = signal.signal(signal.SIGALRM, time_up)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))  # in here: the time may be up before the block begins
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGALRM, before)


def is_main_thread() -> bool:
    """Return whether this is the thread that gets signals, without importing threading."""
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()
