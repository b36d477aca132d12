"""Read the entry `names` of the cache, which has the names of all runs, and say whether it may be used or written."""

from __future__ import annotations

import os
import time

from bgrun import codec
from bgrun.system import changes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.store.store import Store

QUIET_S, LOCAL_QUIET_S = 2.0, 0.05
"""The seconds for which a directory must be unchanged before its names are cached: two changes within the resolution of
the file system's clock (2 s at worst, on FAT; 10 ms on Linux) leave the same time."""


_NAMES, VERSION = "names", "names-6"


HEAD_BYTES = 1 << 15
"""How much of the entry is read first: in most projects the newest run of each label, and the unfinished ones."""


_CHECKSUM = len(codec.mark(b""))


def mark_of(store: Store) -> tuple[str, str]:
    """Return when a name in the directory changed last, which no user can set back, and which directory it is."""
    found = os.stat(store.log_dir)
    return str(found.st_ctime_ns), f"{found.st_dev}:{found.st_ino}"


def is_quiet(store: Store) -> bool:
    """Return whether the directory was at rest for so long that another change leaves another time."""
    found = os.stat(store.log_dir)
    rest_s = time.time() - found.st_mtime
    is_fine = rest_s > LOCAL_QUIET_S and not changes.is_coarse(found.st_ctime_ns)
    return rest_s > QUIET_S or (is_fine and changes.can_follow(store.log_dir))


def read(store: Store, *, head: bool) -> list[str]:
    """Return mark, times and the names of the entry; of all runs some if that is the `head` of it."""
    data = store.cache.read(_NAMES, HEAD_BYTES if head else None) or b""
    if head and data.count(b"\0") < 4:
        data = store.cache.read(_NAMES) or b""
    begin = data.find(b"\0") + 1
    line, blocks = data[: max(begin - 1, 0)], memoryview(data)[begin:]  # each copy of them takes memory of its own
    mark, checksums = line[: -2 * _CHECKSUM], line[-2 * _CHECKSUM :]
    own = checksums[:_CHECKSUM] if len(data) == HEAD_BYTES else checksums[_CHECKSUM:]
    if codec.mark(blocks).encode() != own:
        return [""]
    text = str(blocks[: data.rfind(b"\n") + 1 - begin], "utf-8", "surrogateescape")
    return [mark.decode().rstrip(" "), *text.split("\0")]


def write(store: Store, mark: str, blocks: Iterable[str]) -> None:
    """Write the entry with these blocks; `mark`: which directory it is of, its time of change, and the time of now."""
    data = "\0".join(blocks).encode("utf-8", "surrogateescape")
    store.cache.write(_NAMES, sealed(f"{VERSION} {mark}", data))


def sealed(mark: str, blocks: bytes) -> bytes:
    """Return an entry whose mark has two checksums: of what is read first of a large one, and of all.

    Without them runs would be missed of which the names were lost.
    """
    begin = len(mark) + 1 + 2 * _CHECKSUM + 1
    checksums = codec.mark(blocks[: HEAD_BYTES - begin]), codec.mark(blocks)
    return f"{mark} {checksums[0]}{checksums[1]}".encode() + b"\0" + blocks
