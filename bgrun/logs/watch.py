"""Wait until a file in a directory is written to: the kernel reports it where it can, else by the clock alone."""

from __future__ import annotations

import _thread
import fcntl
import os
import time

from bgrun.light import contextmanager, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOONEST_S = 0.002
"""Seconds between two answers at least: many writes in a row are one."""


@contextmanager
def writes(directory: str) -> Iterator[Callable[[float], None]]:
    """Yield a function that sleeps for some seconds at most, and less if a file in the directory is written to.

    The kernel sends SIGIO at each write of this machine (fcntl(2), F_NOTIFY), for which the function waits while it is
    blocked. Not every file system reports them (network file systems do not), so the time is not to be long. Where
    the kernel cannot, or other threads run that might get the signal, the function sleeps for the whole time.
    """
    fd = _open(directory)
    if fd < 0:
        yield time.sleep
        return
    # Blocked signals are kept even if they are ignored (signal(7)), and dropped when they are unblocked.
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    try:
        yield _wait if _ask(fd) else time.sleep
    finally:
        os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGIO, before)


def _open(directory: str) -> int:
    """Return a descriptor of the directory, or -1 where this process cannot hear of writes."""
    if _thread._count() or not hasattr(fcntl, "F_NOTIFY") or not hasattr(signal, "sigtimedwait"):
        return -1
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1


def _ask(fd: int) -> bool:
    # By name: macOS has none of these.
    notify, modify, multishot = (getattr(fcntl, name, 0) for name in ("F_NOTIFY", "DN_MODIFY", "DN_MULTISHOT"))
    try:
        fcntl.fcntl(fd, notify, modify | multishot)
    except OSError:
        return False
    return True


def _wait(seconds: float) -> None:
    time.sleep(min(SOONEST_S, seconds))
    # By name: macOS does not have it.
    getattr(signal, "sigtimedwait")({signal.SIGIO}, max(0.0, seconds - SOONEST_S))  # noqa: B009
