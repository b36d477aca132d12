"""The supervisor: one slim detached process per plan, the parent of its jobs, the first witness.

It sleeps in the kernel until a child ends, a stop is requested or a deadline comes, and writes down
how each run ended. Standard library only, and little of that: it stays as long as the jobs.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import BgrunError, LaunchError, ScarceError
from bgrun.light import signal, suppress
from bgrun.local import journal, workdir
from bgrun.local.descriptors import raise_limit
from bgrun.local.event_loop import REQUEST_CHECK_S, child_has_ended, reap_child, watch_touches
from bgrun.local.manifest import Plan
from bgrun.local.run import Host, RunTask
from bgrun.local.workdir import HERE
from bgrun.store import meta
from bgrun.system import process
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from bgrun.local import scheduler
    from bgrun.local.concurrency.queue import AdmissionQueue
    from bgrun.local.group_journal import GroupJournal
    from bgrun.local.hooks import Hooks
    from bgrun.local.log_limit import LogWatch
    from bgrun.local.reexec.bundle import Copy
    from bgrun.model import Retention

STOP_SCAN_S = 0.1
"""While something is being stopped: how often to look, apart from each child's end."""
MOST_LAUNCHES = 16
"""How many runs are launched in one turn: in between, children that ended are seen, and the caller let go."""
CLOCK_CHECK_S = 2.0
"""The longest sleep before a deadline: a machine that slept in between is noticed within this."""

FRESHEN_S = 86400.0
"""How often the files of live runs are given a new time."""
FEW, FDS_EACH = 60, 3
"""Up to how many runs no limit of descriptors is in the way, and how many descriptors each of more may need."""
SCARCE_LOOK_S, SCARCE_S = 1.0, 60.0
"""Where the system has nothing left for a launch: how often to try again, and how long while no run of ours lives."""

NEVER = float("inf")


class Supervisor:
    """Carries out one plan; made before the process that does so, which then says who it is."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.host = Host(HERE, self._tell, self._ask_for_writes)
        self.host.recorded, self.host.keep_code = plan.log_dir, self.keep_code
        self.host.alone, self.host.grouped = len(plan.runs) == 1, bool(plan.group)
        self.members = {run.run_id: RunTask(run, self.host) for run in plan.runs}
        self.active: dict[str, RunTask] = {}
        self.order = _order(plan) if len(plan.runs) > 1 else None
        self.turnstile = _turnstile(plan, self.host.helpers)
        self.hooks = _hooks(plan, self.host.helpers)
        self.group = _group(plan)
        self.log_watch: LogWatch | None = None
        self.code: Copy | None = None
        self.asked_to_stop = False
        self.ask_at = NEVER
        self.more_to_launch = False
        self.freshen_at = steady_clock() + FRESHEN_S
        self.scarce_since = NEVER
        self.launch_at = 0.0
        self.has_settled = False

    def keep_code(self) -> None:
        """Take a copy of all code that may be needed, once: from the first job on any of it may be replaced.

        Raises:
            LaunchError: some of it is gone already.
        """
        if self.code:
            return
        from bgrun.local.reexec import bundle

        try:
            self.code = bundle.take()
            if self.turnstile:
                import select  # noqa: F401 - for who waits in line
            if not process.LINUX:
                import psutil  # noqa: F401
        except (ImportError, SyntaxError) as error:
            raise LaunchError(f"a part of bgrun is missing: {error}", "install it again") from error

    def be(self, pid: int, *, subreaper: bool) -> None:
        """Take note of the process that carries out the plan: this one."""
        self.host.facts |= {"supervisor_pid": str(pid), "supervisor_start": process.start_of(pid)}
        self.host.subreaper = subreaper

    def hear(self) -> None:
        """Have word of stop requests that come without a signal, or look for them now and then."""
        if watch_touches(HERE) < 0:
            self.ask_at = steady_clock() + REQUEST_CHECK_S

    def open(self) -> None:
        """Make the records that exist before anything runs: the group's, and those of who waits."""
        if len(self.members) > FEW:
            raise_limit(len(self.members) * FDS_EACH + FEW)
        if self.group:
            self.group.open(self.members)
            for member in self.members.values():
                member.enqueue()
        for member in self.members.values():
            if member.plan.skip:
                member.never_run("skipped", member.plan.skip, waived=True)

    @property
    def known(self) -> bytes:
        """The text of the meta, where the plan is of one run that runs."""
        born = [one.child for one in self.members.values()]
        return born[0].known if len(born) == 1 and born[0] and not self.group else b""

    def withdraw(self) -> None:
        """Remove every record again: nothing was launched."""
        from bgrun.store import claim
        from bgrun.store.store import Store

        group = [self.plan.group.run_id] if self.plan.group else []
        claim.give_up(Store(HERE), [*group, *self.members])

    def _tell(self, event: str) -> None:
        if self.group:
            self.group.log(event)

    def _ask_for_writes(self) -> bool:
        if not self.log_watch:
            from bgrun.local.log_limit import LogWatch

            self.log_watch = LogWatch(HERE)
        return self.log_watch.arm()

    # --- going on in another interpreter ------------------------------------------------------

    @property
    def only_waits(self) -> bool:
        """Whether there is nothing to it but one run that goes on."""
        return not (self.group or self.hooks or self.turnstile) and all(one.only_runs for one in self.members.values())

    @property
    def kept_fds(self) -> tuple[int, ...]:
        """The descriptors that the next interpreter needs: the locks of the runs."""
        return tuple(one.child.lock_fd for one in self.members.values() if one.child)

    def handed_on(self) -> Any:
        """Return what the next interpreter has to know: of a plan whose runs only run."""
        return self.plan, (self.host.subreaper, [one.handed_on() for one in self.members.values()])

    @classmethod
    def taking_over(cls, plan: Plan, state: Any) -> Supervisor:
        """Return the supervisor that goes on where another one stood."""
        subreaper, members = state
        supervisor = cls(plan)
        supervisor.be(os.getpid(), subreaper=subreaper)
        for member, raw in zip(supervisor.members.values(), members, strict=True):
            member.take_over(*raw)
            supervisor.active[member.plan.run_id] = member
        return supervisor

    # --- one turn -----------------------------------------------------------------------------

    def turn(self, came: int) -> bool:
        """Do what a signal that came asks for, and all that is due; return whether the plan is over."""
        if came == signal.SIGTERM:
            self.stop_all()
        self.asked_to_stop |= came == signal.SIGUSR1
        if came == signal.SIGIO:
            self.asked_to_stop = True
            for member in self.active.values():
                member.heard_of_writes()
        return self.advance()

    def advance(self) -> bool:
        """Do all that is due now; return whether every run of the plan is over."""
        workdir.stay(self.plan.log_dir)
        self._reap()
        now = steady_clock()
        if self.asked_to_stop or now >= self.ask_at:
            self.asked_to_stop = False
            self.ask_at = now + REQUEST_CHECK_S if self.ask_at < NEVER else NEVER
            self.freshen_at = now
            self._read_requests()
        if now >= self.freshen_at:
            self.freshen_at = now + FRESHEN_S
            self._freshen()
        for member in list(self.active.values()):
            if member.deadline is not None and now >= member.deadline:
                member.stop("timeout")
            member.look(now)
        self._pursue()
        self._settle()
        if self.hooks:
            self.hooks.kill_late()
            self.hooks.start_waiting()
        self._tidy()
        done = self._schedule()
        self._tidy()
        return done

    def next_look(self) -> float | None:
        """Return in how many seconds to look again at the latest; None to sleep until woken."""
        if self.more_to_launch:
            return 0.0
        if any(member.stopping for member in self.active.values()):
            return STOP_SCAN_S
        now = steady_clock()
        looks = [self.ask_at - now, self.freshen_at - now]
        deadlines = [at - now for member in self.active.values() if (at := member.deadline) is not None]
        looks += [member.look_at - now for member in self.active.values()]
        looks += [self.launch_at - now] if self.launch_at else []
        looks += [min(*deadlines, CLOCK_CHECK_S)] if deadlines else []
        if self.hooks and (late := self.hooks.next_check_at) is not None:
            looks.append(late - now)
        if self.turnstile and (again := self.turnstile.next_check_at) is not None:
            looks.append(again - now)
        soonest = min(looks, default=NEVER)
        return None if soonest == NEVER else max(0.0, soonest)

    def _freshen(self) -> None:
        """Have the files of live runs look used, for whoever clears away what is a week old."""
        old = time.time() - FRESHEN_S / 2
        if self.group:
            journal.freshen(self.group.at, meta.pack(self.group.facts), old)
        for member in self._unfinished():
            journal.freshen(member.at, member.child.known if member.child else b"", old)
        if self.turnstile:
            self.turnstile.freshen()

    def _schedule(self) -> bool:
        """Launch what is due, and return whether the plan is over; one of a single run needs no schedule for that."""
        if steady_clock() < self.launch_at and not self.has_settled:
            return False
        self.launch_at, self.has_settled = 0.0, False
        if self.order:
            return self._schedule_many(self.order)
        for member in self.members.values():
            if member.state == "queued" and not (self.turnstile and self.turnstile.holds_back(member.plan.run_id)):
                self._launch(member)
        return not self.active and not any(member.state == "queued" for member in self.members.values())

    def _schedule_many(self, order: scheduler.Order) -> bool:
        from bgrun.local import scheduler

        launched = 0
        while True:
            states = {run_id: member.state for run_id, member in self.members.items()}
            waived = {run_id for run_id, member in self.members.items() if member.waived}
            held_back = self.turnstile.held_back() if self.turnstile else ()
            step = scheduler.decide(states, order, waived, held_back)
            self._rule_out(step)
            batch = step.launch[: MOST_LAUNCHES - launched]
            for run_id in batch:
                if not self.launch_at and not (self.turnstile and self.turnstile.holds_back(run_id)):
                    self._launch(self.members[run_id])
            if self.launch_at:
                self.more_to_launch = False  # until then there is nothing to stay awake for
                return False
            launched += len(batch)
            self.more_to_launch = len(batch) < len(step.launch)
            if self.more_to_launch or not (batch or step.skip or step.waive):
                return step.done and not self.active

    def _rule_out(self, step: scheduler.Step) -> None:
        for run_id, why in step.stop.items():
            self.members[run_id].stop(why)
        for run_id, why in step.skip.items():
            self.members[run_id].never_run("skipped", why)
        for run_id, why in step.waive.items():
            self.members[run_id].never_run("skipped", why, waived=True)

    def _launch(self, member: RunTask) -> None:
        """Launch a run whose turn has come in the plan, unless it has to wait in its concurrency group."""
        run_id = member.plan.run_id
        if member.recorded and (why := self._requested(member)):
            member.stop(why)  # asked for since the last look, by who then ended what it waited for
            return
        try:
            if self.turnstile and (what := self.turnstile.admit(run_id)):
                member.enqueue(what)
                return
            member.launch(self.turnstile.slot_fd(run_id) if self.turnstile else -1)
        except ScarceError as error:
            if not self._may_wait(member):
                self._not_launched(member, error)
            return
        except BgrunError as error:
            self._not_launched(member, error)
            return
        self.scarce_since = NEVER
        self.active[run_id] = member

    def _not_launched(self, member: RunTask, error: BgrunError) -> None:
        if not self.group and not member.recorded:
            raise error
        member.never_run("skipped", workdir.spelled(error.message, self.plan.log_dir))

    def _may_wait(self, member: RunTask) -> bool:
        """Whether a run for which the system has nothing left stays queued until others have ended."""
        now = steady_clock()
        self.scarce_since = min(self.scarce_since, now)
        if not (self.active or now < self.scarce_since + SCARCE_S) or not (self.group or member.recorded):
            return False
        self.launch_at = now + SCARCE_LOOK_S
        return True

    def _tidy(self) -> None:
        """Give back the slots and tickets of runs that are over."""
        if self.turnstile:
            self.turnstile.tidy({run_id for run_id, one in self.members.items() if one.state == "queued" or one.busy})

    # --- children that ended ------------------------------------------------------------------

    def _reap(self) -> None:
        if not (self.active or self.host.helpers) or not child_has_ended():
            return
        by_pid = {member.pid: member for member in self.active.values() if not member.exit}
        while True:
            try:
                pid, status, usage = reap_child()
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.host.helpers.discard(pid)
            if self.hooks:
                self.hooks.ended(pid)
            if self.turnstile:
                self.turnstile.ended(pid, status)
            if member := by_pid.get(pid):
                member.leader_ended(journal.Exit.of(status, usage, steady_clock() - member.began))

    def _settle(self) -> None:
        """Let go of the runs that are over with all that they left, and call their hooks."""
        over = [member for member in self.active.values() if not member.busy]
        self.has_settled |= bool(over)
        for member in over:
            del self.active[member.plan.run_id]
            self._call_hooks(member)

    # --- hooks --------------------------------------------------------------------------------

    def _call_hooks(self, member: RunTask) -> None:
        if not self.hooks:
            return
        from bgrun.store import record
        from bgrun.store.paths import RunPaths

        with suppress(BgrunError, OSError):
            now = workdir.now(self.plan.log_dir)
            if run := record.read_run(RunPaths(now, member.plan.run_id)):
                works_in = member.moved(member.plan.facts.get("working_dir", "/"))
                self.hooks.start_due(member.plan.hooks, run, works_in, member.plan.environment)

    def drain_hooks(self) -> bool:
        """Kill the hooks whose time is up; return whether none is left."""
        self._reap()
        if self.hooks:
            self.hooks.kill_late()
            self.hooks.start_waiting()
        return not (self.hooks and (self.hooks.until or self.hooks.waiting))

    # --- stopping -----------------------------------------------------------------------------

    def _read_requests(self) -> None:
        for member in self._unfinished():
            if why := self._requested(member):
                member.stop(why)
                if journal.stop_is_urgent(member.at) or (self.group and journal.stop_is_urgent(self.group.at)):
                    member.skip_grace()

    def _requested(self, member: RunTask) -> str:
        """Return why the end of a run, or of all of the group, was asked for, or ''."""
        return (self.group.stop_requested() if self.group else "") or journal.stop_requested(member.at)

    def _pursue(self) -> None:
        if being_stopped := [member for member in self.active.values() if member.stopping]:
            from bgrun.local.stopping import stopper

            stopper.advance(being_stopped)

    def _unfinished(self) -> Iterable[RunTask]:
        return [member for member in self.members.values() if member.state in ("queued", "running")]

    def stop_all(self) -> None:
        """Stop every run of the plan: somebody ended the supervisor in an orderly way."""
        if self.group:
            self.group.note_stop()
        for member in self._unfinished():
            member.stop("stop")

    # --- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Write the group's verdict and let retention remove what may go."""
        if self.group:
            self.group.close(member.state for member in self.members.values() if not member.waived)
        policies = {member.plan.label: member.plan.retention for member in self.members.values()}
        if self.plan.group:
            policies[self.plan.group.label] = self.plan.group.retention
        if any(policy != (None, None) for policy in policies.values()):
            self._retire(policies)

    def _retire(self, policies: Mapping[str, Retention]) -> None:
        """Let go of what need not be kept."""
        from bgrun.store import retention
        from bgrun.store.store import Store

        for label, policy in policies.items():
            with suppress(BgrunError, OSError):
                retention.apply(Store(HERE), label, policy)


def _turnstile(plan: Plan, helpers: set[int]) -> AdmissionQueue | None:
    """Return what a plan with concurrency groups needs; no other loads the code of it, nor that of hooks."""
    if not any(run.concurrency for run in plan.runs):
        return None
    from bgrun.local.concurrency.queue import AdmissionQueue

    return AdmissionQueue(HERE, plan.log_dir, plan.runs, helpers)


def _group(plan: Plan) -> GroupJournal | None:
    if not plan.group:
        return None
    from bgrun.local.group_journal import GroupJournal

    return GroupJournal(HERE, plan.group, plan.log_dir)


def _hooks(plan: Plan, helpers: set[int]) -> Hooks | None:
    if not any(run.hooks for run in plan.runs):
        return None
    from bgrun.local.hooks import Hooks

    return Hooks(helpers)


def _order(plan: Plan) -> scheduler.Order:
    from bgrun.local import scheduler

    needs = {run.run_id: run.needs for run in plan.runs if run.needs}
    group = plan.group
    return scheduler.Order(needs, group.max_parallel, group.fail_fast) if group else scheduler.Order(needs)
