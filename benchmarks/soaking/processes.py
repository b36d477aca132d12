"""Waiting for something, and the processes of runs: only those that the soak itself started are signalled."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import psutil

from bgrun.system import process

if TYPE_CHECKING:
    from collections.abc import Callable


def wait(holds: Callable[[], object], bound: float, step: float = 0.01) -> bool:
    """Wait until something holds, at most so many seconds; return whether it does."""
    end = time.monotonic() + bound
    while not holds():
        if time.monotonic() > end:
            return bool(holds())
        time.sleep(step)
    return True


def lives(pid: int, at: float) -> bool:
    """Whether the process that had this pid at that time, and said so, still lives."""
    with contextlib.suppress(psutil.Error):
        one = psutil.Process(pid)
        return one.status() != psutil.STATUS_ZOMBIE and one.create_time() <= at + 0.1
    return False


def kill(pid: int, start: str, number: int = signal.SIGKILL) -> None:
    """Signal a process that the soak started, if that still lives."""
    with contextlib.suppress(ProcessLookupError):
        if pid and process.is_running(pid, start):
            os.kill(pid, number)


def suspend(pid: int, start: str, seconds: float) -> None:
    """Hold a process still for so long."""
    with contextlib.suppress(ProcessLookupError):
        if process.is_running(pid, start):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[psutil.Process]:
    """Return the descendants of a process."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def marked(log_dir: str, run_id: str = "") -> list[psutil.Process]:
    """Return the living processes of a run, or of all runs below a folder."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = one.environ()
            ours = mark.get("BGRUN_LOG_DIR", "").startswith(log_dir) and run_id in ("", mark.get("BGRUN_RUN_ID"))
            if ours and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


def told(one: psutil.Process) -> str:
    """Return a process in words."""
    with contextlib.suppress(psutil.Error, OSError):
        mark = one.environ()
        return f"{one.pid} {' '.join(one.cmdline())} of {mark.get('BGRUN_RUN_ID')} in {mark.get('BGRUN_LOG_DIR')}"
    return f"{one.pid}"
