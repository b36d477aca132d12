"""What Linux tells of a process under /proc: memory, times it was woken, processor time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

HERE = Path("/proc/self/smaps_rollup").exists()
_TICKS = os.sysconf("SC_CLK_TCK")


class Memory(NamedTuple):
    """MiB: the proportional set size (shared pages divided among who maps them), and the whole resident set."""

    pss: float
    rss: float


class Activity(NamedTuple):
    """Context switches so far, which of a process that sleeps are its wake-ups, and processor time in ms."""

    switches: int
    cpu_ms: float


def memory(pid: int) -> Memory:
    """Return the memory of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return Memory(kib["Pss"] / 1024, kib["Rss"] / 1024)


def activity(pid: int) -> Activity:
    """Return what a process has done so far."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    switches = sum(int(line.split()[1]) for line in lines if "voluntary_ctxt_switches:" in line)
    # The name of the program, in parentheses, may hold spaces: fields are counted behind it.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return Activity(switches, (int(fields[11]) + int(fields[12])) * 1000 / _TICKS)
