"""The supervisor's lock on a `.pid` file: flock(2), which falls with whoever holds it.

The supervisor holds it exclusively; everybody else only ever asks for a shared one, so that those
who look or wait never take each other for a supervisor.
"""

from __future__ import annotations

import fcntl
import os
import time

from bgrun.system import files

_AGAIN_S = 0.001


def hold(fd: int) -> None:
    """Take the lock, at once or not at all; nobody is in the way while the file is not in view yet.

    Raises:
        BlockingIOError: somebody else has it.
        OSError: the file system has no locks.
    """
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def hold_in_turn(fd: int, within_s: float) -> None:
    """Take the lock once nobody else has it.

    Raises:
        BlockingIOError: that did not come in time, since its holder was suspended.
        OSError: the file system has no locks.
    """
    until = time.monotonic() + within_s
    # Asked again and again, since flock(2) has no bound, and holders are through within a millisecond.
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
    """Return whether somebody holds the lock on this file; False where there is no file."""
    try:
        fd = files.open_regular(path)
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
    """Sleep in the kernel until nobody holds the lock; return at once where there is no file.

    A signal handler that raises ends the wait (flock(2): EINTR).
    """
    try:
        fd = files.open_regular(path)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)
