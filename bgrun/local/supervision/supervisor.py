"""Supervise a plan: one small detached process, the parent of its jobs, records how each of them ended.

It sleeps in the kernel until a child exits, a stop is requested or a deadline comes; this is one turn of that loop.
Standard library only, and little of that: the supervisor stays as long as its jobs.
"""

from __future__ import annotations

import time

from bgrun.errors import BgrunError
from bgrun.light import signal, suppress
from bgrun.local.recording import journal
from bgrun.local.supervision import workdir
from bgrun.local.supervision.event_loop import REQUEST_CHECK_S, watch_touches
from bgrun.local.supervision.host import Host
from bgrun.local.supervision.run import RunTask
from bgrun.local.supervision.workdir import HERE
from bgrun.store import meta
from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bgrun.local.concurrency.queue import AdmissionQueue
    from bgrun.local.launch.manifest import Plan
    from bgrun.local.recording.group_journal import GroupJournal
    from bgrun.local.supervision.dispatcher import Dispatcher
    from bgrun.local.supervision.hooks import Hooks
    from bgrun.local.supervision.joined import Joined
    from bgrun.local.supervision.machine import Machine
    from bgrun.local.supervision.services import Services

STOP_SCAN_S = 0.1
"""Seconds between two steps of a stop; each child's exit makes one at once."""
CLOCK_CHECK_S = 2.0
"""The longest sleep before a deadline, in seconds: a machine that was suspended is noticed within this."""
FRESHEN_S = 86400.0
"""Seconds between two updates of the times of live runs' files."""
NEVER = float("inf")


class Supervisor:
    """Carries out one plan; made before the process that does so, which then says who it is.

    tasks: all runs of the plan by their run IDs. active: those that run or are being stopped.
    dispatcher: launches runs; None if they were launched by the process that this one took over from.
    services: finds out when services are ready; joined: when those of other plans are. None as for `dispatcher`.
    asked_to_stop: a stop may have been requested since requests were last read. ask_at: when to read them in any case.
    freshen_at: when to update the times of files next. Both on the steady clock.
    """

    def __init__(self, plan: Plan, machine: Machine) -> None:
        self.plan = plan
        self.machine = machine
        self.group = _group(plan)
        self.host = Host(HERE, machine, plan.log_dir, self.group)
        self.host.alone = len(plan.runs) == 1
        self.tasks = {run.run_id: RunTask(run, self.host) for run in plan.runs}
        self.active: dict[str, RunTask] = {}
        self.queue = _queue(plan, self.host.helpers)
        self.services: Services | None = None
        self.dispatcher: Dispatcher | None = None
        self.joined: Joined | None = None
        self.hooks = _hooks(plan, self.host.helpers)
        self.asked_to_stop = False
        self.ask_at = NEVER
        self.freshen_at = machine.now() + FRESHEN_S

    def be(self, pid: int, *, subreaper: bool) -> None:
        """Note the process that carries out the plan: this one."""
        self.host.facts |= {"supervisor_pid": str(pid), "supervisor_start": process.start_of(pid)}
        self.host.subreaper = subreaper

    def hear(self) -> None:
        """Have the kernel report stop requests that come without a signal, or check for them now and then.

        Those that came before, while nothing reported them, are read at once.
        """
        if watch_touches(f"{HERE}/jobs") < 0:
            self.ask_at = self.machine.now() + REQUEST_CHECK_S
        self._read_requests()

    def open(self) -> None:
        """Prepare to launch runs: make the records that exist before anything runs."""
        from bgrun.local.supervision.dispatcher import Dispatcher

        self.services = _services(self.plan, self.host, self.tasks)
        self.dispatcher = Dispatcher(self.plan, self.host, self.tasks, self.active, self.queue, self.services)
        self.joined = self.dispatcher.joined
        self.dispatcher.open()

    @property
    def known(self) -> bytes:
        """The text of the meta, where the plan is of one run that runs."""
        born = [one.child for one in self.tasks.values()]
        return born[0].known if len(born) == 1 and born[0] and not self.group else b""

    @property
    def only_waits(self) -> bool:
        """Whether nothing is left to do but to wait for runs that only run."""
        waits = not (self.group or self.hooks or self.queue or self.probes)
        return waits and all(task.only_runs for task in self.tasks.values())

    @property
    def probes(self) -> bool:
        """Whether the readiness of a service is being checked, or is yet to be recorded."""
        return bool(self.services and self.services.busy)

    # --- one turn -----------------------------------------------------------------------------

    def turn(self, came: int) -> bool:
        """Do what a signal asks for, and all that is due; return whether the plan is over."""
        if came == signal.SIGTERM:
            self.stop_all()
        self.asked_to_stop |= came == signal.SIGUSR1
        if came == signal.SIGIO:
            self.asked_to_stop = True
            for task in self.active.values():
                task.heard_of_writes()
        return self.advance()

    def advance(self) -> bool:
        """Do all that is due; return whether every run of the plan is over."""
        workdir.stay(self.plan.log_dir)
        self._reap()
        now = self.machine.now()
        if self.asked_to_stop or now >= self.ask_at:
            self.asked_to_stop = False
            self.ask_at = now + REQUEST_CHECK_S if self.ask_at < NEVER else NEVER
            self.freshen_at = now
            self._read_requests()
        if now >= self.freshen_at:
            self.freshen_at = now + FRESHEN_S
            self._freshen()
        for task in list(self.active.values()):
            task.check(now)
        if being_stopped := [task for task in self.active.values() if task.stopping]:
            self.machine.advance_stops(being_stopped)
        self._settle()
        if self.services:
            self.services.advance()
        if self.hooks:
            self.hooks.advance()
        self._tidy()
        done = self.dispatcher.dispatch() if self.dispatcher else not self.active
        self._tidy()
        return done

    def next_turn_s(self) -> float | None:
        """Return in how many seconds to take the next turn at the latest; None to sleep until a signal comes."""
        if self.dispatcher and self.dispatcher.more_to_launch:
            return 0.0
        if any(task.stopping for task in self.active.values()):
            return STOP_SCAN_S
        now = self.machine.now()
        deadlines = [task.deadline for task in self.active.values() if task.deadline < NEVER]
        times = [self.ask_at, self.freshen_at, *deadlines, *(task.check_at for task in self.active.values())]
        others = (self.dispatcher, self.hooks, self.queue, self.services, self.joined)
        times += [one.next_check_at for one in others if one] + ([now + CLOCK_CHECK_S] if deadlines else [])
        soonest = min(times)
        return None if soonest == NEVER else max(0.0, soonest - now)

    def _freshen(self) -> None:
        """Have the files of live runs look used, for whoever clears away what is a week old."""
        old = time.time() - FRESHEN_S / 2
        if self.group:
            journal.freshen(self.group.at, meta.pack(self.group.facts), old)
        for task in self._unfinished():
            journal.freshen(task.at, task.child.known if task.child else b"", old)
        if self.queue:
            self.queue.freshen()

    def _tidy(self) -> None:
        """Give back the slots and tickets of runs that are over."""
        if self.queue:
            self.queue.tidy({run_id for run_id, one in self.tasks.items() if one.state == "queued" or one.busy})

    # --- children that ended ------------------------------------------------------------------

    def _reap(self) -> None:
        if not (self.active or self.host.helpers):
            return
        by_pid = {task.pid: task for task in self.active.values() if not task.exit}
        for pid, status, usage in self.machine.reap():
            self.host.helpers.discard(pid)
            if self.hooks:
                self.hooks.ended(pid)
            for one in (self.queue, self.services, self.joined):
                if one:
                    one.ended(pid, status)
            if task := by_pid.get(pid):
                task.leader_ended(journal.Exit.of(status, usage, self.machine.now() - task.began))

    def _settle(self) -> None:
        """Take the runs out that are over with all processes they left, and call their hooks."""
        over = [task for task in self.active.values() if not task.busy]
        if self.dispatcher:
            self.dispatcher.has_room |= bool(over)
        for task in over:
            del self.active[task.plan.run_id]
            if self.hooks:
                self.hooks.call(task)

    def drain_hooks(self) -> bool:
        """Kill the hooks whose time is up; return whether none is left."""
        self._reap()
        return not self.hooks or self.hooks.advance()

    # --- stopping -----------------------------------------------------------------------------

    def _read_requests(self) -> None:
        requests = self.services or self.host
        for task in self._unfinished():
            if why := requests.stop_requested(task.at):
                task.stop(why)
                if self.host.stop_is_urgent(task.at):
                    task.skip_grace()

    def _unfinished(self) -> Iterable[RunTask]:
        return [task for task in self.tasks.values() if task.state in ("queued", "running")]

    def stop_all(self) -> None:
        """Stop every run of the plan: the supervisor itself was asked to end."""
        if self.group:
            self.group.note_stop()
        if self.group and self.services:
            self.services.stop_all = "stop"
            return
        for task in self._unfinished():
            task.stop("stop")

    # --- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Write the result of the group, and delete runs that exceed their retention."""
        for one in (self.services, self.joined):
            if one:
                one.close()
        if self.group:
            self.group.close(task.state for task in self.tasks.values() if not task.waived)
        _delete_old(self.plan)


def _delete_old(plan: Plan) -> None:
    """Delete the runs that exceed the retention of the labels in a plan, but none of the plan itself.

    One of its own may be older than others that have finished; the next start deletes it.
    """
    policies = {run.job.label: run.job.retention for run in plan.runs}
    if plan.group:
        policies[plan.group.label] = plan.group.retention
    if all(policy == (None, None) for policy in policies.values()):
        return
    from bgrun.store import retention
    from bgrun.store.store import Store

    own = {*(run.run_id for run in plan.runs), *((plan.group.run_id,) if plan.group else ())}
    with suppress(BgrunError, OSError):
        retention.apply(Store(HERE), policies, own)


def _queue(plan: Plan, helpers: set[int]) -> AdmissionQueue | None:
    """Return the queue of a plan with concurrency groups; no other plan loads its code, nor that of hooks."""
    if not any(run.job.concurrency for run in plan.runs):
        return None
    import select  # noqa: F401 - for the process that waits for a slot: by then a job may have removed it

    from bgrun.local.concurrency.queue import AdmissionQueue

    return AdmissionQueue(HERE, plan.log_dir, plan.runs, helpers)


def _services(plan: Plan, host: Host, tasks: Mapping[str, RunTask]) -> Services | None:
    if not any(run.job.service for run in plan.runs):
        return None
    from bgrun.local.supervision.services import Services

    return Services(plan, host, tasks)


def _group(plan: Plan) -> GroupJournal | None:
    if not plan.group:
        return None
    from bgrun.local.recording.group_journal import GroupJournal

    return GroupJournal(HERE, plan.group, plan.log_dir)


def _hooks(plan: Plan, helpers: set[int]) -> Hooks | None:
    if not any(run.job.hooks for run in plan.runs):
        return None
    from bgrun.local.supervision.hooks import Hooks

    return Hooks(helpers)
