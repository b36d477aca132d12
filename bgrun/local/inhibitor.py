"""Keeping the machine awake while a job runs, where the system offers it; never a requirement.

macOS has caffeinate(8), which ends by itself with the process it watches. On Linux with systemd a
block inhibitor is held by systemd-inhibit(1) around a `tail` that ends with that process.
"""

from __future__ import annotations

import os
import sys

from bgrun.system import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def inhibitor(pid: int, label: str, find: Callable[[str], str | None]) -> list[str]:
    """Return the command that keeps the machine awake until `pid` ends, or an empty list; pure."""
    if caffeinate := find("caffeinate"):
        return [caffeinate, "-i", "-w", str(pid)]
    inhibit, tail = find("systemd-inhibit"), find("tail")
    if not inhibit or not tail:
        return []
    words = ["--what=idle:sleep", "--who=bgrun", f"--why={label} runs", "--mode=block"]
    return [inhibit, *words, tail, f"--pid={pid}", "-s5", "-f", os.devnull]


def keep_awake(pid: int, label: str) -> int:
    """Start the inhibitor for a job; return its pid, or 0 where the system offers none."""
    command = inhibitor(pid, label, _find)
    if not command:
        return 0
    null = os.open(os.devnull, os.O_RDWR)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)]
        return os.posix_spawn(command[0], command, os.environ, file_actions=streams, setpgroup=0, setsigmask=())
    except OSError:
        return 0
    finally:
        os.close(null)


def _find(program: str) -> str | None:
    """Return the path of a program, if it can work here: systemd-inhibit needs systemd running."""
    if program == "systemd-inhibit" and not os.path.isdir("/run/systemd/system"):
        return None
    if program == "tail" and not sys.platform.startswith("linux"):
        return None
    return programs.find(program)
