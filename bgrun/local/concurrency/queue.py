"""Admit the runs of a plan to their concurrency groups: give them slots, or keep them queued.

A queued run waits in a process of its own, forked from the supervisor and sharing its open files: a lock that this
process takes belongs to the supervisor as well, and its exit wakes the supervisor. Of each plan one run at a time
waits for a group; the others come after it.
"""

from __future__ import annotations

import os

from bgrun.errors import BgrunError, BusyError, LaunchError, ScarceError, StorageError, is_scarce
from bgrun.light import NamedTuple, signal, suppress
from bgrun.local.concurrency import slots
from bgrun.local.concurrency.slots import Owner, Place, Slot, StuckError, Ticket
from bgrun.local.supervision import descriptors, event_loop
from bgrun.local.supervision.workdir import now
from bgrun.store import state
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import NoReturn

    from bgrun.plan import RunPlan

STUCK_RETRY_S = 0.5
"""How often a mutex that is held is retried in a plan of several runs."""
_AT_ONCE_S = 0.05
_FAILED = 255


class Waiting(NamedTuple):
    """A queued run: its ticket, and the process that sleeps until a slot is free."""

    run_id: str
    ticket: Ticket
    pid: int


class AdmissionQueue:
    """The slots that the runs of a plan hold in their concurrency groups, and the tickets of those that wait.

    `recorded` is the log directory as other processes name it.
    """

    def __init__(self, log_dir: str, recorded: str, runs: Iterable[RunPlan], helpers: set[int]) -> None:
        self.log_dir = recorded
        self.wanted = {run.run_id: run.job.concurrency for run in runs if run.job.concurrency}
        self.places = {run_id: slots.place_of(log_dir, one) for run_id, one in self.wanted.items()}
        self.helpers = helpers
        self.slots: dict[str, Slot] = {}
        self.waiting: dict[str, Waiting] = {}
        self.broken: set[str] = set()
        self.stuck: dict[str, tuple[float, float]] = {}

    @property
    def next_check_at(self) -> float:
        """When to retry a mutex, on the steady clock; infinite if none is stuck."""
        return min((again for _, again in self.stuck.values()), default=float("inf"))

    def held_back(self) -> Collection[str]:
        """Return the runs that have to wait for a slot, or for another run of this plan that does."""
        return [run_id for run_id in self.places if self.holds_back(run_id)] if self.waiting or self.stuck else ()

    def holds_back(self, run_id: str) -> bool:
        """Return whether a run has to wait for a slot, or for another run of this plan that does."""
        place = self.places.get(run_id)
        if place is None or run_id in self.slots:
            return False
        _, again = self.stuck.get(run_id, (0.0, 0.0))
        return place.directory in self.waiting or clock.steady_clock() < again

    def slot_fd(self, run_id: str) -> int:
        """Return the descriptor that holds the slot of a run, or -1."""
        slot = self.slots.get(run_id)
        return slot.fd if slot else -1

    def admit(self, run_id: str) -> str:
        """Give a run a slot and return '', or queue it and return what it waits for.

        Raises:
            BusyError: its group is full and it must not wait, or the mutex of the group is stuck.
            ScarceError: the system ran out of a resource; may be retried.
            LaunchError: it cannot wait.
        """
        if run_id not in self.places or run_id in self.slots:
            return ""
        place, wanted = self.places[run_id], self.wanted[run_id]
        try:
            got = self._take(run_id, place, may_wait=wanted.when_busy != "reject")
        except StuckError as error:
            return self._retry_later(run_id, error)
        self.stuck.pop(run_id, None)
        if isinstance(got, Slot):
            try:
                self.slots[run_id] = Slot(descriptors.out_of_reach(got.fd))
            except OSError as error:
                slots.release(got)
                raise ScarceError(f"cannot keep a slot of {place.directory}: {error.strerror}") from error
            return ""
        replaced = self._others_ahead(got) if wanted.when_busy == "replace" else []
        if wanted.scope == "project":
            here = now(self.log_dir)  # all of them are of this project, whatever its name is by now
            replaced = [one._replace(log_dir=here) for one in replaced]
        try:
            pid = _fork_waiter(got, replaced, run_id)
        except OSError as error:
            slots.drop(got)
            raise ScarceError(f"cannot wait for {place.directory}: {error.strerror}") from error
        self.helpers.add(pid)
        self.waiting[place.directory] = Waiting(run_id, got, pid)
        return f"waiting for concurrency group '{wanted.group}' (limit {wanted.limit})"

    def _take(self, run_id: str, place: Place, *, may_wait: bool) -> Slot | Ticket:
        if run_id in self.broken:
            raise LaunchError(f"cannot wait for {place.directory}: the waiting process failed")
        try:
            within_s = slots.MUTEX_S if len(self.places) == 1 and not self.stuck else _AT_ONCE_S
            return slots.take(place, Owner(run_id, self.log_dir), may_wait=may_wait, within_s=within_s)
        except (BusyError, StuckError):
            raise
        except StorageError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and is_scarce(cause):
                raise ScarceError(error.message, error.hint) from error
            raise
        except BgrunError as error:
            raise LaunchError(error.message, error.hint) from error

    def _retry_later(self, run_id: str, error: StuckError) -> str:
        """Return what a run waits for whose group is stuck; the supervisor serves the other runs in between."""
        now = clock.steady_clock()
        since, _ = self.stuck.get(run_id, (now, now))
        if len(self.places) == 1 or now - since >= slots.MUTEX_S:
            self.stuck.pop(run_id, None)
            raise BusyError(f"{error.message}, for {slots.MUTEX_S:g} s", error.hint) from error
        self.stuck[run_id] = since, now + STUCK_RETRY_S
        return error.message

    def _others_ahead(self, ticket: Ticket) -> list[Owner]:
        """Return the runs ahead that are not of this plan."""
        own = {Owner(run_id, self.log_dir) for run_id in self.places}
        return [owner for owner in ticket.ahead if owner not in own]

    def ended(self, pid: int, status: int) -> None:
        """Handle the exit of a child: if it waited for a run, that run has its slot now."""
        for directory, one in list(self.waiting.items()):
            if one.pid != pid:
                continue
            del self.waiting[directory]
            code = os.waitstatus_to_exitcode(status)
            if 0 <= code < len(one.ticket.slots):
                self.slots[one.run_id] = slots.claim(one.ticket, code, Owner(one.run_id, self.log_dir))
            else:
                # If it was killed, the run is queued again, at the end. If it failed, it would fail again.
                slots.drop(one.ticket)
                self.broken |= {one.run_id} if code >= 0 else set()

    def freshen(self) -> None:
        """Update the modification time of the lock files of all slots and tickets."""
        held = [slot.fd for slot in self.slots.values()]
        held += [fd for one in self.waiting.values() for fd in (one.ticket.fd, *one.ticket.slots)]
        for fd in held:
            with suppress(OSError):
                os.utime(fd)

    def tidy(self, needed: Collection[str]) -> None:
        """Release the slots and tickets of all runs except those in `needed`."""
        self.stuck = {run_id: times for run_id, times in self.stuck.items() if run_id in needed}
        for run_id in [run_id for run_id in self.slots if run_id not in needed]:
            slots.release(self.slots.pop(run_id))
        for directory, one in [(directory, one) for directory, one in self.waiting.items() if one.run_id not in needed]:
            del self.waiting[directory]
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
            slots.drop(one.ticket)


def _fork_waiter(ticket: Ticket, replaced: Iterable[Owner], run_id: str) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _wait(ticket, replaced, run_id, parent)
    return pid


def _wait(ticket: Ticket, replaced: Iterable[Owner], run_id: str, parent: int) -> NoReturn:
    """In the child: stop the replaced runs, sleep until a slot is free, and exit with its index."""
    code = _FAILED
    try:
        _become_waiter(ticket, parent)
        _replace(replaced, run_id)
        slots.sleep_until_next(ticket)
        place = slots.sleep_until_free(ticket)
        # A slot that was got after the supervisor was killed is free again once this process exits.
        code = place if os.getppid() == parent else _FAILED
    finally:
        os._exit(code)


def _become_waiter(ticket: Ticket, parent: int) -> None:
    """Keep only the open slots: no lock of the supervisor may be held on by this process."""
    for number in event_loop.HEARD:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    event_loop.die_with(parent)
    descriptors.close_all(ticket.slots)


def _replace(replaced: Iterable[Owner], run_id: str) -> None:
    from bgrun.local.stopping import request
    from bgrun.store.store import Store

    reason = state.replaced_by(run_id)
    with suppress(BgrunError):
        for one in replaced:
            request.request(Store(one.log_dir), one.run_id, reason)
    for one in replaced:
        # A run that cannot be stopped keeps its slot, and is waited for.
        with suppress(BgrunError):
            request.stop_run(Store(one.log_dir), one.run_id, reason=reason)
