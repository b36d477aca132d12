"""Identify this boot of the machine: a PID and a start time mean a process of one boot alone."""

from __future__ import annotations

from bgrun.errors import StorageError
from bgrun.system import process

_BOOT_ID, _STAT = "/proc/sys/kernel/random/boot_id", "/proc/stat"
CLOCK_STEP_S = 300
"""By how many seconds a recorded boot time may differ: it moves when the clock is set."""


def boot_id() -> str:
    """Return an ID of this boot of the machine.

    On macOS it is the UUID of the boot session. Without one it is the boot time, which moves when the clock is set:
    some sandboxes on Linux tell nothing else.

    Raises:
        StorageError: proc(5) is missing.
    """
    if process.LINUX:
        try:
            with open(_BOOT_ID, "rb", buffering=0) as file:
                return file.read(64).decode().strip()
        except OSError:
            return str(_boot_time())
    return _sysctl("kern.bootsessionuuid") or str(_boot_time())


def is_this_boot(recorded: str) -> bool:
    """Return whether a recorded boot ID is the present one.

    Off Linux older versions recorded the boot time; it matches within `CLOCK_STEP_S`.
    """
    now = boot_id()
    if recorded == now:
        return True
    is_time = _is_time(recorded) and (not process.LINUX or _is_time(now))
    return is_time and abs(int(recorded) - _boot_time()) <= CLOCK_STEP_S


def _is_time(recorded: str) -> bool:
    return recorded.isascii() and recorded.isdigit() and len(recorded) < 19


def _boot_time() -> int:
    """Return when the machine was booted, in seconds since the epoch by its clock (sysctl(3), kern.boottime).

    Raises:
        StorageError: proc(5) is missing.
    """
    if process.LINUX:
        return _boot_time_of(_STAT)
    import psutil

    return int(psutil.boot_time())


def _boot_time_of(path: str) -> int:
    """Return the time in the line `btime` of proc_stat(5)."""
    try:
        with open(path, "rb") as file:
            return int(next(line for line in file if line.startswith(b"btime ")).split()[1])
    except (OSError, StopIteration, ValueError):
        raise StorageError(f"cannot read {path}", "mount proc(5): mount -t proc proc /proc") from None


def _sysctl(name: str) -> str:
    """Return a short string from sysctl(3), or ''.

    It uses ctypes: psutil has no such function.
    """
    import ctypes

    text, size = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
    try:
        failed = ctypes.CDLL(None).sysctlbyname(name.encode(), text, ctypes.byref(size), None, ctypes.c_size_t(0))
    except (AttributeError, OSError):
        return ""
    return "" if failed else text.value.decode("ascii", "replace")
