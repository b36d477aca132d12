"""Bounding what a runaway log takes on disk, while the job writes on and no pipe is in between.

On Linux the middle of the file is given back to the disk (fallocate(2), FALLOC_FL_PUNCH_HOLE): the
head and the tail stay, and so does every offset.
"""

from __future__ import annotations

import fcntl
import os

from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class LogWatch:
    """What is written in one folder (fcntl(2), F_NOTIFY): Linux has it, unless it was built without."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._fd = -1

    def ask(self) -> bool:
        """Ask for one SIGIO when any file of the folder is written to; return False where that is not to be had.

        Whoever asks has SIGIO blocked, which would end this process otherwise (see `event_loop.Alarm`).
        """
        asked = getattr(fcntl, "F_NOTIFY", None)
        if asked is None:
            return False
        try:
            if self._fd < 0:
                self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.fcntl(self._fd, asked, getattr(fcntl, "DN_MODIFY", 0))
        except OSError:
            return False
        return True


BLOCK = 4096
FASTEST = 256 << 20
"""Bytes per second that a log is taken to grow by at most, when the next look is planned."""
SHORTEST_S, LONGEST_S = 1.0, 60.0
_KEEP_SIZE, _PUNCH_HOLE = 1, 2


def next_look_s(used: int, most: int) -> float:
    """Return after how many seconds a log of `used` bytes has to be looked at again; pure."""
    return min(max((most - used) / FASTEST, SHORTEST_S), LONGEST_S)


def hole(size: int, used: int, most: int) -> tuple[int, int]:
    """Return offset and length of what to drop from a log: nothing (0, 0) within the bound; pure.

    A quarter of the bound is kept at the head and half of it at the tail.
    """
    if used <= most:
        return 0, 0
    begin = (most // 4 + BLOCK - 1) // BLOCK * BLOCK
    end = (size - most // 2) // BLOCK * BLOCK
    return (begin, end - begin) if end > begin else (0, 0)


def size(path: str) -> int:
    """Return the length of a file in bytes; 0 where there is none."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def on_disk(path: str) -> int:
    """Return the bytes that a file takes on disk; 0 where there is none."""
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0


def bound(path: str, most: int) -> bool:
    """Bring a log back within its bound; return False where the system cannot do that."""
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
    except ImportError:  # the interpreter was removed meanwhile
        return None
    libc = ctypes.CDLL(None)
    found = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if found is not None:
        found.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return found
