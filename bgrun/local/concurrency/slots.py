"""Who may run: the slots of a concurrency group and the line before them, as locks on files.

A concurrency group is a folder, and every word in it is a flock(2), which the kernel takes back at
any death; nobody minds the folder, and nothing in it has to be cleared up.

    slot.1 … slot.N   whoever holds the lock on one of them may run; its text says who that is
    ticket.K          locked by a run that waits; the lower number comes first
    mutex             held for the moment in which somebody takes a slot or a ticket
    single            held by a start that may join another one, until its own record exists

Who finds a free slot and nobody in line takes it. Everybody else takes a ticket and sleeps on the
lock of the next lower one; whoever has the lowest sleeps on all slots at once. A supervisor shares the
open file of its slot with the job script, so that the slot stays taken while either of them lives.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import time

from bgrun.errors import BgrunError, BusyError
from bgrun.light import NamedTuple, contextmanager, suppress
from bgrun.system import files, lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.model import Concurrency

MUTEX_S = 5.0
"""How long the mutex of a concurrency group is waited for, in seconds: who takes it needs a millisecond."""
SINGLE_S = 10.0
"""How long a start waits for another start of the same job that has not launched yet, in seconds."""
_LOOK_S = 0.02


class Owner(NamedTuple):
    """The run that has a slot or a ticket, and the log folder of its project."""

    run_id: str
    log_dir: str


class Place(NamedTuple):
    """A concurrency group on disk, and how many of its slots a run may choose from."""

    folder: str
    limit: int


class Slot(NamedTuple):
    """A slot that is ours: the descriptor that holds its lock."""

    fd: int


class Ticket(NamedTuple):
    """A place in line: its own locked descriptor, and one of each slot, not locked yet.

    `ahead` are the runs that hold the slots or wait before this one.
    """

    fd: int
    path: str
    slots: tuple[int, ...]
    ahead: tuple[Owner, ...]


def place_of(log_dir: str, wanted: Concurrency) -> Place:
    """Return where a concurrency group is kept: with the project's runs, or with the user's own state.

    The latter is as the XDG Base Directory Specification has it, on every system.
    """
    if wanted.scope == "project":
        return Place(f"{log_dir}/.concurrency/{wanted.group}", wanted.limit)
    state = os.environ.get("XDG_STATE_HOME", "")
    home = state if os.path.isabs(state) else os.path.expanduser("~/.local/state")
    return Place(f"{home}/bgrun/concurrency/{wanted.group}", wanted.limit)


class StuckError(BgrunError):
    """The mutex of a concurrency group did not come in time."""


def enter(place: Place, owner: Owner, *, may_wait: bool, within_s: float = MUTEX_S) -> Slot | Ticket:
    """Take a slot, or a ticket where none is free or others wait.

    Raises:
        BusyError: a ticket would be needed, and the run may not wait.
        StuckError: some process has held the mutex for `within_s` seconds.
        StorageError: the folder cannot be used.
    """
    _make(place.folder)
    with files.storage(place.folder, "lock files in"), _held(f"{place.folder}/mutex", within_s):
        before = _tickets(place.folder)
        slot = None if before else _free_slot(place)
        if slot is not None:
            _say(slot, owner)
            return Slot(slot)
        ahead = (*_owners([f"{place.folder}/slot.{one}" for one in _numbers(place)]), *_owners(before.values()))
        if not may_wait:
            raise _busy(place, ahead)
        return _ticket(place, owner, max(before, default=0) + 1, ahead)


def _busy(place: Place, ahead: tuple[Owner, ...]) -> BusyError:
    names = ", ".join(one.run_id for one in ahead[:3]) or "another run"
    group = os.path.basename(place.folder)
    hint = f"bgrun wait {ahead[0].run_id}" if ahead else ""
    return BusyError(f"the concurrency group {group} is busy (limit {place.limit}): {names}", hint)


def _make(folder: str) -> None:
    above = os.path.dirname(folder)
    for one in (os.path.dirname(above), above, folder):
        files.ensure_folder(one)


def _numbers(place: Place) -> range:
    return range(1, place.limit + 1)


def _free_slot(place: Place) -> int | None:
    for number in _numbers(place):
        fd = _open(f"{place.folder}/slot.{number}")
        if _try(fd):
            return fd
        os.close(fd)
    return None


def _ticket(place: Place, owner: Owner, number: int, ahead: tuple[Owner, ...]) -> Ticket:
    path = f"{place.folder}/ticket.{number}"
    fds: list[int] = []
    try:
        fds.append(_open(path))
        fds.extend(_open(f"{place.folder}/slot.{one}") for one in _numbers(place))
        lock.hold(fds[0])
    except OSError:
        for fd in fds:
            os.close(fd)
        raise
    _say(fds[0], owner)
    return Ticket(fds[0], path, tuple(fds[1:]), ahead)


def _tickets(folder: str) -> dict[int, str]:
    """Return the paths of the tickets that are held, by number; the others are removed."""
    found: dict[int, str] = {}
    for number in _ticket_numbers(folder):
        path = f"{folder}/ticket.{number}"
        if lock.is_held(path):
            found[number] = path
        else:
            files.remove(path)
    return found


def _ticket_numbers(folder: str) -> list[int]:
    tails = [name[7:] for name in os.listdir(folder) if name.startswith("ticket.")]
    return sorted(int(tail) for tail in tails if tail.isascii() and tail.isdigit() and len(tail) < 10)


def claim(ticket: Ticket, place: int, owner: Owner) -> Slot:
    """Give a ticket back for the slot at this place, which is locked by now."""
    slot = ticket.slots[place]
    _say(slot, owner)
    give_up(ticket, but=slot)
    return Slot(slot)


def give_up(ticket: Ticket, but: int = -1) -> None:
    """Leave the line; every slot `but` that one is let go, should it be locked already."""
    files.remove(ticket.path)
    for fd in (ticket.fd, *ticket.slots):
        if fd != but:
            release(Slot(fd))


def release(slot: Slot) -> None:
    """Let a slot go, whoever else has its open file."""
    with suppress(OSError):
        fcntl.flock(slot.fd, fcntl.LOCK_UN)
    os.close(slot.fd)


def sleep_until_next(ticket: Ticket) -> None:
    """Sleep in the kernel until nobody with a lower ticket waits any more."""
    folder, name = os.path.split(ticket.path)
    own = int(name[7:])
    while lower := [one for one in _ticket_numbers(folder) if one < own and lock.is_held(f"{folder}/ticket.{one}")]:
        lock.wait_free(f"{folder}/ticket.{lower[-1]}")


def sleep_until_free(ticket: Ticket) -> int:
    """Sleep in the kernel until one of the slots is locked for us and return its place; for a process of its own.

    One thread sleeps on each slot; those that are left over end with the process.
    """
    read_fd, write_fd = os.pipe()
    for place, fd in enumerate(ticket.slots):
        _thread.start_new_thread(_report_lock, (fd, place, write_fd))
    return os.read(read_fd, 1)[0]


def _report_lock(fd: int, place: int, write_fd: int) -> None:
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(write_fd, bytes([place]))


@contextmanager
def single_flight(place: Place) -> Iterator[None]:
    """Keep other starts that may join this one out until the block has left a record.

    Raises:
        BusyError: another start does not come to an end.
        StorageError: the folder cannot be used.
    """
    _make(place.folder)
    path = f"{place.folder}/single"
    with files.storage(path, "lock"):
        fd = _open(path)
        try:
            until = time.monotonic() + SINGLE_S
            while not _try(fd):
                if time.monotonic() > until:
                    raise BusyError("another start of this job has not come to an end", "try again")
                time.sleep(_LOOK_S)
            yield
        finally:
            os.close(fd)


@contextmanager
def _held(path: str, within_s: float) -> Iterator[None]:
    fd = _open(path)
    try:
        try:
            lock.hold_in_turn(fd, within_s)
        except BlockingIOError:
            told = f"another process holds the lock {path}"
            raise StuckError(told, f"find that process with `fuser {path}` and end it") from None
        yield
    finally:
        os.close(fd)


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, files.FILE_MODE)


def _try(fd: int) -> bool:
    try:
        lock.hold(fd)
    except BlockingIOError:
        return False
    return True


def _say(fd: int, owner: Owner) -> None:
    """Write down whose it is, for messages; on a full disk it goes without."""
    text = f"{owner.run_id}\n{owner.log_dir}\n".encode("utf-8", "surrogateescape")
    with suppress(OSError):
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))


def _owners(paths: Iterable[str]) -> Iterator[Owner]:
    """Give who holds these files, as far as they are held."""
    for path in paths:
        if lock.is_held(path) and (text := files.head(path, 8192)):
            run_id, _, rest = text.decode("utf-8", "surrogateescape").partition("\n")
            yield Owner(run_id, rest.removesuffix("\n"))
