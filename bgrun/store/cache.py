"""Store cache entries in `.logs/.cache/`, which a user may delete at any time.

Each entry has to identify its inputs: its reader checks whether they are unchanged. An entry that another user can have
written is ignored. A failure to write is ignored.
"""

from __future__ import annotations

import os

from bgrun.errors import StorageError
from bgrun.light import suppress
from bgrun.system import directories, files, reading

_MOST = 64 << 20


class Cache:
    """The cache of a log directory."""

    __slots__ = ("_log_dir",)

    def __init__(self, log_dir: str) -> None:
        self._log_dir = log_dir

    @property
    def directory(self) -> str:
        """The directory of the cache."""
        return f"{self._log_dir}/.cache"

    def read(self, name: str) -> bytes | None:
        """Return an entry, or None if there is none that can be trusted."""
        with suppress(OSError, StorageError):
            fd = reading.open_regular(f"{self.directory}/{name}")
            try:
                found = os.fstat(fd)
                if found.st_uid == os.geteuid() and not found.st_mode & 0o022 and found.st_size <= _MOST:
                    return os.read(fd, found.st_size)
            finally:
                os.close(fd)
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write an entry, if the log directory has runs and belongs to this user."""
        with suppress(OSError, StorageError):
            if path := self._place(name):
                files.replace(path, files.unique(path), data)

    def _place(self, name: str) -> str:
        """Return the path of an entry, or '' if none may be written.

        Raises:
            StorageError: the directory of the cache cannot be used.
        """
        if not os.path.isdir(f"{self._log_dir}/jobs") or not directories.check_log_dir(self._log_dir):
            return ""
        if os.stat(self._log_dir).st_uid != os.geteuid():
            return ""  # root reads the runs of a user
        directories.ensure(self.directory)
        return f"{self.directory}/{name}"

    def read_link(self, name: str) -> str:
        """Return a short text stored as the target of a symbolic link, or '' if there is none that can be trusted."""
        path = f"{self.directory}/{name}"
        with suppress(OSError):
            return os.readlink(path) if os.lstat(path).st_uid == os.geteuid() else ""
        return ""

    def write_link(self, name: str, text: str) -> bool:
        """Store a short text as the target of a symbolic link, and return whether that succeeded.

        Replacing a symbolic link is four times faster than replacing a file: no blocks are allocated (ext4(5),
        auto_da_alloc).
        """
        with suppress(OSError, StorageError):
            if path := self._place(name):
                hidden = files.unique(path)
                os.symlink(text, hidden)
                os.rename(hidden, path)
                return True
        return False

    def open_lock(self, name: str) -> int:
        """Open an empty file to lock, and return its descriptor, or -1 if it cannot be written."""
        with suppress(OSError, StorageError):
            if path := self._place(name):
                return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, files.FILE_MODE)
        return -1

    def is_open(self, name: str, fd: int) -> bool:
        """Return whether an open file still has this name: a user may have deleted it."""
        with suppress(OSError):
            return os.path.samestat(os.fstat(fd), os.lstat(f"{self.directory}/{name}"))
        return False

    def names(self, prefix: str) -> list[str]:
        """Return the names of the entries with this prefix."""
        with suppress(OSError):
            return [name for name in os.listdir(self.directory) if name.startswith(prefix)]
        return []

    def remove(self, name: str) -> None:
        """Delete an entry."""
        files.remove(f"{self.directory}/{name}")
