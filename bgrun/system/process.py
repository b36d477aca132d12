"""What the kernel says of a process, and whether it is still the one that was recorded.

A bare pid proves nothing, since pids are used again. A process is named by its pid, its start time
and the boot it lives in. On Linux this reads `/proc` (proc(5)); elsewhere it asks psutil.
"""

from __future__ import annotations

import os
import sys
import time

from bgrun.light import NamedTuple, signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_NUMBERS: dict[str, int] = {
    name: int(getattr(signal, name))
    for name in sorted(dir(signal))
    if name.startswith("SIG") and name.isalnum() and name.isupper()
}


def number_of(name: str) -> int:
    """Return the number of a signal; that of SIGTERM where this system has none of that name."""
    return _NUMBERS.get(name, int(signal.SIGTERM))


def name_of(number: int) -> str | None:
    """Return the name of a signal, of several the first in the alphabet; None where it is none."""
    return next((name for name, own in _NUMBERS.items() if own == number), None)


LINUX = sys.platform.startswith("linux")
CLOCK_STEP_S = 300
"""How far the time of a boot may have moved with the clock that it is told by."""


class Process(NamedTuple):
    """One process as a snapshot saw it; `start` with `pid` names it as long as the machine is up."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    start: str
    zombie: bool = False
    stopped: bool = False

    @property
    def key(self) -> tuple[int, str]:
        """What names it, whatever state it is in."""
        return self.pid, self.start


def boot_id() -> str:
    """Return what changes with each boot of the machine and with nothing else.

    On macOS the UUID of the boot session. Where there is none, the time of the boot, which moves when the clock is set.
    """
    if LINUX:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode().strip()
    return _sysctl("kern.bootsessionuuid") or str(_boot_time())


def pid_namespace() -> str:
    """Return what names the PID namespace of this process (pid_namespaces(7)); '' where there are none."""
    return _link("/proc/self/ns/pid") if LINUX else ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def is_this_boot(recorded: str) -> bool:
    """Return whether a boot ID that was recorded is that of the machine now.

    Older versions recorded the time of the boot off Linux: one a few minutes away from it is still this boot's.
    """
    if recorded == boot_id():
        return True
    is_time = not LINUX and recorded.isascii() and recorded.isdigit() and len(recorded) < 19
    return is_time and abs(int(recorded) - _boot_time()) <= CLOCK_STEP_S


def _boot_time() -> int:
    """Return when the machine was booted by its clock, in seconds since the epoch (sysctl(3), kern.boottime)."""
    import psutil

    return int(psutil.boot_time())


def _sysctl(name: str) -> str:
    """Return a short text that the kernel knows by name (sysctl(3)); '' where there is none.

    Through ctypes: psutil, which has no such function, takes longer to load than all else in a start.
    """
    import ctypes

    text, size = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
    try:
        failed = ctypes.CDLL(None).sysctlbyname(name.encode(), text, ctypes.byref(size), None, ctypes.c_size_t(0))
    except (AttributeError, OSError):
        return ""
    return "" if failed else text.value.decode("ascii", "replace")


def look(pid: int) -> Process | None:
    """Return the process that has this pid now, or None."""
    return _look_proc(pid) if LINUX else _look_psutil(pid)


def start_of(pid: int) -> str:
    """Return the start time of the process that has this pid now, in the kernel's own unit; '' if none."""
    found = look(pid)
    return found.start if found else ""


def began_at(pid: int) -> float | None:
    """Return when the process that has this pid now began, in seconds since the epoch; None where there is none.

    By the clock as it is set now (proc(5): `starttime` counts ticks since boot, suspended time included).
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
    """Return whether that very process still runs; a zombie does not."""
    found = look(pid) if pid > 0 and start else None
    return found is not None and found.start == start and not found.zombie


def pids() -> list[int]:
    """Return the pids of all processes that can be seen, the highest first: those are mostly the newest."""
    if LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()][::-1]
    return sorted(_psutil_pids(), reverse=True)


def began_before(one: str, other: str) -> bool:
    """Return whether a start time is earlier than another one; False where one of them is no start time."""
    try:
        return float(one) < float(other)
    except ValueError:
        return False


def environment_of(pid: int) -> dict[str, str]:
    """Return the environment that a process was started with; empty where it may not be read."""
    if LINUX:
        return _environ_proc(pid)
    import psutil

    try:
        return dict(psutil.Process(pid).environ())
    except (psutil.Error, OSError):
        return {}


class OpenFile(NamedTuple):
    """A file as it is known to whoever has it open: device and inode, whatever path leads to it now.

    Where the file is gone both are 0, and only its path can tell.
    """

    path: str
    device: int = 0
    inode: int = 0


def open_file(path: str) -> OpenFile:
    """Return a file as those who have it open are to be recognized by."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return OpenFile(path)
    return OpenFile(path, found.st_dev, found.st_ino)


def writes_to(pid: int, file: OpenFile) -> bool:
    """Return whether stdout or stderr of a process goes to this file.

    Those two descriptors only: `tail -f`, an editor or a pager has a log open on another one.
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
    """Return whether a link of proc(5) leads to a file; a path is only asked where the file is gone."""
    if file.inode:
        return _is_file(link, file)
    return _link(link) in (file.path, f"{file.path} (deleted)")


def _is_file(path: str, file: OpenFile) -> bool:
    try:
        found = os.stat(path)
    except OSError:
        return False
    return bool(file.inode) and (found.st_dev, found.st_ino) == (file.device, file.inode)


def _look_proc(pid: int) -> Process | None:
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


def _look_psutil(pid: int) -> Process | None:
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
    """Return the start of a process as the kernel keeps it.

    What psutil tells by itself it moves along when the clock is set, in a process that has it loaded by then.
    What it identifies processes by (7.1 and later) stays; both are the same to a process that loads it anew, so
    a start that was recorded as the other one still matches.
    """
    try:
        return float(process._proc.create_time(monotonic=True))
    except (AttributeError, TypeError):
        return float(process.create_time())


def _psutil_pids() -> list[int]:
    import psutil

    return psutil.pids()
