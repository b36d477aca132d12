"""The concurrency groups as the supervisor of a plan goes through them: in, in line, out.

A run that has to wait sleeps in a process of its own, forked from the supervisor and sharing its
open files: what that process locks is locked for the supervisor, and its end is what wakes it. One
run of a plan waits for each group, the others behind it.
"""

from __future__ import annotations

import os

from bgrun.errors import SCARCE, BgrunError, BusyError, LaunchError, ScarceError, StorageError
from bgrun.light import NamedTuple, signal, suppress
from bgrun.local import event_loop
from bgrun.local.concurrency import slots
from bgrun.local.concurrency.slots import Owner, Place, Slot, StuckError, Ticket
from bgrun.local.workdir import now
from bgrun.store import state
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import NoReturn

    from bgrun.local.manifest import RunPlan

STUCK_LOOK_S = 0.5
"""How often to try again for a mutex that somebody holds, while other runs of the plan are minded."""
_AT_ONCE_S = 0.05
_FAILED = 255


class Waiting(NamedTuple):
    """A run in line: its ticket, and the process that sleeps until its turn."""

    run_id: str
    ticket: Ticket
    pid: int


class AdmissionQueue:
    """What a plan's runs hold of their concurrency groups, and what they wait for.

    `recorded` is the log folder as others have to name it.
    """

    def __init__(self, log_dir: str, recorded: str, runs: Iterable[RunPlan], helpers: set[int]) -> None:
        self.log_dir = recorded
        self.wanted = {run.run_id: run.concurrency for run in runs if run.concurrency}
        self.places = {run_id: slots.place_of(log_dir, one) for run_id, one in self.wanted.items()}
        self.helpers = helpers
        self.slots: dict[str, Slot] = {}
        self.waiting: dict[str, Waiting] = {}
        self.broken: set[str] = set()
        self.stuck: dict[str, tuple[float, float]] = {}

    @property
    def next_look_at(self) -> float | None:
        """When to try again for a mutex, on the steady clock; None while none is in the way."""
        return min((again for _, again in self.stuck.values()), default=None)

    def held_back(self) -> Collection[str]:
        """Return the runs that have to wait for a slot, or behind another one of this plan that does."""
        return [run_id for run_id in self.places if self.holds_back(run_id)] if self.waiting or self.stuck else ()

    def holds_back(self, run_id: str) -> bool:
        """Return whether a run has to wait for a slot, or behind another one."""
        place = self.places.get(run_id)
        if place is None or run_id in self.slots:
            return False
        _, again = self.stuck.get(run_id, (0.0, 0.0))
        return place.folder in self.waiting or clock.steady_clock() < again

    def slot_fd(self, run_id: str) -> int:
        """Return the descriptor that holds a run's slot, or -1."""
        slot = self.slots.get(run_id)
        return slot.fd if slot else -1

    def admit(self, run_id: str) -> str:
        """Let a run in, or have it wait; return what it waits for, or ''.

        Raises:
            BusyError: its group is full, and it is not to wait; or the mutex of the group does not come free.
            ScarceError: the system ran out of something; it may be tried again.
            LaunchError: it cannot wait.
        """
        if run_id not in self.places or run_id in self.slots:
            return ""
        place, wanted = self.places[run_id], self.wanted[run_id]
        try:
            got = self._enter(run_id, place, may_wait=wanted.when_busy != "reject")
        except StuckError as error:
            return self._try_later(run_id, error)
        self.stuck.pop(run_id, None)
        if isinstance(got, Slot):
            try:
                self.slots[run_id] = Slot(event_loop.out_of_reach(got.fd))
            except OSError as error:
                slots.release(got)
                raise ScarceError(f"cannot keep a slot of {place.folder}: {error.strerror}") from error
            return ""
        replaced = self._strangers(got) if wanted.when_busy == "replace" else []
        if wanted.scope == "project":
            here = now(self.log_dir)  # all of them are of this project, however that is named by now
            replaced = [one._replace(log_dir=here) for one in replaced]
        try:
            pid = _fork_waiter(got, replaced, run_id)
        except OSError as error:
            slots.give_up(got)
            raise ScarceError(f"cannot wait for {place.folder}: {error.strerror}") from error
        self.helpers.add(pid)
        self.waiting[place.folder] = Waiting(run_id, got, pid)
        return f"waits for its turn in the concurrency group {wanted.group} (limit {wanted.limit})"

    def _enter(self, run_id: str, place: Place, *, may_wait: bool) -> Slot | Ticket:
        if run_id in self.broken:
            raise LaunchError(f"the line before {place.folder} broke down")
        try:
            within_s = slots.MUTEX_S if len(self.places) == 1 and not self.stuck else _AT_ONCE_S
            return slots.enter(place, Owner(run_id, self.log_dir), may_wait=may_wait, within_s=within_s)
        except (BusyError, StuckError):
            raise
        except StorageError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in SCARCE:
                raise ScarceError(error.message, error.hint) from error
            raise
        except BgrunError as error:
            raise LaunchError(error.message, error.hint) from error

    def _try_later(self, run_id: str, error: StuckError) -> str:
        """Return what a run waits for whose group is stuck: other runs of the plan are to be minded meanwhile."""
        now = clock.steady_clock()
        since, _ = self.stuck.get(run_id, (now, now))
        if len(self.places) == 1 or now - since >= slots.MUTEX_S:
            self.stuck.pop(run_id, None)
            raise BusyError(f"{error.message}, for {slots.MUTEX_S:g} s", error.hint) from error
        self.stuck[run_id] = since, now + STUCK_LOOK_S
        return error.message

    def _strangers(self, ticket: Ticket) -> list[Owner]:
        """Return who is ahead, but for runs of this very plan."""
        own = {Owner(run_id, self.log_dir) for run_id in self.places}
        return [owner for owner in ticket.ahead if owner not in own]

    def ended(self, pid: int, status: int) -> None:
        """Take note of a process that ended: where it slept for a run, its turn has come."""
        for folder, one in list(self.waiting.items()):
            if one.pid != pid:
                continue
            del self.waiting[folder]
            code = os.waitstatus_to_exitcode(status)
            if 0 <= code < len(one.ticket.slots):
                self.slots[one.run_id] = slots.claim(one.ticket, code, Owner(one.run_id, self.log_dir))
            else:
                # Killed by somebody: it goes to the end of the line. Ended by itself: it would again.
                slots.give_up(one.ticket)
                self.broken |= {one.run_id} if code >= 0 else set()

    def freshen(self) -> None:
        """Give the files of the locks that are held here, and of those that are waited for, the time of now."""
        held = [slot.fd for slot in self.slots.values()]
        held += [fd for one in self.waiting.values() for fd in (one.ticket.fd, *one.ticket.slots)]
        for fd in held:
            with suppress(OSError):
                os.utime(fd)

    def tidy(self, needed: Collection[str]) -> None:
        """Let go of every slot and ticket but those of the runs that are still `needed`."""
        self.stuck = {run_id: times for run_id, times in self.stuck.items() if run_id in needed}
        for run_id in [run_id for run_id in self.slots if run_id not in needed]:
            slots.release(self.slots.pop(run_id))
        for folder, one in [(folder, one) for folder, one in self.waiting.items() if one.run_id not in needed]:
            del self.waiting[folder]
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
            slots.give_up(one.ticket)


def _fork_waiter(ticket: Ticket, replaced: Iterable[Owner], run_id: str) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _wait(ticket, replaced, run_id, parent)
    return pid


def _wait(ticket: Ticket, replaced: Iterable[Owner], run_id: str, parent: int) -> NoReturn:
    """In the child: end what is to be replaced, sleep until a slot is ours, and tell its place by the exit code."""
    code = _FAILED
    try:
        _become_waiter(ticket, parent)
        _replace(replaced, run_id)
        slots.sleep_until_next(ticket)
        place = slots.sleep_until_free(ticket)
        # A slot that came after the supervisor's death is nobody's, and is free again with our end.
        code = place if os.getppid() == parent else _FAILED
    finally:
        os._exit(code)


def _become_waiter(ticket: Ticket, parent: int) -> None:
    """Keep nothing of the supervisor's but the open slots: no lock of a run may outlive it through us."""
    for number in event_loop.HEARD:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    event_loop.die_with(parent)
    event_loop.close_all(ticket.slots)


def _replace(replaced: Iterable[Owner], run_id: str) -> None:
    from bgrun.local.stopping import request
    from bgrun.store.store import Store

    reason = state.replaced_by(run_id)
    with suppress(BgrunError):
        for one in replaced:
            request.request(Store(one.log_dir), one.run_id, reason)
    for one in replaced:
        # One that cannot be ended keeps its slot: then there is nothing but to wait for it.
        with suppress(BgrunError):
            request.stop_run(Store(one.log_dir), one.run_id, reason=reason)
