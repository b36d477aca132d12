"""Keep the machine awake while a job runs, where the system has a program for that; otherwise do nothing.

macOS has caffeinate(8), which exits with the process it watches. On Linux with systemd, systemd-inhibit(1) holds a
block inhibitor while a `tail` runs that exits with that process.
"""

from __future__ import annotations

import os
import sys

from bgrun.system import programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def inhibitor(pid: int, label: str, find: Callable[[str], str | None]) -> list[str]:
    """Return the command that keeps the machine awake until `pid` exits, or an empty list. Pure."""
    if caffeinate := find("caffeinate"):
        return [caffeinate, "-i", "-w", str(pid)]
    inhibit, tail = find("systemd-inhibit"), find("tail")
    if not inhibit or not tail:
        return []
    options = ["--what=idle:sleep", "--who=bgrun", f"--why={label} runs", "--mode=block"]
    return [inhibit, *options, tail, f"--pid={pid}", "-s5", "-f", os.devnull]


def keep_awake(pid: int, label: str) -> int:
    """Start the inhibitor for a job and return its PID, or 0 if there is none."""
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
    """Return the path of a program that works here: systemd-inhibit needs systemd, and `tail --pid` Linux."""
    if program == "systemd-inhibit" and not os.path.isdir("/run/systemd/system"):
        return None
    if program == "tail" and not sys.platform.startswith("linux"):
        return None
    return programs.find(program)
