"""What is kept beside the runs only to save time: `.logs/.cache/`, which anybody may remove at any moment.

What is read from it has to say itself what it was made from, and is used only while that is still so. A
file that another user could have written is none.
"""

from __future__ import annotations

import os

from bgrun.errors import StorageError
from bgrun.light import suppress
from bgrun.system import files

_MOST = 64 << 20


class Cache:
    """The cache of a log directory."""

    __slots__ = ("_log_dir",)

    def __init__(self, log_dir: str) -> None:
        self._log_dir = log_dir

    @property
    def folder(self) -> str:
        """The directory of the cache."""
        return f"{self._log_dir}/.cache"

    def read(self, name: str) -> bytes | None:
        """Return what was kept under a name, or None where there is nothing that can be trusted."""
        with suppress(OSError, StorageError):
            fd = files.open_regular(f"{self.folder}/{name}")
            try:
                found = os.fstat(fd)
                if found.st_uid == os.geteuid() and not found.st_mode & 0o022 and found.st_size <= _MOST:
                    return os.read(fd, found.st_size)
            finally:
                os.close(fd)
        return None

    def write(self, name: str, data: bytes) -> None:
        """Keep bytes under a name; where that cannot be, or nothing ran yet, it is done without."""
        with suppress(OSError, StorageError):
            if path := self._place(name):
                files.replace(path, files.unique(path), data)

    def _place(self, name: str) -> str:
        """Return the path under which something may be kept, or '' where nothing ran yet.

        Raises:
            StorageError: nothing can be kept here.
        """
        if not os.path.isdir(f"{self._log_dir}/jobs") or not files.check_log_dir(self._log_dir):
            return ""
        if os.stat(self._log_dir).st_uid != os.geteuid():
            return ""  # root looks at somebody's runs
        files.ensure_folder(self.folder)
        return f"{self.folder}/{name}"

    def read_word(self, name: str) -> str:
        """Return a word that was kept, or '' where there is none that can be trusted."""
        path = f"{self.folder}/{name}"
        with suppress(OSError):
            return os.readlink(path) if os.lstat(path).st_uid == os.geteuid() else ""
        return ""

    def write_word(self, name: str, word: str) -> bool:
        """Keep a word, and return whether that could be; as what a symbolic link says.

        One takes the place of another in a quarter of a file's time.

        A file has blocks on disk to be chosen, written and given back for it (ext4(5), auto_da_alloc).
        """
        with suppress(OSError, StorageError):
            if path := self._place(name):
                hidden = files.unique(path)
                os.symlink(word, hidden)
                os.rename(hidden, path)
                return True
        return False

    def open_lock(self, name: str) -> int:
        """Open a file to lock, which holds nothing, and return its descriptor, or -1 where nothing can be kept."""
        with suppress(OSError, StorageError):
            if path := self._place(name):
                return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, files.FILE_MODE)
        return -1

    def is_open(self, name: str, fd: int) -> bool:
        """Return whether a file that was opened is still the one of this name: somebody may have removed it."""
        with suppress(OSError):
            return os.path.samestat(os.fstat(fd), os.lstat(f"{self.folder}/{name}"))
        return False

    def names(self, prefix: str) -> list[str]:
        """Return the names that begin like this under which something is kept."""
        with suppress(OSError):
            return [name for name in os.listdir(self.folder) if name.startswith(prefix)]
        return []

    def remove(self, name: str) -> None:
        """Let go of what is kept under a name."""
        files.remove(f"{self.folder}/{name}")
