"""What the supervisor asks of the kernel: to sleep until something happens, the time, its orphans."""

from __future__ import annotations

import os
import select
import time

from bgrun.lean import signal, suppress
from bgrun.runs import process


def steady_clock() -> float:
    """Return seconds that go on while the machine sleeps and that setting the clock does not move."""
    kind = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(kind)


class Alarm:
    """Signals as bytes on a pipe, so that one select(2) sleeps for all of them."""

    def __init__(self) -> None:
        self.read_fd, write_fd = os.pipe()
        for fd in (self.read_fd, write_fd):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)

    def sleep(self, timeout_s: float | None) -> set[int]:
        """Sleep until a signal comes or the time is up; return the signals that came."""
        if not select.select([self.read_fd], [], [], timeout_s)[0]:
            return set()
        return set(os.read(self.read_fd, 4096))


def become_subreaper() -> bool:
    """Have orphaned descendants become children of this process (prctl(2)); False off Linux."""
    set_child_subreaper = 36
    return _prctl(set_child_subreaper, 1)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (prctl(2)); off Linux nothing happens."""
    set_parent_death_signal = 1
    _prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> bool:
    if not process.LINUX:
        return False
    import ctypes

    with suppress(OSError, AttributeError):
        return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
    return False
