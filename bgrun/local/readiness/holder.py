"""Find out whose process it is that has a port."""

from __future__ import annotations

import os

from bgrun.errors import BgrunError, BusyError, PortTakenError, StorageError
from bgrun.light import suppress
from bgrun.local.stopping import processes
from bgrun.store import record
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.store.store import Store
from bgrun.system import listeners, ports, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.local.readiness.target import Target
    from bgrun.plan import RenderedJob

PROXIES = frozenset(
    ("docker-proxy", "rootlessport", "rootlesskit", "conmon", "slirp4netns", "passt", "pasta", "containerd-shim")
)
"""Programs that hold a port for a container, whose own processes nobody outside of it starts."""
_MOST_PARENTS = 100


def reserve(jobs: Mapping[str, RenderedJob]) -> dict[str, int]:
    """Hold the locks on the ports that were assigned to services, and return their descriptors, both by run ID.

    A rerun has the ports of its first run, which may belong to another plan by now: those are held if they are free.

    Raises:
        PortTakenError: another plan has one that was just assigned.
    """
    run_ids = {job.port: run_id for run_id, job in jobs.items() if ports.is_assignable(job.port)}
    fresh = [port for port, run_id in run_ids.items() if jobs[run_id].is_port_assigned]
    held = ports.reserve(fresh) if fresh else {}
    for port in run_ids.keys() - held.keys():
        with suppress(BgrunError):
            held |= ports.reserve([port])
    return {run_ids[port]: fd for port, fd in held.items()}


def claim(job: RenderedJob) -> int:
    """Hold the lock on the port of a service and return its descriptor, or -1 where locks cannot be kept.

    Before anybody looks whether it is free: two plans could both find that, before either server listens.

    Raises:
        BusyError: another plan has launched a service with this port.
    """
    try:
        return ports.reserve([job.port])[job.port]
    except PortTakenError:
        raise _refusal(job, taken(job.port) or "a service that was just started") from None
    except BgrunError:
        return -1


def refuse_taken(job: RenderedJob) -> None:
    """Refuse to launch a service whose port another process has: its check might find that one instead.

    Raises:
        BusyError: it is taken.
    """
    if who := taken(job.port):
        raise _refusal(job, who)


def is_leaving(log_dir: str, port: int) -> bool:
    """Return whether a run of this log directory that has the port is being stopped: one start soon follows another."""
    store = Store(log_dir)
    for at in map(store.run, store.index().without_exit()):
        with suppress(StorageError):
            if os.path.lexists(at.stop) and (record.read_meta(at) or {}).get("port") == str(port):
                return True
    return False


def _refusal(job: RenderedJob, who: str) -> BusyError:
    message = f"cannot start {job.label}: port {job.port} is taken by {who}"
    return BusyError(message, "stop that process, or use `port: auto`")


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
