"""Inspect one process, and check whether it is the one that was recorded.

A PID alone proves nothing, since the kernel reuses PIDs. A process is identified by its PID, its start time and the
boot ID (see `boot`). On Linux this reads `/proc` (proc(5)); elsewhere it uses psutil.
"""

from __future__ import annotations

import os
import sys
import time

from bgrun.light import NamedTuple, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def number_of(name: str) -> int:
    """Return the number of a signal, or that of SIGTERM if this system has no signal of that name."""
    return _numbers().get(name, int(signal.SIGTERM))


def name_of(number: int) -> str | None:
    """Return the name of a signal (of several names the first alphabetically), or None."""
    return next((name for name, own in _numbers().items() if own == number), None)


def _numbers() -> dict[str, int]:
    """Return the numbers of all signals by their names."""
    names = (name for name in sorted(dir(signal)) if name.startswith("SIG") and name.isalnum() and name.isupper())
    return {name: int(getattr(signal, name)) for name in names}


LINUX = sys.platform.startswith("linux")


class Process(NamedTuple):
    """A process at the time of a snapshot; `pid` and `start` identify it until the next boot."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    start: str
    zombie: bool = False
    stopped: bool = False

    @property
    def key(self) -> tuple[int, str]:
        """The identity of the process, whatever its state."""
        return self.pid, self.start


def pid_namespace() -> str:
    """Return the ID of the PID namespace of this process (pid_namespaces(7)); '' on other systems."""
    return _link("/proc/self/ns/pid") if LINUX else ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def read(pid: int) -> Process | None:
    """Return the process that has this PID now, or None."""
    return _read_proc(pid) if LINUX else _read_psutil(pid)


def start_of(pid: int) -> str:
    """Return the start time of the process that has this PID now, in the kernel's unit; '' if none has."""
    found = read(pid)
    return found.start if found else ""


def began_at(pid: int) -> float | None:
    """Return when the process that has this PID now started, in seconds since the epoch; None if none has.

    It goes by the clock as it is set now (proc(5): `starttime` counts ticks since boot, suspended time included).
    """
    if not LINUX:
        import psutil

        try:
            return float(psutil.Process(pid).create_time())
        except (psutil.Error, OSError):
            return None
    if not (start := start_of(pid)):
        return None
    since_boot_s = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return time.time() - since_boot_s + int(start) / os.sysconf("SC_CLK_TCK")


def is_running(pid: int, start: str) -> bool:
    """Return whether the process with this PID and start time is running; a zombie is not."""
    found = read(pid) if pid > 0 and start else None
    return found is not None and found.start == start and not found.zombie


def pids() -> list[int]:
    """Return the PIDs of all visible processes, the highest first: those are mostly the newest."""
    if LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()][::-1]
    return sorted(_psutil_pids(), reverse=True)


def began_before(one: str, other: str) -> bool:
    """Return whether a start time is earlier than another one; False if one of them is invalid."""
    try:
        return float(one) < float(other)
    except ValueError:
        return False


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with; empty if it cannot be read."""
    if LINUX:
        return _environ_proc(pid)
    import psutil

    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return {}


class OpenFile(NamedTuple):
    """The identity of a file that processes have open: device and inode, whatever its path is now.

    Both are 0 if the file no longer exists; then only the path is compared.
    """

    path: str
    device: int = 0
    inode: int = 0


def open_file(path: str) -> OpenFile:
    """Return the identity of the file that is at this path now."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return OpenFile(path)
    return OpenFile(path, found.st_dev, found.st_ino)


def writes_to(pid: int, file: OpenFile) -> bool:
    """Return whether stdout or stderr of a process is this file.

    Only those two descriptors count: `tail -f`, an editor or a pager has a log open on another one.
    """
    if LINUX:
        return any(_leads_to(f"/proc/{pid}/fd/{fd}", file) for fd in (1, 2))
    import psutil

    try:
        opened = psutil.Process(pid).open_files()
    except (psutil.Error, OSError):
        return False
    return any(one.fd in (1, 2) and _is_file(one.path, file) for one in opened)


def _leads_to(link: str, file: OpenFile) -> bool:
    """Return whether a link of proc(5) leads to a file; paths are compared only if it no longer exists."""
    if file.inode:
        return _is_file(link, file)
    return _link(link) in (file.path, f"{file.path} (deleted)")


def _is_file(path: str, file: OpenFile) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return bool(file.inode) and (found.st_dev, found.st_ino) == (file.device, file.inode)


def _read_proc(pid: int) -> Process | None:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    # The command name is in parentheses and may hold spaces and parentheses itself.
    fields = data[data.rindex(b")") + 2 :].split()
    state, ppid, pgid, sid = fields[0], *map(int, fields[1:4])
    return Process(pid, ppid, pgid, sid, fields[19].decode(), state in (b"Z", b"X"), state in (b"T", b"t"))


def _environ_proc(pid: int) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            data = file.read()
    except OSError:
        return {}
    pairs = (item.decode("utf-8", "surrogateescape").partition("=") for item in data.split(b"\0"))
    return {key: value for key, equals, value in pairs if equals}


def _read_psutil(pid: int) -> Process | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            state = process.status()
            known = Process(pid, process.ppid(), os.getpgid(pid), os.getsid(pid), f"{_start_psutil(process):.6f}")
            return known._replace(zombie=state == psutil.STATUS_ZOMBIE, stopped=state == psutil.STATUS_STOPPED)
    except (psutil.Error, OSError):
        return None


def _start_psutil(process: Any) -> float:
    """Return the start time of a process as the kernel stores it.

    The public `create_time` of psutil changes when the clock is set while psutil is loaded. The monotonic one (7.1
    and later) does not. In a process that loads psutil later both are equal, so either recorded value matches.
    """
    try:
        return float(process._proc.create_time(monotonic=True))
    except (AttributeError, TypeError):
        return float(process.create_time())


def _psutil_pids() -> list[int]:
    import psutil

    return psutil.pids()


def leave_caller() -> None:
    """Keep neither session nor streams nor directory of the caller. The session comes last: see `has_left`.

    Raises:
        OSError: no descriptor is free.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
    os.chdir("/")
    os.setsid()


def has_left(pid: int) -> bool:
    """Return whether a child has left this process with `leave_caller`, streams and all, or has ended."""
    try:
        return os.getsid(pid) != os.getsid(0)
    except OSError:
        return True
