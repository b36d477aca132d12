"""Read files that other users or programs may have put in place: never a link, a pipe or more than is allowed.

Functions that are not documented to raise OSError raise `StorageError`, which has the path and a hint.
"""

from __future__ import annotations

import os
import stat

from bgrun.errors import StorageError
from bgrun.light import contextmanager
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 8 << 10


def read(path: str, most: int) -> bytes | None:
    """Return the whole content of a file, or None if it does not exist.

    Raises:
        StorageError: it is a symbolic link or no regular file, larger than `most` bytes, or cannot be read.
    """
    found = read_with_stat(path, most)
    return found[0] if found else None


def read_with_stat(path: str, most: int) -> tuple[bytes, os.stat_result] | None:
    """Return the same with what the system said of the file before it was read.

    Raises:
        StorageError: it is a symbolic link or no regular file, larger than `most` bytes, or cannot be read.
    """
    try:
        fd, found = _open(path)  # what is said of it first: if it is written to meanwhile, the content is newer
    except FileNotFoundError:
        return None
    try:
        return _read(fd, path, found.st_size, most), found
    finally:
        os.close(fd)


def read_bounded(path: str, most: int) -> bytes:
    """Return the content of a regular file that a user named, or one byte more than `most` of it.

    Symbolic links are followed. Neither a pipe, which might never be written to, nor a device is opened.

    Raises:
        OSError: it is no regular file, or cannot be read.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        from errno import EINVAL

        raise OSError(EINVAL, "not a regular file", path)
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Not more than a file can have, of which each read reserves memory; some in /proc have more than their size.
        parts, left, ask = [], most + 1, found.st_size + _BLOCK
        while left > 0 and (part := os.read(fd, min(left, ask))):
            parts.append(part)
            left -= len(part)
            ask = _BLOCK
    finally:
        os.close(fd)
    return b"".join(parts)


def head(path: str, most: int) -> bytes | None:
    """Return the first `most` bytes of a file, or None if it does not exist.

    Raises:
        StorageError: it is a symbolic link or no regular file, or cannot be read.
    """
    with _opened(path) as fd, files.storage(path, "read"):
        return None if fd is None else os.read(fd, most)


def is_trusted(path: str) -> bool:
    """Return whether a script may be executed: it belongs to this user or to root, or does not exist."""
    try:
        return os.lstat(path).st_uid in (os.geteuid(), 0)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def read_own(path: str, owner: int, most: int = 1 << 20) -> bytes | None:
    """Return the content of a file that only `owner` can have written; None for any other file.

    Raises:
        StorageError: it is a symbolic link or no regular file, larger than `most` bytes, or cannot be read.
    """
    with _opened(path) as fd:
        if fd is None:
            return None
        found = os.fstat(fd)
        return _read(fd, path, found.st_size, most) if found.st_uid == owner and not found.st_mode & 0o022 else None


def owner(path: str) -> int:
    """Return the user ID of the owner of a file; -1 if it does not exist."""
    try:
        return os.lstat(path).st_uid
    except OSError:
        return -1


def open_regular(path: str) -> int:
    """Open an existing regular file for reading: no symbolic link, and no pipe, which would block.

    Raises:
        FileNotFoundError: it does not exist.
        StorageError: it is no regular file, or cannot be read.
    """
    return _open(path)[0]


def _open(path: str) -> tuple[int, os.stat_result]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise files.failure(path, "read", error) from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        os.close(fd)
        raise StorageError(f"{path} is not a regular file", "move it away")
    return fd, found


def size(path: str) -> int:
    """Return the bytes of a file; 0 if it does not exist."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def modified(path: str) -> float:
    """Return when a file was last written, in seconds since the epoch; GONE if it does not exist."""
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return GONE


GONE = float("inf")
"""When a file was last written that does not exist."""


@contextmanager
def _opened(path: str) -> Iterator[int | None]:
    """Open an existing regular file as `open_regular` does, for one block; None if it does not exist."""
    try:
        fd = open_regular(path)
    except FileNotFoundError:
        yield None
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _read(fd: int, path: str, size: int, most: int) -> bytes:
    if size > most:
        raise StorageError(f"{path} is larger than {most} bytes", "move it away, or make it smaller")
    try:
        return os.read(fd, size)
    except OSError as error:
        raise files.failure(path, "read", error) from error
