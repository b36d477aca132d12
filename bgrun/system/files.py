"""Write whole files atomically, and never through a symbolic link.

Functions that are not documented to raise OSError raise `StorageError`, which has the path and a hint.
"""

from __future__ import annotations

import _thread
import os
import stat

from bgrun.errors import StorageError
from bgrun.light import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_MODE = 0o600
SCRIPT_MODE = 0o700
"""Scripts are executable for users; bgrun runs them with a shell anyway."""
_NEW = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HINTS = {
    "EACCES": "make it writable, or set another directory with `log_dir:` in the job file",
    "EPERM": "make it writable, or set another directory with `log_dir:` in the job file",
    "EROFS": "the file system is read-only; set another directory with `log_dir:` in the job file",
    "ENOENT": "create its parent directory, or set another one with `log_dir:` in the job file",
    "ENOSPC": "the disk is full; free some space (`bgrun prune` deletes old runs)",
    "EDQUOT": "the disk quota is used up; free some space (`bgrun prune` deletes old runs)",
    "ELOOP": "it is a symbolic link, which bgrun does not follow; remove it",
}


@contextmanager
def storage(path: str, doing: str) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise failure(path, doing, error) from error


def failure(path: str, doing: str, error: OSError) -> StorageError:
    """Return the error for a file or directory that cannot be used, with a hint for the usual causes."""
    from errno import errorcode  # the names of all errors: not on the way of a command that finds none

    return StorageError(f"cannot {doing} {path}: {error.strerror}", _HINTS.get(errorcode.get(error.errno or 0, ""), ""))


def create(path: str, flags: int = os.O_WRONLY, mode: int = FILE_MODE) -> int:
    """Create a file that must not exist and return its descriptor, which no child inherits.

    Raises:
        FileExistsError: the name is taken.
        OSError: any other failure.
    """
    fd = os.open(path, flags | _NEW, mode)
    try:
        if (given := stat.S_IMODE(os.fstat(fd).st_mode)) != mode:
            _set_mode(fd, given, mode)
    except OSError:
        os.close(fd)
        remove(path)
        raise
    if os.geteuid() == 0:
        _give_to_owner(fd, path)
    return fd


def _set_mode(fd: int, given: int, mode: int) -> None:
    """Give a file its mode whatever the umask is; where it has no modes, as on FAT, it must be its owner's alone."""
    try:
        os.fchmod(fd, mode)
    except PermissionError:
        if given & 0o077:
            raise


def _give_to_owner(fd: int, path: str) -> None:
    """Give a file that root creates to the owner of its directory, whose supervisor has to read it."""
    with suppress(OSError):
        directory = os.stat(os.path.dirname(path) or ".")
        if directory.st_uid:
            os.fchown(fd, directory.st_uid, directory.st_gid)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, with as many writes as necessary."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def replace(path: str, hidden: str, data: bytes, mode: int = FILE_MODE) -> None:
    """Replace a file atomically: readers see the old content or the new one, never a part.

    Args:
        path: the file.
        hidden: a name in the same directory for the new file until it is complete.
        data: the new content.
        mode: who may read, write and execute it (chmod(2)), whatever the umask.

    Raises:
        OSError: the old file is unchanged, and nothing is left of the new one.
    """
    _put(_write_hidden(hidden, data, mode), path)


def replace_recent(path: str, hidden: str, data: bytes) -> None:
    """Replace a file as `replace` does, one that was written a moment ago and will be replaced again in another one.

    The two files exchange their names (rename(2), RENAME_EXCHANGE) where that is possible. A file that is renamed over
    another one is written to the disk at once (ext4(5), auto_da_alloc), and whoever replaces it waits for that: 1 to
    10 ms, where the processes of a run take 2.

    Raises:
        OSError: the old file is unchanged, and nothing is left of the new one.
    """
    hidden = _write_hidden(hidden, data)
    if os.path.lexists(path) and _exchange(hidden, path):
        remove(hidden)
    else:
        _put(hidden, path)


def _put(hidden: str, path: str) -> None:
    """Give a new file its name, or remove it."""
    try:
        os.rename(hidden, path)
    except OSError:
        remove(hidden)
        raise


def _write_hidden(hidden: str, data: bytes, mode: int = FILE_MODE) -> str:
    """Write a new file, and return its name: another one where a directory is in its place.

    A part of it is removed again: on a full disk it would keep the last bytes that are free.
    """
    try:
        fd = create(hidden, mode=mode)
    except FileExistsError:
        if not remove(hidden):
            hidden = unique(hidden)  # it is a directory
        fd = create(hidden, mode=mode)
    try:
        write_all(fd, data)
    except OSError:
        remove(hidden)
        raise
    finally:
        os.close(fd)
    return hidden


def _exchange(one: str, other: str) -> bool:
    """Exchange the names of two files, atomically; return whether that was possible."""
    from bgrun.system import libc  # only supervisors replace such files

    renameat2 = libc.find("renameat2")
    if renameat2 is None:
        return False
    at_fdcwd, rename_exchange = -100, 2
    return renameat2(at_fdcwd, os.fsencode(one), at_fdcwd, os.fsencode(other), rename_exchange) == 0


def create_whole(path: str, hidden: str, data: bytes) -> bool:
    """Create a file with its content atomically, and return False if it exists: link(2) replaces nothing.

    Args:
        path: the file.
        hidden: a unique name in the same directory for the file until it is complete.
        data: the content.

    Raises:
        OSError: it cannot be written, or the file system has no hard links.
    """
    fd = create(hidden)
    try:
        write_all(fd, data)
        os.link(hidden, path)
    except FileExistsError:
        return False
    finally:
        os.close(fd)
        remove(hidden)
    return True


def unique(path: str) -> str:
    """Return a name next to `path` that no other process or thread uses now."""
    return f"{path}.{os.getpid()}.{_thread.get_ident()}"


def reserve(hidden: str, size: int) -> None:
    """Preallocate `size` bytes on disk, so that `commit` can write them when the disk is full."""
    fd = create(hidden)
    try:
        _allocate(fd, size)
        write_all(fd, b"\n" * size)
    finally:
        os.close(fd)


def _allocate(fd: int, size: int) -> None:
    """Allocate the blocks of a file now, if the system can.

    Otherwise ext4 allocates and writes them when the file replaces another one, which doubles the time of a `commit`
    and takes far longer on a busy disk (ext4(5), auto_da_alloc).
    """
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is None:
        return
    try:
        allocate(fd, 0, size)
    except OSError as error:
        from errno import EDQUOT, ENOSPC

        if error.errno in (ENOSPC, EDQUOT):
            raise


def commit(path: str, hidden: str, data: bytes) -> None:
    """Write `data` over the bytes that `reserve` preallocated and publish them under `path` by a rename.

    Raises:
        OSError: they were too few, or no longer exist and could not be written again. What could be written stays under
            the hidden name, where a reader finds an exit code.
    """
    fd, size = _open_reserve(hidden)
    if fd < 0:
        os.rename(_write_hidden(hidden, data), path)
        return
    try:
        write_all(fd, data)
        if size > len(data):
            os.ftruncate(fd, len(data))
    finally:
        os.close(fd)
    os.rename(hidden, path)


def _open_reserve(hidden: str) -> tuple[int, int]:
    """Return a descriptor of the preallocated file and its size; -1 if it is not a regular file."""
    try:
        fd = os.open(hidden, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1, 0
    found = os.fstat(fd)
    if stat.S_ISREG(found.st_mode):
        return fd, found.st_size
    os.close(fd)
    return -1, 0


def remove(path: str) -> bool:
    """Delete a file and return whether it existed; a directory is left alone."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True
