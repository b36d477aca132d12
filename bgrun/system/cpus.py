"""Choose the CPU on which a fork begins."""

from __future__ import annotations

import os
import sys

from bgrun.light import signal, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

_ANY = range(1024)
"""All CPUs; the kernel leaves out what does not exist (sched_setaffinity(2))."""


def spread(pid: int) -> None:
    """Let a process that was forked this moment begin beside this one, on another CPU.

    Linux 6.18 leaves three of four forks on the CPU of a parent that stays busy, behind which they wait for up to 3 ms
    while another CPU is idle: a seventh of a start. Nothing is done where more threads want to run than there are CPUs,
    nor where this process may not use every CPU that there can be: a limit (cpuset(7), taskset(1)) stays as it is. Nor
    under a filter of system calls (seccomp(2)), which may kill whoever makes one of these.
    """
    if sys.platform == "linux":
        # AttributeError: a Python that was built without these calls.
        with suppress(OSError, ValueError, IndexError, AttributeError):
            allowed = os.sched_getaffinity(0)
            is_free = is_unlimited(allowed, _read("/sys/devices/system/cpu/possible"), _read("/proc/self/status"))
            if is_free and (others := elsewhere(_read("/proc/self/stat"), _read("/proc/loadavg"), allowed)):
                os.sched_setaffinity(pid, others)
                try:
                    os.sched_setaffinity(pid, _ANY)
                except OSError:
                    os.kill(pid, signal.SIGKILL)  # its jobs would stay there; another one takes its place


def is_unlimited(allowed: AbstractSet[int], possible: bytes, status: bytes) -> bool:
    """Return whether a process may use every CPU that the system can have, and no filter checks its system calls.

    Args:
        allowed: the CPUs that it may use and that are online.
        possible: the range of all that there can be, such as `0-7` (the kernel's documentation of cpu hotplug).
        status: what the kernel says of the process (proc_pid_status(5)).

    Raises:
        ValueError: it says something else.
    """
    first, _, last = possible.partition(b"-")
    every = range(int(first), int(last or first) + 1)
    return 1 < len(every) <= len(_ANY) and allowed == set(every) and b"\nSeccomp:\t0\n" in status


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
        return os.read(fd, 4096)
    finally:
        os.close(fd)
