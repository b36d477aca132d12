"""Choose the CPU on which a fork begins."""

from __future__ import annotations

import os
import sys

from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_ANY = range(1024)
"""All CPUs, also those that are added later (sched_setaffinity(2): the kernel leaves out what does not exist)."""


def spread(pid: int) -> None:
    """Let a process that was forked this moment begin beside this one, on another CPU.

    Linux 6.18 leaves three of four forks on the CPU of a parent that stays busy, behind which they wait for up to 3 ms
    while another CPU is idle: a seventh of a start. Nothing is done where more threads want to run than there are CPUs,
    nor where this process may not use all of them: a limit (cpuset(7), taskset(1)) is left alone.
    """
    if sys.platform == "linux":
        # AttributeError: a Python that was built without these calls.
        with suppress(OSError, ValueError, IndexError, AttributeError):
            allowed = os.sched_getaffinity(0)
            if not 1 < len(allowed) == os.sysconf("SC_NPROCESSORS_ONLN"):
                return
            if others := elsewhere(_read("/proc/self/stat"), _read("/proc/loadavg"), allowed):
                os.sched_setaffinity(pid, others)
                os.sched_setaffinity(pid, _ANY)


def elsewhere(stat: bytes, loadavg: bytes, allowed: AbstractSet[int]) -> AbstractSet[int]:
    """Return the CPUs that a process is not on, or none of them if all are busy.

    Args:
        stat: what the kernel says of the process (proc_pid_stat(5), field 39: its CPU).
        loadavg: what it says of the machine (proc_loadavg(5), field 4: how many threads are running or ready to run).
        allowed: the CPUs that there are.

    Raises:
        ValueError, IndexError: it says something else.
    """
    here, ready = int(stat.rpartition(b")")[2].split()[36]), int(loadavg.split()[3].partition(b"/")[0])
    return allowed - {here} if ready <= len(allowed) else set()


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1024)
    finally:
        os.close(fd)
