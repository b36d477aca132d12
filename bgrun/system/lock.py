"""Lock a `.pid` file with flock(2); the kernel releases the lock when its holder exits.

The supervisor holds it exclusively. Every other process asks for a shared lock, so that readers and waiters are never
mistaken for a supervisor.
"""

from __future__ import annotations

import fcntl
import os
import time

from bgrun.system import reading

_AGAIN_S = 0.001


def hold(fd: int) -> None:
    """Take the lock without waiting.

    Raises:
        BlockingIOError: another process holds it.
        OSError: the file system does not support locks.
    """
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def hold_within(fd: int, within_s: float) -> None:
    """Take the lock as soon as no other process holds it.

    Raises:
        BlockingIOError: it was not released within `within_s` seconds: its holder is suspended.
        OSError: the file system does not support locks.
    """
    until = time.monotonic() + within_s
    # Polled, since flock(2) has no timeout, and a holder needs less than a millisecond.
    while not _is_taken(fd) and time.monotonic() < until:
        time.sleep(_AGAIN_S)
    hold(fd)


def _is_taken(fd: int) -> bool:
    try:
        hold(fd)
    except BlockingIOError:
        return False
    return True


def is_held(path: str) -> bool:
    """Return whether a process holds the lock on a file exclusively; False if it does not exist."""
    try:
        fd = reading.open_regular(path)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def wait_free(path: str) -> None:
    """Sleep in the kernel until no process holds the lock; return at once if the file does not exist.

    A signal handler that raises interrupts the wait (flock(2): EINTR).
    """
    try:
        fd = reading.open_regular(path)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)
