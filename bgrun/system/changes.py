"""Record what each change of a large directory belongs to, so that it need not be listed again after it.

The file `changes` in its `.cache/` has a line for each time that bgrun creates, renames or deletes files of a run: the
run ID, and the time of change (ctime) of the directory before and after. If these lines lead from one time to another
without a gap, nothing changed in between but the runs they name. Whatever else changes the directory leaves a gap:
another program, a process that was killed on the way, a line that could not be written. Then it is listed, as without
the lines.

Before Linux 6.13 all changes between two ticks of the clock have the same time, for up to 10 ms: so a change of ours
has a line even if it left the time as it was. What lines cannot show is a change by another program in the very
milliseconds of one of ours, or in the same tick. So the names are listed anew now and then (see `store.index`).

Nobody waits for anybody: lines are appended without a lock, and the process that lists the names replaces the file, so
that a line that is lost on the way is a gap, too.
"""

from __future__ import annotations

import os
import stat

from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

ENTRY = "changes"
MOST_BYTES = 1 << 17
"""The size from which on nothing is appended: there was no look at the names for a thousand runs."""
_COARSE_NS = 1_000_000
"""Times that are multiples of this come from a clock that is too coarse to tell two changes apart."""
_LOCAL = frozenset(("bcachefs", "btrfs", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"))
"""File systems whose times show each change at once; on those of a network another host may have made one."""


class Change:
    """A context in which files of a run are created, renamed or deleted in a directory."""

    __slots__ = ("_before", "_directory", "_run_id")

    def __init__(self, directory: str, run_id: str) -> None:
        self._directory = directory
        self._run_id = run_id
        self._before = -1

    def __enter__(self) -> None:
        """Note the time before."""
        with suppress(OSError):
            self._before = os.stat(self._directory).st_ctime_ns

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Append the line, if the file exists; what cannot be written is a gap."""
        with suppress(OSError):
            flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            fd = os.open(f"{self._directory}/.cache/{ENTRY}", flags)
            try:
                self._append(fd)
            finally:
                os.close(fd)

    def _append(self, fd: int) -> None:
        found, directory = os.fstat(fd), os.stat(self._directory)
        is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == directory.st_uid == os.geteuid()
        if is_ours and self._before >= 0 and found.st_size < MOST_BYTES:
            os.write(fd, b"%s %d %d\n" % (os.fsencode(self._run_id), self._before, directory.st_ctime_ns))


def since(data: bytes | None, begun: int, now: int) -> list[str] | None:
    """Return the runs that changed between two times of the directory; None if anything else may have changed. Pure.

    Lines may overlap: several processes change the directory at the same time, and each says from when to when. One
    that leads over the first of the two times is a gap: a clock may have been set back, and have caught up since.

    Args:
        data: the content of the file, None if it does not exist.
        begun: the time of change when the names were listed.
        now: that of now.
    """
    if begun == now:
        return []
    if data is None or not data.endswith(b"\n") or is_coarse(now):
        return None
    found: dict[str, None] = {}
    reached = begun
    try:
        parts = [line.split(" ") for line in data.decode("utf-8", "surrogateescape").split("\n")[:-1]]
        lines = sorted((int(before), int(after), run_id) for run_id, before, after in parts)
    except ValueError:
        return None  # two hosts wrote at the same place, or the disk was full
    for before, after, run_id in lines:
        if after < before:
            return None  # the clock was set back
        if after > begun:
            if not begun <= before <= reached or not run_id.isprintable():
                return None
            reached = max(reached, after)
            found[run_id] = None
    return list(found) if reached == now else None


def is_coarse(time_ns: int) -> bool:
    """Return whether a time may come from a clock that is too coarse to tell two changes apart."""
    return time_ns % _COARSE_NS == 0


def can_follow(directory: str) -> bool:
    """Return whether each change of a directory shows in its times at once: on a local file system of Linux."""
    kinds: dict[str, str] = {}
    with suppress(OSError, UnicodeDecodeError), open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            mounted, _, rest = line.partition(" - ")
            kinds[mounted.split()[4].rstrip("/")] = rest.split()[0]
    above = os.path.realpath(directory)
    while above and above not in kinds:
        above = above.rpartition("/")[0]
    return kinds.get(above, "") in _LOCAL
