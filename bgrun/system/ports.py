"""Assign TCP ports to services, and find out whether one is taken.

Each project directory and service name has a port of its own between 20000 and 29999, below the ports that Linux gives
to outgoing connections. A file named after the port says whose it is, so that the port stays the same over restarts
and differs between checkouts of one project. It is given to another one once the project directory no longer exists.
A plan holds the locks on these files for its services, so that a start at the same time gets other ports, before any
server listens.
"""

from __future__ import annotations

import errno
import os
import zlib

from bgrun.errors import BusyError, PortTakenError, UsageError
from bgrun.light import contextmanager
from bgrun.system import directories, files, lock, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FIRST, COUNT = 20_000, 10_000
"""The lowest port that is assigned, and how many there are."""
MUTEX_S = 10.0
"""How many seconds to wait for the lock on the assignments, which is normally held for a millisecond."""
_MOST_OWNER = 16 << 10
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def assign(project: str, name: str) -> int:
    """Return the port of a service: its own one, or the next one that neither another service nor a process has.

    project: the directory of the job file, as an absolute path.

    Raises:
        StorageError: the assignments cannot be read or written.
        BusyError: another process holds the lock on them.
        UsageError: no port is left.
    """
    own = f"{project}\n{name}\n".encode("utf-8", "surrogateescape")
    with _assignments() as directory:
        for port in _candidates(project, name):
            path = f"{directory}/{port}"
            owner = reading.head(path, _MOST_OWNER)
            if owner is not None and owner != own and _exists(owner):
                continue
            # The lock first: to look whether a reserved port is free would be in the way of its server.
            if not lock.is_held(path) and is_free(port):
                if owner != own:
                    with files.storage(path, "write"):
                        files.replace(path, files.unique(path), own)
                return port
    raise UsageError(
        f"no port from {FIRST} to {FIRST + COUNT - 1} is free for service '{name}'", "declare one, such as `port: 8080`"
    )


def reserve(ports: Iterable[int]) -> dict[int, int]:
    """Hold the locks on ports, and return their descriptors by port.

    Raises:
        PortTakenError: another plan has one of these; none is held.
        StorageError: the assignments cannot be read or written.
        BusyError: another process holds the lock on them.
    """
    held: dict[int, int] = {}
    try:
        with _assignments() as directory:
            for port in ports:
                path = f"{directory}/{port}"
                with files.storage(path, "lock"):
                    held[port] = os.open(path, _OPEN, files.FILE_MODE)
                    try:
                        lock.hold(held[port])
                    except BlockingIOError:
                        raise PortTakenError(f"port {port} was just given to another start", "start it again") from None
    except BaseException:
        for fd in held.values():
            os.close(fd)
        raise
    return held


def is_assignable(port: int) -> bool:
    """Return whether a port is one of those that are assigned."""
    return FIRST <= port < FIRST + COUNT


def is_free(port: int) -> bool:
    """Return whether no socket has a port, on the usual addresses of this machine.

    Bound for a moment to find out (bind(2)). Only EADDRINUSE counts: IPv6 may be missing, and a port below 1024 may be
    one that only the service itself is allowed to have.
    """
    from _socket import AF_INET, AF_INET6

    usual = ((AF_INET, "0.0.0.0"), (AF_INET, "127.0.0.1"), (AF_INET6, "::"), (AF_INET6, "::1"))  # noqa: S104
    return all(_may_bind(family, address, port) for family, address in usual)


def _may_bind(family: int, address: str, port: int) -> bool:
    import _socket

    try:
        one = _socket.socket(family, _socket.SOCK_STREAM)
    except OSError:
        return True
    try:
        # As servers do: connections that were closed a moment ago (TIME_WAIT) do not count.
        one.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        if family == _socket.AF_INET6:
            one.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
        one.bind((address, port))
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    finally:
        one.close()
    return True


def _candidates(project: str, name: str) -> Iterator[int]:
    """Yield every port, beginning with the one that belongs to these names."""
    first = zlib.crc32(f"{project}\0{name}".encode("utf-8", "surrogateescape"))
    return (FIRST + (first + more) % COUNT for more in range(COUNT))


def _exists(owner: bytes) -> bool:
    """Return whether the project of an owner still exists."""
    project = owner.partition(b"\n")[0]
    return bool(project) and os.path.isdir(project)


@contextmanager
def _assignments() -> Iterator[str]:
    """Hold the lock on the assignments in the block, and give their directory."""
    directory = f"{directories.user_state()}/ports"
    directories.ensure(os.path.dirname(directory))
    directories.ensure(directory)
    path = f"{directory}/mutex"
    with files.storage(path, "lock"):
        fd = os.open(path, _OPEN, files.FILE_MODE)
        try:
            try:
                lock.hold_within(fd, MUTEX_S)
            except BlockingIOError:
                raise BusyError(f"another process holds the lock {path}", f"find and stop it: fuser {path}") from None
            yield directory
        finally:
            os.close(fd)
