"""Tell which files a run wrote, and copy them.

The files that exist before the job starts are noted first: a file that has not changed since is an earlier run's,
whatever the resolution of the file system's clock. Loaded only for jobs that declare reports or outputs.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.local.recording import globs
from bgrun.system import files, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_FILES = 2000
"""How many files are noted before a run, at most."""
FIND_S, TAKE_S = 0.5, 2.0
"""How many seconds finding files may take before a run, and copying them after it."""
CLOCK_SLACK_S = 2.0
"""How many seconds the times of a file system may lag behind (FAT counts in steps of two seconds)."""
_TICK_S = 0.02
_BLOCK = 1 << 18


class Before(NamedTuple):
    """The files that matched before a run began.

    began: when they were noted, in epoch seconds.
    seen: the signature of each, which changes when it is written.
    complete: all of them were noted in time; otherwise only modification times are compared.
    place: device and inode of the job's directory.
    """

    began: float
    seen: dict[str, tuple[int, ...]]
    complete: bool
    place: tuple[int, ...] = ()

    def is_older(self, directory: str, path: str) -> bool:
        """Return whether a file was not written by the run: it has not changed since, or was written before that."""
        try:
            found = os.lstat(path)
        except OSError:
            return True
        if self.seen.get(name(directory, path)) == signature(found):
            return True
        slack_s = CLOCK_SLACK_S if self.complete else _TICK_S
        return found.st_mtime < self.began - slack_s


def note(directory: str, patterns: Iterable[str]) -> Before:
    """Note which files in a directory match before a run begins."""
    began = time.time()
    until = time.monotonic() + FIND_S
    seen: dict[str, tuple[int, ...]] = {}
    where = place(directory)
    for path in _matching(directory, patterns, until):
        if len(seen) >= MOST_FILES:
            return Before(time.time(), seen, False, where)
        with suppress(OSError):
            seen[name(directory, path)] = signature(os.lstat(path))
    complete = time.monotonic() < until
    return Before(began if complete else time.time(), seen, complete, where)


def _matching(directory: str, patterns: Iterable[str], until: float) -> Iterator[str]:
    for pattern in patterns:
        yield from globs.matching(directory, pattern, until)


def name(directory: str, path: str) -> str:
    """Return the path of a file relative to the job's directory, which may have been renamed."""
    return path.removeprefix(f"{directory}/")


def place(directory: str) -> tuple[int, ...]:
    """Return the device and inode of a directory, empty if it does not exist."""
    try:
        found = os.stat(directory)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino)


def signature(found: os.stat_result) -> tuple[int, ...]:
    """Return what changes when a file is written or replaced."""
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)


def copy(path: str, target: str, room: int, most: int, until: float) -> int:
    """Copy a file as long as it is now, with its time, and return its size.

    Args:
        path: the file.
        target: where to.
        room: how many bytes are left for it.
        most: how many there were for all files.
        until: the time limit, on the monotonic clock.

    Raises:
        StorageError: it is no regular file, cannot be read, is too large, or takes too long.
        OSError: the copy cannot be written.
    """
    try:
        source = reading.open_regular(path)
    except FileNotFoundError as error:
        raise StorageError(f"{path} was removed as the run finished") from error
    try:
        found = os.fstat(source)
        if (size := found.st_size) > room:
            raise StorageError(f"{path} exceeds the limit of {most >> 20} MiB")
        fd = files.create(target)
        try:
            _copy_bytes(source, fd, path, size, until)
            os.utime(fd, ns=(found.st_atime_ns, found.st_mtime_ns))  # shows which run wrote it: see `logs.reports`
        finally:
            os.close(fd)
    except StorageError:
        files.remove(target)
        raise
    finally:
        os.close(source)
    return size


def _copy_bytes(source: int, target: int, path: str, size: int, until: float) -> None:
    while size > 0:
        if time.monotonic() >= until:
            raise StorageError(f"{path} could not be copied within {TAKE_S:g} s")
        try:
            data = os.read(source, min(size, _BLOCK))
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}") from error
        if not data:
            return
        files.write_all(target, data)
        size -= len(data)
