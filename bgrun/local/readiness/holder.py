"""Find out whose process it is that has a port."""

from __future__ import annotations

import os

from bgrun.local.stopping import processes
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import listeners, ports, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.local.readiness.target import Target

PROXIES = frozenset(
    ("docker-proxy", "rootlessport", "rootlesskit", "conmon", "slirp4netns", "passt", "pasta", "containerd-shim")
)
"""Programs that hold a port for a container, whose own processes nobody outside of it starts."""
_MOST_PARENTS = 100


def taken(port: int) -> str:
    """Return who has a port, in words; '' if it is free."""
    if ports.is_free(port):
        return ""
    pid = listeners.find(port)
    return describe(pid) if pid else "another process"


def describe(pid: int) -> str:
    """Return a process in words: `pid 4242 (node), run web_20261126_101500 of ~/shop`."""
    name = listeners.name_of(pid)
    environment = process.environment_of(pid)
    run_id, log_dir = environment.get(MARK_RUN, ""), environment.get(MARK_DIR, "")
    run = f", run {run_id} of {_short(os.path.dirname(log_dir))}" if run_id and log_dir else ""
    return f"pid {pid}{f' ({name})' if name else ''}{run}"


def is_of(pid: int, target: Target) -> bool:
    """Return whether a process belongs to the run of a service.

    It carries the run's mark, is in the session of its job script, or descends from that or from the supervisor,
    which gets what the script orphans. A process with the mark of another run belongs to that.
    """
    mark = processes.read_mark(pid)
    own = processes.mark_of(target.recorded, target.run_id)
    if mark:
        return processes.is_same_mark(mark, own, target.log_dir)
    ancestors = {target.leader, os.getppid()}
    for _ in range(_MOST_PARENTS):
        found = process.read(pid)
        if found is None or pid <= 1:
            return False
        if ancestors & {pid, found.sid, found.ppid}:
            return True
        pid = found.ppid
    return False


def _short(path: str) -> str:
    """Return a path with `~` in place of the home directory."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if path == home or path.startswith(f"{home}/") else path
