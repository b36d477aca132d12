"""Find out which process listens on a TCP port: the sockets of proc(5) on Linux, psutil elsewhere.

Sockets of other users cannot be attributed to a process; neither can those of another network namespace.
"""

from __future__ import annotations

import os
import sys

from bgrun.light import NamedTuple, suppress
from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LISTEN = "0A"
_MOST_TABLE = 64 << 20
_WILDCARDS = ("0" * 8, "0" * 32)


class Socket(NamedTuple):
    """A listening socket: its local address as proc(5) writes it, in hexadecimal, and its inode."""

    address: str
    inode: str

    @property
    def is_wildcard(self) -> bool:
        """Whether it listens on every address of its family."""
        return self.address in _WILDCARDS


def sockets(port: int) -> list[Socket]:
    """Return the sockets that listen on a port; empty where proc(5) is missing."""
    return [*_of_table("/proc/net/tcp", port), *_of_table("/proc/net/tcp6", port)] if process.LINUX else []


def reached(port: int, address: bytes) -> list[Socket]:
    """Return the sockets that a connection to this address and port may reach.

    Those of the address itself come before those of every address (tcp(7)).
    """
    found = sockets(port)
    exact = [one for one in found if one.address in _spelled(address)]
    return exact or [one for one in found if one.is_wildcard]


def holders(found: Iterable[Socket], pids: Iterable[int] | None = None) -> Iterator[int]:
    """Yield the PIDs of processes that have one of these sockets open, of `pids` or of all visible processes."""
    links = {f"socket:[{one.inode}]" for one in found}
    if links:
        for pid in process.pids() if pids is None else pids:
            if _has_open(pid, links):
                yield pid


def find(port: int) -> int:
    """Return the PID of a process that listens on a port; 0 if there is none, or none that can be inspected."""
    return next(holders(sockets(port)), 0) if process.LINUX else _find_psutil(port)


def name_of(pid: int) -> str:
    """Return the name of a process as the system knows it, or ''."""
    if process.LINUX:
        try:
            with open(f"/proc/{pid}/comm", "rb") as file:
                return file.read(64).decode("utf-8", "replace").strip()
        except OSError:
            return ""
    import psutil

    with suppress(psutil.Error, OSError):
        return psutil.Process(pid).name()
    return ""


def _spelled(address: bytes) -> tuple[str, ...]:
    """Return an address in network byte order as proc(5) writes it: words of the machine, in hexadecimal.

    An IPv4 address also as an IPv6 socket has it that serves both.
    """
    mapped = b"\0" * 10 + b"\xff" * 2 + address if len(address) == 4 else address
    return tuple(
        "".join(f"{int.from_bytes(one[at : at + 4], sys.byteorder):08X}" for at in range(0, len(one), 4))
        for one in (address, mapped)
    )


def _of_table(path: str, port: int) -> Iterator[Socket]:
    """Yield the listening sockets of a port in a table of proc(5)."""
    try:
        with open(path, "rb") as file:
            lines = file.read(_MOST_TABLE).decode("ascii", "replace").splitlines()[1:]
    except OSError:
        return
    wanted = f"{port:04X}"
    for line in lines:
        fields = line.split()
        address, _, own = fields[1].partition(":") if len(fields) > 9 else ("", "", "")
        if own == wanted and fields[3] == _LISTEN:
            yield Socket(address, fields[9])


def _has_open(pid: int, links: set[str]) -> bool:
    directory = f"/proc/{pid}/fd"
    with suppress(OSError):
        for name in os.listdir(directory):
            with suppress(OSError):
                if os.readlink(f"{directory}/{name}") in links:
                    return True
    return False


def _find_psutil(port: int) -> int:
    import psutil

    for pid in process.pids():
        with suppress(psutil.Error, OSError):
            for one in psutil.Process(pid).net_connections("tcp"):
                if one.status == psutil.CONN_LISTEN and one.laddr.port == port:
                    return pid
    return 0
