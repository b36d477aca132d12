"""The supervisor's file descriptors: their limit, and which are closed in the processes it starts.

A plan of hundreds of runs needs more descriptors than the usual soft limit. Jobs and hooks get the caller's limit.
"""

from __future__ import annotations

import fcntl
import os

from bgrun.light import contextmanager, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterator

_limits: list[tuple[int, int]] = []
"""The limit of the caller and the raised one, each soft and hard; empty until the limit is raised."""


def raise_limit(needed: int) -> None:
    """Raise the soft limit to this many descriptors, as far as the hard limit allows (setrlimit(2))."""
    import resource

    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted and not _limits:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            _limits.extend((before, (wanted, hard)))


def out_of_reach(fd: int) -> int:
    """Move a descriptor that stays open beyond the caller's limit, and return it.

    The descriptors of a job must be below that limit: posix_spawn(3) accepts no others while it is in force.
    Returns `fd` itself if the limit was not raised.

    Raises:
        OSError: no descriptor is free; `fd` is still open.
    """
    if not _limits:
        return fd
    moved = int(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _limits[0][0]))
    os.close(fd)
    return moved


@contextmanager
def callers_limit() -> Iterator[None]:
    """Restore the caller's limit in the block, for a process that is started in it. Nothing can be opened there."""
    if not _limits:
        yield
        return
    import resource

    before, own = _limits
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own)


def close_all(but: Container[int]) -> None:
    """Close every descriptor except the standard streams and these."""
    for fd in [int(name) for name in os.listdir("/dev/fd")]:
        if fd > 2 and fd not in but:
            with suppress(OSError):
                os.close(fd)
