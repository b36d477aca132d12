"""The supervisor: one slim detached process per plan, the parent of its jobs, the first witness.

It sleeps in the kernel until a child ends, a stop is requested or a deadline comes, and writes down
how each run ended. Standard library only, and little of that: it stays as long as the jobs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from bgrun.errors import BgrunError
from bgrun.local import awake, child, escalate, ledger, logbound, schedule, tree
from bgrun.local.kernel import Alarm, become_subreaper, steady_clock
from bgrun.local.plan import Plan, RunPlan, unpack
from bgrun.runs import claim, process, record, retention, state
from bgrun.runs.layout import RunFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.local.escalate import Stopping
    from bgrun.model import State

STOP_SCAN_S = 0.1
"""While something is being stopped: how often to look, apart from each child's end."""
CLOCK_CHECK_S = 1.0
"""The longest sleep before a deadline: a machine that slept in between is noticed within this."""


class Member:
    """One run of the plan as the supervisor keeps it: its plan and what has become of it."""

    def __init__(self, plan: RunPlan, at: RunFiles) -> None:
        self.plan = plan
        self.at = at
        self.state: State = "queued"
        self.child: child.Child | None = None
        self.began = 0.0
        self.inhibitor = 0
        self.log_look_at = 0.0
        self.stopping: Stopping | None = None
        self.exit: ledger.Exit | None = None
        self.ended: set[tuple[int, str]] = set()
        self.command_was_hit = False

    @property
    def pid(self) -> int:
        """The pid of its leader; 0 before it was launched."""
        return self.child.pid if self.child else 0

    @property
    def deadline(self) -> float | None:
        """When its timeout ends, on the steady clock."""
        timeout_s = self.plan.limits.timeout_s
        if timeout_s is None or self.state != "running" or self.stopping:
            return None
        return self.began + timeout_s


class Supervisor:
    """Carries out one plan."""

    def __init__(self, plan: Plan, subreaper: bool) -> None:
        self.plan = plan
        self.subreaper = subreaper
        self.members = {run.run_id: Member(run, RunFiles(plan.log_dir, run.run_id)) for run in plan.runs}
        self.group = ledger.GroupLedger(plan.log_dir, plan.group) if plan.group else None
        self.asked_to_stop = False

    def open(self) -> None:
        """Make the records that exist before anything runs: the group's, and those of who waits."""
        if self.group:
            self.group.open(self.members)
            for member in self.members.values():
                ledger.enqueue(member.at, self._facts(member))

    def withdraw(self) -> None:
        """Remove every record again: nothing was launched."""
        group = [self.plan.group.run_id] if self.plan.group else []
        claim.give_up(self.plan.log_dir, [*group, *self.members])

    def _facts(self, member: Member) -> dict[str, str]:
        me = os.getpid()
        return {**member.plan.facts, "supervisor_pid": str(me), "supervisor_start": process.start_of(me)}

    # --- one turn -----------------------------------------------------------------------------

    def advance(self) -> bool:
        """Do all that is due now; return whether the plan is done."""
        self._reap()
        self._begin_stops()
        self._bound_logs()
        for member in list(self.members.values()):
            self._pursue(member)
        return self._schedule()

    def next_look(self) -> float | None:
        """Return in how many seconds to look again at the latest; None to sleep until woken."""
        if any(member.stopping for member in self.members.values()):
            return STOP_SCAN_S
        running = [member for member in self.members.values() if member.state == "running"]
        deadlines = [at for member in running if (at := member.deadline) is not None]
        now = steady_clock()
        looks = [member.log_look_at - now for member in running]
        looks += [min(min(deadlines) - now, CLOCK_CHECK_S)] if deadlines else []
        return max(0.0, min(looks)) if looks else None

    def _schedule(self) -> bool:
        group = self.plan.group
        bounds = (group.max_parallel, group.fail_fast) if group else (None, False)
        while True:
            states = {run_id: member.state for run_id, member in self.members.items()}
            step = schedule.decide(states, bounds[0], fail_fast=bounds[1])
            for run_id, why in step.stop.items():
                self._stop(self.members[run_id], why)
            for run_id, why in step.skip.items():
                self._never_ran(self.members[run_id], "skipped", why)
            for run_id in step.launch:
                self._launch(self.members[run_id])
            if not step.launch and not step.skip:
                return step.done and not any(member.stopping for member in self.members.values())

    # --- launching ----------------------------------------------------------------------------

    def _launch(self, member: Member) -> None:
        try:
            member.child = child.launch(member.at, self._facts(member), member.plan.environment)
        except BgrunError as error:
            if not self.group:
                raise
            self._never_ran(member, "skipped", error.message)
            return
        member.state = "running"
        member.began = steady_clock()
        member.log_look_at = member.began + logbound.next_look_s(0, member.plan.limits.max_log_bytes)
        if member.plan.inhibit_sleep:
            member.inhibitor = awake.keep_awake(member.pid, member.plan.label)
        if self.group:
            self.group.tell(f"started {member.plan.run_id} pid={member.pid}")

    def _never_ran(self, member: Member, final: State, why: str) -> None:
        member.state = final
        ledger.close_unstarted(member.at, self._facts(member), final, why)
        if self.group:
            self.group.tell(f"{final} {member.plan.run_id}: {why}")

    # --- children that ended ------------------------------------------------------------------

    def _reap(self) -> None:
        by_pid = {member.pid: member for member in self.members.values() if member.state == "running"}
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._forget_inhibitor(pid)
            if member := by_pid.get(pid):
                self._leader_ended(member, ledger.Exit.of(status, usage, steady_clock() - member.began))

    def _forget_inhibitor(self, pid: int) -> None:
        """One that has ended by itself is never signalled: its pid may be somebody else's by then."""
        for member in self.members.values():
            if member.inhibitor == pid:
                member.inhibitor = 0

    def _leader_ended(self, member: Member, seen: ledger.Exit) -> None:
        member.exit = seen
        ledger.write_exit(member.at, seen.code)
        if not member.stopping:
            self._conclude(member)
            if state.signal_name(seen.code):
                # Whoever kills the job script or its command means the job: what that leaves goes too.
                limits = member.plan.limits
                member.stopping = escalate.begin("", limits.stop_signal, limits.stop_grace_s, steady_clock())

    def _conclude(self, member: Member, left: int = 0) -> None:
        assert member.child and member.exit  # noqa: S101 - only a launched run can end
        reason = member.stopping.reason if member.stopping and self._was_ended(member) else ""
        verdict = state.verdict_of(member.exit.code, member.plan.limits.success_exit_codes, reason)
        more = {"stopped_processes": str(len(member.ended))} if reason else {}
        if reason:
            verdict = verdict._replace(reason=_stop_told(verdict.reason, len(member.ended), left))
        logbound.bound(member.at.log, member.plan.limits.max_log_bytes)
        ledger.close(member.at, member.child, member.exit, verdict, more)
        member.state = verdict.state
        if member.inhibitor:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.inhibitor, signal.SIGTERM)
        if self.group:
            self.group.tell(f"{verdict.state} {member.plan.run_id} exit={verdict.exit_code}")

    @staticmethod
    def _was_ended(member: Member) -> bool:
        """Whether our signals ended it: where they reached no command and no script, it ended by itself."""
        script_was_hit = bool(member.exit and member.exit.killed and member.ended)
        return member.command_was_hit or script_was_hit

    # --- logs ---------------------------------------------------------------------------------

    def _bound_logs(self) -> None:
        now = steady_clock()
        for member in self.members.values():
            if member.state == "running" and now >= member.log_look_at:
                self._bound_log(member, now)

    def _bound_log(self, member: Member, now: float) -> None:
        most = member.plan.limits.max_log_bytes
        if not logbound.bound(member.at.log, most):
            self._stop(member, f"its log grew beyond {most} bytes")
        member.log_look_at = now + logbound.next_look_s(logbound.on_disk(member.at.log), most)

    # --- stopping -----------------------------------------------------------------------------

    def _begin_stops(self) -> None:
        now = steady_clock()
        for member in self.members.values():
            if member.deadline is not None and now >= member.deadline:
                self._stop(member, "timeout")
        if self.asked_to_stop:
            self.asked_to_stop = False
            self._read_requests()

    def _read_requests(self) -> None:
        whole = self.group.stop_requested() if self.group else False
        for member in self.members.values():
            if member.state in ("queued", "running") and (whole or ledger.stop_requested(member.at)):
                self._stop(member, "stop")

    def stop_all(self) -> None:
        """Stop every run of the plan: somebody ended the supervisor in an orderly way."""
        if self.group:
            self.group.note_stop()
        for member in self.members.values():
            self._stop(member, "stop")

    def _stop(self, member: Member, reason: str) -> None:
        if member.state == "queued":
            self._never_ran(member, "stopped", "stopped before it started")
        elif member.state == "running" and not member.stopping:
            limits = member.plan.limits
            member.stopping = escalate.begin(reason, limits.stop_signal, limits.stop_grace_s, steady_clock())

    def _pursue(self, member: Member) -> None:
        """Take the stop of one run a step further."""
        stopping = member.stopping
        if not stopping:
            return
        found = tree.find(self._claim(member))
        if not found and member.exit:
            self._stop_over(member)
            return
        phase = escalate.phase(stopping, steady_clock())
        if phase == "ask" and found:
            self._ask(member, stopping, found)
        elif phase == "kill":
            self._kill(member, stopping, found)
        elif phase == "give up" and member.exit:
            self._stop_over(member, left=len(found))

    def _ask(self, member: Member, stopping: Stopping, found: list[process.Process]) -> None:
        """Send the stop signal to all but the job script, which then ends with the command's own code."""
        if not member.exit and ledger.command_is_over(member.at):
            return  # it ends by itself, and is about to say how
        self._record_stop(member, stopping)
        below = [one for one in found if one.pid != member.pid]
        reached = tree.ask(below or found, stopping.signal)
        self._note(member, reached)
        tree.send(found, "SIGCONT")  # the job script too: one that was suspended could not answer
        member.stopping = stopping._replace(asked=bool(reached))

    def _kill(self, member: Member, stopping: Stopping, found: list[process.Process]) -> None:
        """Kill what is left: first hold all of it still, so that nothing forks away meanwhile."""
        self._record_stop(member, stopping)
        known: dict[tuple[int, str], process.Process] = {}
        while found and steady_clock() < stopping.give_up_at:
            tree.send(found, "SIGSTOP")
            known |= {one.key: one for one in found}
            found = [one for one in tree.find(self._claim(member)) if one.key not in known]
        self._note(member, tree.send(known.values(), "SIGKILL"))

    def _record_stop(self, member: Member, stopping: Stopping) -> None:
        """Record what is wanted before the signal, for whoever reads this if we are killed meanwhile."""
        if stopping.reason:
            with contextlib.suppress(OSError):
                record.write_stop(member.at, stopping.reason, signalled=True)

    def _note(self, member: Member, reached: list[process.Process]) -> None:
        """Keep what our signals reached: it tells a run that was ended from one that ended by itself."""
        member.ended.update(one.key for one in reached)
        if not member.exit and any(one.pid != member.pid for one in reached):
            member.command_was_hit = True

    def _stop_over(self, member: Member, left: int = 0) -> None:
        if member.state == "running":
            self._conclude(member, left)
        member.stopping = None

    def _claim(self, member: Member) -> tree.Claim:
        return tree.Claim(
            mark=tree.mark_of(self.plan.log_dir, member.plan.run_id),
            log=member.at.log,
            # Once it is reaped its pid may be somebody else's: then only descent and marks count.
            leader=member.pid if self.subreaper or not member.exit else 0,
            ancestor=os.getpid() if self.subreaper else 0,
            whole=self.subreaper and len(self.members) == 1,
            not_these=frozenset(one.inhibitor for one in self.members.values() if one.inhibitor),
        )

    # --- the end ------------------------------------------------------------------------------

    def close(self) -> None:
        """Write the group's verdict and let retention remove what may go."""
        if self.group:
            self.group.close(member.state for member in self.members.values())
        policies = {member.plan.label: member.plan.retention for member in self.members.values()}
        if self.plan.group:
            policies[self.plan.group.label] = self.plan.group.retention
        for label, policy in policies.items():
            with contextlib.suppress(BgrunError, OSError):
                retention.apply(self.plan.log_dir, label, policy)


def _stop_told(reason: str | None, ended: int, left: int) -> str:
    counted = f"{reason}; ended {ended} process{'' if ended == 1 else 'es'}"
    return f"{counted}, {left} could not be ended" if left else counted


def supervise(plan: Plan, ready_fd: int) -> None:
    """Carry out a plan; on `ready_fd` say `ok` once its record exists, or what went wrong."""
    alarm = Alarm()
    supervisor = Supervisor(plan, become_subreaper())
    try:
        supervisor.open()
        done = supervisor.advance()
    except BgrunError as error:
        supervisor.withdraw()
        os.write(ready_fd, f"{error.message}\n{error.hint}".encode("utf-8", "replace"))
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
