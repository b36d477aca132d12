"""Waiting for runs to end, asleep in the kernel wherever the kernel can tell."""

from __future__ import annotations

import os
import time

from bgrun.light import suppress
from bgrun.local import event_loop
from bgrun.system import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.model import Run
    from bgrun.store.store import Store

QUEUE_LOOK_S = 0.05
"""How often to look whether the turn of a queued run has come, which no lock tells."""


def wait_run(store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
    """Return a run once it has ended, or as it is when the bound comes first; None where it is gone."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    while (run := store.read(run_id)) and run.live:
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            return run
        _sleep_on(store, run, left)
    return run


def _sleep_on(store: Store, run: Run, timeout_s: float | None) -> None:
    """Sleep until something about the run may have changed."""
    at = store.run(run.run_id)
    path = next(filter(lock.is_held, (at.hidden("pid"), at.pid)), "")
    if not event_loop.is_main_thread():
        time.sleep(min(QUEUE_LOOK_S, timeout_s if timeout_s is not None else QUEUE_LOOK_S))
    elif path:
        with suppress(event_loop.TimeUpError), event_loop.time_limit(timeout_s):
            lock.wait_free(path)
    elif run.state == "running" and run.pid and not run.members:
        _wait_process(store, run, timeout_s)
    else:
        time.sleep(min(QUEUE_LOOK_S, timeout_s if timeout_s is not None else QUEUE_LOOK_S))


def _wait_process(store: Store, run: Run, timeout_s: float | None) -> None:
    """Wait for the end of the process of a run, which is not our child, reaped or not."""
    pid = run.pid or 0
    if hasattr(os, "pidfd_open"):
        with suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            try:
                # Looked at again behind the opening: its pid may have become another process's meanwhile.
                if (now := store.read(run.run_id)) and now.live and now.pid == pid:
                    _wait_pidfd(fd, timeout_s)
            finally:
                os.close(fd)
        return
    import psutil  # which uses kqueue where there is one

    with suppress(psutil.Error):
        psutil.Process(pid).wait(timeout_s)


def _wait_pidfd(fd: int, timeout_s: float | None) -> None:
    import select

    select.select([fd], [], [], timeout_s)
