"""The supervisor: one slim detached process per plan, the parent of its jobs, the first witness.

It sleeps in the kernel until a child ends, a stop is requested or a deadline comes, and writes down
how each run ended. Standard library only, and little of that: it stays as long as the jobs.
"""

from __future__ import annotations

import os
import sys

from bgrun.errors import BgrunError
from bgrun.lean import signal, suppress
from bgrun.local import hooks, ledger, schedule
from bgrun.local.kernel import Alarm, become_subreaper, steady_clock
from bgrun.local.member import Host, Member
from bgrun.local.plan import Plan, unpack
from bgrun.local.turnstile import Turnstile
from bgrun.runs import claim, record, retention

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

STOP_SCAN_S = 0.1
"""While something is being stopped: how often to look, apart from each child's end."""
MOST_LAUNCHES = 16
"""How many runs are launched in one turn: in between, children that ended are seen, and the caller let go."""
CLOCK_CHECK_S = 1.0
"""The longest sleep before a deadline: a machine that slept in between is noticed within this."""


class Supervisor:
    """Carries out one plan."""

    def __init__(self, plan: Plan, subreaper: bool) -> None:
        self.plan = plan
        self.helpers: set[int] = set()
        host = Host(plan.log_dir, subreaper, len(plan.runs) == 1, bool(plan.group), self.helpers, self._tell)
        self.members = {run.run_id: Member(run, host) for run in plan.runs}
        self.active: dict[str, Member] = {}
        self.order = _order(plan)
        self.turnstile = Turnstile(plan.log_dir, plan.runs, self.helpers)
        self.hooks = hooks.Hooks(self.helpers)
        self.group = ledger.GroupLedger(plan.log_dir, plan.group) if plan.group else None
        self.asked_to_stop = False
        self.more_to_launch = False

    def open(self) -> None:
        """Make the records that exist before anything runs: the group's, and those of who waits."""
        if self.group:
            self.group.open(self.members)
            for member in self.members.values():
                member.enqueue()
        for member in self.members.values():
            if member.plan.skip:
                member.never_run("skipped", member.plan.skip, waived=True)

    def withdraw(self) -> None:
        """Remove every record again: nothing was launched."""
        group = [self.plan.group.run_id] if self.plan.group else []
        claim.give_up(self.plan.log_dir, [*group, *self.members])

    def _tell(self, event: str) -> None:
        if self.group:
            self.group.tell(event)

    # --- one turn -----------------------------------------------------------------------------

    def advance(self) -> bool:
        """Do all that is due now; return whether every run of the plan is over."""
        self._reap()
        if self.asked_to_stop:
            self.asked_to_stop = False
            self._read_requests()
        now = steady_clock()
        for member in list(self.active.values()):
            if member.deadline is not None and now >= member.deadline:
                member.stop("timeout")
            member.bound_log(now)
            member.pursue()
        self._settle()
        self.hooks.kill_late()
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
        deadlines = [at - now for member in self.active.values() if (at := member.deadline) is not None]
        looks = [member.log_look_at - now for member in self.active.values()]
        looks += [min(*deadlines, CLOCK_CHECK_S)] if deadlines else []
        if (late := self.hooks.next_look_at) is not None:
            looks.append(late - now)
        return max(0.0, min(looks)) if looks else None

    def _schedule(self) -> bool:
        launched = 0
        while True:
            states = {run_id: member.state for run_id, member in self.members.items()}
            waived = {run_id for run_id, member in self.members.items() if member.waived}
            step = schedule.decide(states, self.order, waived, self.turnstile.held_back())
            self._rule_out(step)
            batch = step.launch[: MOST_LAUNCHES - launched]
            for run_id in batch:
                if not self.turnstile.holds_back(run_id):
                    self._launch(self.members[run_id])
            launched += len(batch)
            self.more_to_launch = len(batch) < len(step.launch)
            if self.more_to_launch or not (batch or step.skip or step.waive):
                return step.done and not self.active

    def _rule_out(self, step: schedule.Step) -> None:
        for run_id, why in step.stop.items():
            self.members[run_id].stop(why)
        for run_id, why in step.skip.items():
            self.members[run_id].never_run("skipped", why)
        for run_id, why in step.waive.items():
            self.members[run_id].never_run("skipped", why, waived=True)

    def _launch(self, member: Member) -> None:
        """Launch a run whose turn has come in the plan, unless it has to wait in its concurrency group."""
        run_id = member.plan.run_id
        try:
            if what := self.turnstile.admit(run_id):
                member.enqueue(what)
                return
            member.launch(self.turnstile.slot_fd(run_id))
        except BgrunError as error:
            if not self.group and not member.recorded:
                raise
            member.never_run("skipped", error.message)
            return
        self.active[run_id] = member

    def _tidy(self) -> None:
        """Give back the slots and tickets of runs that are over."""
        self.turnstile.tidy({run_id for run_id, one in self.members.items() if one.state == "queued" or one.busy})

    # --- children that ended ------------------------------------------------------------------

    def _reap(self) -> None:
        by_pid = {member.pid: member for member in self.active.values() if not member.exit}
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.helpers.discard(pid)
            self.hooks.ended(pid)
            self.turnstile.ended(pid, status)
            if member := by_pid.get(pid):
                member.leader_ended(ledger.Exit.of(status, usage, steady_clock() - member.began))

    def _settle(self) -> None:
        """Let go of the runs that are over with all that they left, and call their hooks."""
        over = [member for member in self.active.values() if not member.busy]
        for member in over:
            del self.active[member.plan.run_id]
            self._call_hooks(member)

    # --- hooks --------------------------------------------------------------------------------

    def _call_hooks(self, member: Member) -> None:
        wanted = hooks.due(member.plan.hooks, member.state)
        with suppress(BgrunError, OSError):
            run = record.read_run(self.plan.log_dir, member.plan.run_id) if wanted else None
            for hook in wanted if run else ():
                assert run  # noqa: S101 - see the line above
                self.hooks.start(hook, run, member.plan.facts.get("working_dir", "/"), member.plan.environment)

    def drain_hooks(self) -> bool:
        """Kill the hooks whose time is up; return whether none is left."""
        self._reap()
        self.hooks.kill_late()
        return not self.hooks.until

    # --- stopping -----------------------------------------------------------------------------

    def _read_requests(self) -> None:
        whole = self.group.stop_requested() if self.group else ""
        for member in self._unfinished():
            if why := whole or ledger.stop_requested(member.at):
                member.stop(why)

    def _unfinished(self) -> Iterable[Member]:
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
        for label, policy in policies.items():
            with suppress(BgrunError, OSError):
                retention.apply(self.plan.log_dir, label, policy)


def _order(plan: Plan) -> schedule.Order:
    needs = {run.run_id: run.needs for run in plan.runs if run.needs}
    return schedule.Order(needs, plan.group.max_parallel, plan.group.fail_fast) if plan.group else schedule.Order(needs)


def supervise(plan: Plan, ready_fd: int) -> None:
    """Carry out a plan; on `ready_fd` say `ok` once its record exists, or what went wrong."""
    alarm = Alarm()
    supervisor = Supervisor(plan, become_subreaper())
    try:
        supervisor.open()
        done = supervisor.advance()
    except BgrunError as error:
        supervisor.withdraw()
        os.write(ready_fd, f"{type(error).__name__}\n{error.message}\n{error.hint}".encode("utf-8", "replace"))
        return
    os.write(ready_fd, b"ok")
    os.close(ready_fd)
    while not done:
        came = alarm.sleep(supervisor.next_look())
        if signal.SIGTERM in came:
            supervisor.stop_all()
        supervisor.asked_to_stop |= signal.SIGUSR1 in came
        done = supervisor.advance()
    supervisor.close()
    while not supervisor.drain_hooks():
        alarm.sleep(supervisor.next_look())


def main() -> None:
    """Read the plan from standard input, let go of the caller, and carry it out."""
    ready_fd = int(sys.argv[2])
    os.set_inheritable(ready_fd, False)
    with open(0, "rb") as stdin:
        plan = unpack(stdin.read())
    null = os.open(os.devnull, os.O_RDWR)
    if null:
        os.dup2(null, 0)
        os.close(null)
    os.chdir("/")
    sys.path.extend(plan.module_path)
    try:
        supervise(plan, ready_fd)
    except Exception:
        ledger.note_fault(plan.log_dir)
        raise
