"""What is kept beside the runs only to save time: `.logs/.cache/`, which anybody may remove at any moment.

What is read from it has to say itself what it was made from, and is used only while that is still so. A
file that another user could have written is none.
"""

from __future__ import annotations

import os

from bgrun.errors import StorageError
from bgrun.lean import suppress
from bgrun.runs import files

_MOST = 64 << 20


def folder(log_dir: str) -> str:
    """Return the folder of a log folder's cache."""
    return f"{log_dir}/.cache"


def read(log_dir: str, name: str) -> bytes | None:
    """Return what was kept under a name, or None where there is nothing that can be trusted."""
    with suppress(OSError, StorageError):
        fd = files.open_regular(f"{folder(log_dir)}/{name}")
        try:
            found = os.fstat(fd)
            if found.st_uid == os.geteuid() and not found.st_mode & 0o022 and found.st_size <= _MOST:
                return os.read(fd, found.st_size)
        finally:
            os.close(fd)
    return None


def write(log_dir: str, name: str, data: bytes) -> None:
    """Keep bytes under a name; where that cannot be, or nothing ran yet, it is done without."""
    path = f"{folder(log_dir)}/{name}"
    with suppress(OSError, StorageError):
        if not os.path.isdir(f"{log_dir}/jobs") or not files.check_log_dir(log_dir):
            return
        files.ensure_folder(folder(log_dir))
        files.replace(path, files.unique(path), data)


def names(log_dir: str, prefix: str) -> list[str]:
    """Return the names that begin like this under which something is kept."""
    with suppress(OSError):
        return [name for name in os.listdir(folder(log_dir)) if name.startswith(prefix)]
    return []


def remove(log_dir: str, name: str) -> None:
    """Let go of what is kept under a name."""
    files.remove(f"{folder(log_dir)}/{name}")
