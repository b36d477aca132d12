"""Wait for runs to finish: asleep in the kernel while a lock or a process can wake us, else by polling."""

from __future__ import annotations

import os
import time

from bgrun.light import suppress
from bgrun.local import time_limit
from bgrun.system import lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.model import Run
    from bgrun.store.store import Store

POLL_S = 0.05
"""How often a run is checked that no lock or process can be waited for."""


def wait_run(store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
    """Return a run once it has finished, or as it is when the timeout expires; None if it does not exist."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    while (run := store.read(run_id)) and run.live:
        left = None if until is None else until - time.monotonic()
        if left is not None and left <= 0:
            return run
        _sleep_on(store, run, left)
    return run


def _sleep_on(store: Store, run: Run, timeout_s: float | None) -> None:
    """Sleep until the run may have changed."""
    at = store.run(run.run_id)
    path = next(filter(lock.is_held, (at.hidden("pid"), at.pid)), "")
    if not time_limit.is_main_thread():
        time.sleep(POLL_S if timeout_s is None else min(POLL_S, timeout_s))
    elif path:
        with suppress(time_limit.TimeUpError), time_limit.time_limit(timeout_s):
            lock.wait_free(path)
    elif run.state == "running" and run.pid and not run.members:
        _wait_process(store, run, timeout_s)
    else:
        time.sleep(POLL_S if timeout_s is None else min(POLL_S, timeout_s))


def _wait_process(store: Store, run: Run, timeout_s: float | None) -> None:
    """Wait until the process of a run exits, which is not our child."""
    pid = run.pid or 0
    if hasattr(os, "pidfd_open"):
        with suppress(ProcessLookupError):
            fd = os.pidfd_open(pid)
            try:
                # Checked once more after opening: another process may have got its PID before.
                if (now := store.read(run.run_id)) and now.live and now.pid == pid:
                    _wait_pidfd(fd, timeout_s)
            finally:
                os.close(fd)
        return
    import psutil  # which uses kqueue(2) on macOS

    with suppress(psutil.Error):
        psutil.Process(pid).wait(timeout_s)


def _wait_pidfd(fd: int, timeout_s: float | None) -> None:
    import select

    select.select([fd], [], [], timeout_s)
