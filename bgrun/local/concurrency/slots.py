"""The slots of a concurrency group and its queue, as locks on files.

A concurrency group is a directory. All its state is locks (flock(2)), which the kernel releases when their holder
dies, so that there is no daemon and nothing to clean up.

    slot.1 … slot.N   locked by a run that may run; its text is the run ID and the log directory
    ticket.K          locked by a queued run; the lower number comes first
    mutex             held while a slot or a ticket is taken
    single            held by a start that may join another one, until its own record exists

A run that finds a free slot and no ticket takes the slot. Any other takes a ticket and sleeps on the lock of the next
lower one; the lowest sleeps on all slots at once. The supervisor shares the open file of its slot with the job
script, so that the slot stays taken while either of them lives.
"""

from __future__ import annotations

import _thread
import fcntl
import os
import time

from bgrun import wording
from bgrun.errors import BgrunError, BusyError
from bgrun.light import NamedTuple, contextmanager, suppress
from bgrun.system import directories, files, lock, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.plan import Concurrency

MUTEX_S = 5.0
"""How many seconds to wait for the mutex of a concurrency group, which is normally held for a millisecond."""
SINGLE_S = 10.0
"""How many seconds a start waits for another start of the same job that has not launched yet."""
_POLL_S = 0.02


class Owner(NamedTuple):
    """The run that has a slot or a ticket, and the log directory of its project."""

    run_id: str
    log_dir: str


class Place(NamedTuple):
    """The directory of a concurrency group, and how many of its slots a run may choose from."""

    directory: str
    limit: int


class Slot(NamedTuple):
    """A slot that is taken: the descriptor that holds its lock."""

    fd: int


class Ticket(NamedTuple):
    """A place in the queue.

    fd: the locked descriptor of the ticket.
    slots: a descriptor of each slot, not locked yet.
    ahead: the runs that hold slots or have lower tickets.
    """

    fd: int
    path: str
    slots: tuple[int, ...]
    ahead: tuple[Owner, ...]


def place_of(log_dir: str, wanted: Concurrency) -> Place:
    """Return the place of a concurrency group: in the project's log directory, or in the user's state directory."""
    if wanted.scope == "project":
        return Place(f"{log_dir}/.concurrency/{wanted.group}", wanted.limit)
    return Place(f"{directories.user_state()}/concurrency/{wanted.group}", wanted.limit)


class StuckError(BgrunError):
    """The mutex of a concurrency group was held for too long."""


def take(place: Place, owner: Owner, *, may_wait: bool, within_s: float = MUTEX_S) -> Slot | Ticket:
    """Take a slot, or a ticket if no slot is free or other runs are queued.

    Raises:
        BusyError: a ticket would be needed, and the run must not wait.
        StuckError: another process has held the mutex for `within_s` seconds.
        StorageError: the directory cannot be used.
    """
    _make(place.directory)
    with files.storage(place.directory, "lock files in"), _held(f"{place.directory}/mutex", within_s):
        before = _tickets(place.directory)
        slot = None if before else _free_slot(place)
        if slot is not None:
            _write_owner(slot, owner)
            return Slot(slot)
        running = tuple(_owners([f"{place.directory}/slot.{one}" for one in _numbers(place)]))
        queued = tuple(_owners(before.values()))
        if not may_wait:
            raise _full(place, running, queued)
        return _ticket(place, owner, max(before, default=0) + 1, (*running, *queued))


def _full(place: Place, running: tuple[Owner, ...], queued: tuple[Owner, ...]) -> BusyError:
    ahead, state = (queued, "queued") if queued and not running else (running, "running")
    who = wording.names((one.run_id for one in ahead), 3) or "another run"
    group = os.path.basename(place.directory)
    hint = f"bgrun wait {ahead[0].run_id}" if ahead else ""
    verb = "are" if len(ahead) > 1 else "is"
    return BusyError(f"concurrency group '{group}' is full (limit {place.limit}): {who} {verb} {state}", hint)


def _make(directory: str) -> None:
    above = os.path.dirname(directory)
    for one in (os.path.dirname(above), above, directory):
        directories.ensure(one)


def _numbers(place: Place) -> range:
    return range(1, place.limit + 1)


def _free_slot(place: Place) -> int | None:
    for number in _numbers(place):
        fd = _open(f"{place.directory}/slot.{number}")
        if _try(fd):
            return fd
        os.close(fd)
    return None


def _ticket(place: Place, owner: Owner, number: int, ahead: tuple[Owner, ...]) -> Ticket:
    path = f"{place.directory}/ticket.{number}"
    fds: list[int] = []
    try:
        fds.append(_open(path))
        fds.extend(_open(f"{place.directory}/slot.{one}") for one in _numbers(place))
        lock.hold(fds[0])
    except OSError:
        for fd in fds:
            os.close(fd)
        raise
    _write_owner(fds[0], owner)
    return Ticket(fds[0], path, tuple(fds[1:]), ahead)


def _tickets(directory: str) -> dict[int, str]:
    """Return the paths of the tickets that are held, by number, and remove the others."""
    found: dict[int, str] = {}
    for number in _ticket_numbers(directory):
        path = f"{directory}/ticket.{number}"
        if lock.is_held(path):
            found[number] = path
        else:
            files.remove(path)
    return found


def _ticket_numbers(directory: str) -> list[int]:
    tails = [name[7:] for name in os.listdir(directory) if name.startswith("ticket.")]
    return sorted(int(tail) for tail in tails if tail.isascii() and tail.isdigit() and len(tail) < 10)


def claim(ticket: Ticket, place: int, owner: Owner) -> Slot:
    """Exchange a ticket for its slot at this index, which is locked by now."""
    slot = ticket.slots[place]
    _write_owner(slot, owner)
    drop(ticket, but=slot)
    return Slot(slot)


def drop(ticket: Ticket, but: int = -1) -> None:
    """Remove a ticket and release its slots except `but`, in case one is locked already."""
    files.remove(ticket.path)
    for fd in (ticket.fd, *ticket.slots):
        if fd != but:
            release(Slot(fd))


def release(slot: Slot) -> None:
    """Release a slot, even if another process has its open file."""
    with suppress(OSError):
        fcntl.flock(slot.fd, fcntl.LOCK_UN)
    os.close(slot.fd)


def sleep_until_next(ticket: Ticket) -> None:
    """Sleep in the kernel until no lower ticket is held."""
    directory, name = os.path.split(ticket.path)
    own = int(name[7:])
    while lower := [
        one for one in _ticket_numbers(directory) if one < own and lock.is_held(f"{directory}/ticket.{one}")
    ]:
        lock.wait_free(f"{directory}/ticket.{lower[-1]}")


def sleep_until_free(ticket: Ticket) -> int:
    """Sleep in the kernel until one of the slots is locked and return its index. For a process of its own.

    One thread sleeps on each slot; the others end with the process.
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
    """Let one start at a time run the block, at the end of which its record exists for others to join.

    Raises:
        BusyError: another start takes too long.
        StorageError: the directory cannot be used.
    """
    _make(place.directory)
    path = f"{place.directory}/single"
    with files.storage(path, "lock"):
        fd = _open(path)
        try:
            until = time.monotonic() + SINGLE_S
            while not _try(fd):
                if time.monotonic() > until:
                    raise BusyError("another start of this job has not finished", "try again")
                time.sleep(_POLL_S)
            yield
        finally:
            os.close(fd)


@contextmanager
def _held(path: str, within_s: float) -> Iterator[None]:
    fd = _open(path)
    try:
        try:
            lock.hold_within(fd, within_s)
        except BlockingIOError:
            raise StuckError(f"another process holds the lock {path}", f"find and stop it: fuser {path}") from None
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


def _write_owner(fd: int, owner: Owner) -> None:
    """Write the owner into a lock file, for messages; skipped on a full disk."""
    text = f"{owner.run_id}\n{owner.log_dir}\n".encode("utf-8", "surrogateescape")
    with suppress(OSError):
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))


def _owners(paths: Iterable[str]) -> Iterator[Owner]:
    """Yield the owners of those files that are locked."""
    for path in paths:
        if lock.is_held(path) and (text := reading.head(path, 8192)):
            run_id, _, rest = text.decode("utf-8", "surrogateescape").partition("\n")
            yield Owner(run_id, rest.removesuffix("\n"))
