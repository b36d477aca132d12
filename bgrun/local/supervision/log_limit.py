"""Limit the disk space of a log while its job writes directly to it, without a pipe in between.

On Linux the middle of the file is given back to the file system (fallocate(2), FALLOC_FL_PUNCH_HOLE): head and tail
stay, and so does every offset.

When a log is checked: after `next_check_s` while it grows. Once it did not grow between two checks, the supervisor
asks the kernel to report the next write in the log directory (`WriteNotifier`, fcntl(2) F_NOTIFY) and sleeps without a
timer. That saves the 15 wake-ups a minute that checks of silent logs would take. One report means that any file of
the directory was written to; each silent log is then checked by the clock again. Where the kernel or the file system
has no F_NOTIFY (macOS, network file systems), every log is checked by the clock, at least once a minute.
"""

from __future__ import annotations

import fcntl
import os

from bgrun.system import process, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

BLOCK = 4096
FASTEST = 256 << 20
"""Bytes per second that a log is assumed to grow by at most, when the next check is planned."""
SHORTEST_S, LONGEST_S = 1.0, 60.0
_KEEP_SIZE, _PUNCH_HOLE = 1, 2
UNKNOWN = -1
"""The length of a log that was not checked, or may have been written to since."""
AFTER_A_WRITE = float("inf")
"""When to check a log that is not written to: once the kernel reports that it may have been."""


class LogLimiter:
    """Keeps the log of one run within its limit.

    check_at: when to check it next, on the steady clock. size: its length in bytes at the last check, or UNKNOWN.
    """

    def __init__(self, path: str, most: int, ask_for_writes: Callable[[], bool]) -> None:
        self._path = path
        self._most = most
        self._ask_for_writes = ask_for_writes
        self.check_at = 0.0
        self.size = UNKNOWN

    def begin(self, now: float) -> None:
        """Note its length, and check it for the first time in a moment."""
        self.size = reading.size(self._path)
        self.check_at = now + SHORTEST_S

    def check(self, now: float) -> bool:
        """Bring the log back within its limit; return False if the system cannot do that."""
        within = bound(self._path, self._most)
        if self._is_idle():
            self.check_at = AFTER_A_WRITE
        else:
            self.check_at = now + next_check_s(on_disk(self._path), self._most)
        return within

    def _is_idle(self) -> bool:
        """Return whether nothing was written since the last check, and the kernel will report the next write."""
        before, self.size = self.size, reading.size(self._path)
        # Once more after the asking: what was written in between is not reported.
        return before == self.size and self._ask_for_writes() and reading.size(self._path) == before

    def may_have_grown(self) -> None:
        """Check the log at once, which may be the one that was written to, and then by the clock until it is idle.

        So a neighbor that is written to all the time does not have this one checked as often.
        """
        if self.check_at == AFTER_A_WRITE:
            self.check_at, self.size = 0.0, UNKNOWN


class WriteNotifier:
    """Asks the kernel to report writes in one directory; see the module."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._fd = -1

    def arm(self) -> bool:
        """Have one SIGIO sent when any file of the directory is written to; return False where that is unsupported.

        SIGIO must be blocked, or it would kill this process (see `event_loop.Alarm`).
        """
        notify = getattr(fcntl, "F_NOTIFY", None)
        if notify is None:
            return False
        try:
            if self._fd < 0:
                self._fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.fcntl(self._fd, notify, getattr(fcntl, "DN_MODIFY", 0))
        except OSError:
            return False
        return True


def next_check_s(used: int, most: int) -> float:
    """Return after how many seconds a log that takes `used` bytes is checked again. Pure."""
    return min(max((most - used) / FASTEST, SHORTEST_S), LONGEST_S)


def hole(size: int, used: int, most: int) -> tuple[int, int]:
    """Return offset and length of what to remove from a log: (0, 0) within the limit. Pure.

    A quarter of the limit is kept at the head and half of it at the tail.
    """
    if used <= most:
        return 0, 0
    begin = (most // 4 + BLOCK - 1) // BLOCK * BLOCK
    end = (size - most // 2) // BLOCK * BLOCK
    return (begin, end - begin) if end > begin else (0, 0)


def on_disk(path: str) -> int:
    """Return the disk space of a file in bytes; 0 if it does not exist."""
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0


def bound(path: str, most: int) -> bool:
    """Bring a log back within its limit; return False where the system cannot do that."""
    used = on_disk(path)
    if used <= most:
        return True
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        offset, length = hole(os.fstat(fd).st_size, used, most)
        return not length or _punch(fd, offset, length)
    finally:
        os.close(fd)


def _punch(fd: int, offset: int, length: int) -> bool:
    fallocate = _fallocate()
    return fallocate is not None and fallocate(fd, _KEEP_SIZE | _PUNCH_HOLE, offset, length) == 0


def _fallocate() -> Any:
    if not process.LINUX:
        return None
    try:
        import ctypes
    except ImportError:  # the interpreter was removed since
        return None
    libc = ctypes.CDLL(None)
    found = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if found is not None:
        found.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return found
