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

    def read(self, name: str, most: int | None = None) -> bytes | None:
        """Return an entry, or `most` bytes of it, or None if there is none that can be trusted."""
        with suppress(OSError, StorageError):
            fd = reading.open_regular(f"{self.directory}/{name}")
            try:
                found = os.fstat(fd)
                if found.st_uid == os.geteuid() and not found.st_mode & 0o022 and found.st_size <= _MOST:
                    return os.read(fd, min(found.st_size, most or _MOST))
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

    def names(self, prefix: str) -> list[str]:
        """Return the names of the entries with this prefix."""
        with suppress(OSError):
            return [name for name in os.listdir(self.directory) if name.startswith(prefix)]
        return []

    def remove(self, name: str) -> None:
        """Delete an entry."""
        files.remove(f"{self.directory}/{name}")
