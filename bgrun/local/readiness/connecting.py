"""Connect to a port of this machine, and make sure that the run's own process listens there.

Without that, whatever had the port before would make a service look ready that ended for want of it.
"""

from __future__ import annotations

import os
import socket

from bgrun.light import NamedTuple
from bgrun.local.readiness import holder
from bgrun.system import listeners, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.local.readiness.target import Target

TRY_S = 5.0
"""How many seconds one try may take."""
LOCAL = ("127.0.0.1", "::1")
_TAKEN = "port "
"""The beginning of the answer about a stranger."""
_LOOPBACK_6 = b"\0" * 15 + b"\1"
_MAPPED = b"\0" * 10 + b"\xff" * 2


class Connected(NamedTuple):
    """The outcome of connecting: the socket, or None and why there is none."""

    socket: socket.socket | None
    why: str = ""


def connect(host: str, port: int, timeout_s: float) -> Connected:
    """Connect to the first address of a host that accepts."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Connected(None, f"cannot resolve {host}: {words(error)}")
    why = "no address"
    for family, kind, protocol, _, address in addresses:
        one = socket.socket(family, kind, protocol)
        try:
            one.settimeout(timeout_s)
            one.connect(address)
            # A port that no process listens on may be given to the connection itself, which then meets itself.
            if one.getsockname() != one.getpeername():
                return Connected(one)
            why = "connection refused"
        except OSError as error:
            why = words(error)
        one.close()
    return Connected(None, why)


def stranger(one: socket.socket, target: Target) -> str:
    """Return which process of another run or program accepted a connection, in words; '' for the run's own.

    Also '' where that cannot be known: on another machine, without proc(5), for sockets of other users, and for
    containers, whose ports a process of the container engine holds.
    """
    address, port = one.getpeername()[:2]
    packed = socket.inet_pton(one.family, address.partition("%")[0])
    if not process.LINUX or not _is_local(packed):
        return ""
    found = listeners.reached(port, packed)
    others = []
    for pid in listeners.holders(found):
        if holder.is_of(pid, target) or listeners.name_of(pid) in holder.PROXIES:
            return ""
        others.append(pid)
    return f"{_TAKEN}{port} is taken by {holder.describe(others[0])}" if others else ""


def check_port(target: Target, port: int, left_s: float) -> str:
    """Return '' if the run's process accepts connections to a port at 127.0.0.1, else why not.

    That is the address of the service (see `render.services`): listening on ::1 alone does not do.
    """
    first = _reach(LOCAL[0], target, port, left_s)
    if not first or first.startswith(_TAKEN):
        return first
    other = _reach(LOCAL[1], target, port, left_s)
    if not other:
        return f"it listens on {LOCAL[1]} only, and its address is {LOCAL[0]}"
    return other if other.startswith(_TAKEN) else first


def _reach(host: str, target: Target, port: int, left_s: float) -> str:
    """Return '' if the run's process accepts connections to a port of an address, else why not."""
    found = connect(host, port, min(left_s, TRY_S))
    if found.socket is None:
        return found.why
    with found.socket:
        return stranger(found.socket, target)


def _is_local(address: bytes) -> bool:
    """Return whether an address in network byte order is one of the loopback interface."""
    return address == _LOOPBACK_6 or address.removeprefix(_MAPPED).startswith(b"\x7f")


def words(error: OSError) -> str:
    """Return an error of the system in lower case."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return str(error.strerror or error).lower()
    if reason := getattr(error, "reason", None):  # of the module `ssl`, whose numbers are not those of the system
        return f"TLS: {str(reason).replace('_', ' ').lower()}"
    return os.strerror(error.errno).lower() if error.errno else str(error).lower()
