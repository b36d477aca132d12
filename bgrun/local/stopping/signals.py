"""Signals to processes that were seen before: never to another process that has got the PID since."""

from __future__ import annotations

import os
import time

from bgrun.light import signal
from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.system.process import Process

SUSPEND_S = 0.1
"""Seconds that SIGSTOP may take to act; a process that is deep in the kernel takes longer."""
POLL_S = 0.0005


def send(targets: Iterable[Process], signal_name: str) -> list[Process]:
    """Send a signal to each process that still is the one that was seen; return those it reached."""
    number = process.number_of(signal_name)
    return [one for one in targets if _send_one(one, number)]


def send_to_living(targets: Iterable[Process], signal_name: str) -> list[Process]:
    """Send a stop signal and return the processes that were alive when it reached them.

    A process that is exiting accepts a signal without any effect. Each one is therefore suspended first: a process
    that is suspended lives, and gets the signal before it does anything else.
    """
    suspended = _suspend(targets)
    reached = send(suspended, signal_name)
    send(suspended, "SIGCONT")
    return reached


def _suspend(targets: Iterable[Process]) -> list[Process]:
    """Suspend processes and return those that live; one that does not stop in time counts as alive."""
    pending = send(targets, "SIGSTOP")
    alive: list[Process] = []
    until = time.monotonic() + SUSPEND_S
    while pending:
        now = [(one, process.read(one.pid)) for one in pending]
        living = [(one, seen) for one, seen in now if seen and seen.start == one.start and not seen.zombie]
        late = time.monotonic() >= until
        alive += [one for one, seen in living if seen.stopped or late]
        pending = [one for one, seen in living if not seen.stopped and not late]
        if pending:
            time.sleep(POLL_S)
    return alive


def _send_one(one: Process, number: int) -> bool:
    """Signal one process, through a pidfd where possible: its PID cannot be reused between check and signal."""
    try:
        if not hasattr(os, "pidfd_open") or not hasattr(signal, "pidfd_send_signal"):
            return process.is_running(one.pid, one.start) and _kill(one.pid, number)
        fd = os.pidfd_open(one.pid)
    except OSError:
        return False
    try:
        if not process.is_running(one.pid, one.start):
            return False
        signal.pidfd_send_signal(fd, number)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _kill(pid: int, number: int) -> bool:
    os.kill(pid, number)
    return True
