"""Supervise one run of a plan: limit it, stop it, and write down how it ended.

What only limits and stops need is imported when they come: the caller waits for the launch, and a supervisor asleep
does without. Its copy of the code has all of that (see `bundle`).
"""

from __future__ import annotations

import os

from bgrun.local.recording import journal
from bgrun.local.supervision import workdir
from bgrun.store.paths import RunPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.local.recording.fresh import Before
    from bgrun.local.recording.reports import ReportRequest
    from bgrun.local.stopping.policy import Stopping
    from bgrun.local.supervision.host import Host
    from bgrun.local.supervision.log_limit import LogLimiter
    from bgrun.model import State
    from bgrun.plan import RenderedJob, RunPlan
    from bgrun.store.state import Verdict
    from bgrun.system.process import Process

NEVER = float("inf")
SETTLE_AFTER_S = 0.02
"""Delay before secondary work, so that it does not compete with the job's start."""


class Reached:
    """What the signals of a stop reached, which decides whether a run was stopped or ended by itself.

    processes: all of them, as PID and start time. command: the command was among them.
    """

    def __init__(self) -> None:
        self.processes: set[tuple[int, str]] = set()
        self.command = False

    def add(self, reached: Iterable[Process], script_pid: int, *, script_exited: bool) -> None:
        """Add processes; once the script has exited, what is reached was left by the command."""
        keys = [one.key for one in reached]
        self.processes.update(keys)
        if not script_exited and any(pid != script_pid for pid, _ in keys):
            self.command = True

    def ended_it(self, seen: journal.Exit) -> bool:
        """Return whether the signals ended the run; False if they reached neither its command nor its script."""
        return self.command or bool(seen.killed and self.processes)


class RunTask:
    """A run: its plan, and what has become of it.

    released: it is a service that is being stopped because nothing needs it. ready_at: when it was first ready, or ''.
    """

    def __init__(self, plan: RunPlan, host: Host) -> None:
        self.plan = plan
        self.host = host
        self.at = RunPaths(host.log_dir, plan.run_id)
        self.state: State = "queued"
        self.waived = False
        self.child: journal.Child | None = None
        self.reports_before: Before | None = None
        self.lock_fd = -1
        self.recorded = False
        self.began = 0.0
        self.inhibitor = 0
        self.settle_at = 0.0
        self.log: LogLimiter | None = None
        self.stopping: Stopping | None = None
        self.exit: journal.Exit | None = None
        self.reached = Reached()
        self.released = False
        self.ready_at = ""

    @property
    def pid(self) -> int:
        """The PID of its job script; 0 before the launch."""
        return self.child.pid if self.child else 0

    @property
    def busy(self) -> bool:
        """Whether it runs, or something of it is still being stopped."""
        return self.state == "running" or self.stopping is not None

    @property
    def deadline(self) -> float:
        """When its timeout ends, on the steady clock; NEVER without one, or once it is being stopped."""
        timeout_s = self.plan.job.limits.timeout_s
        if timeout_s is None or self.state != "running" or self.stopping:
            return NEVER
        return self.began + timeout_s

    def moved(self, path: str) -> str:
        """Return a path as it is now: the project may have been renamed since the plan was made."""
        recorded = self.host.recorded
        return workdir.moved(path, self.plan.facts.get("repo_dir", ""), recorded, workdir.now(recorded))

    def facts(self) -> dict[str, str]:
        """Return the first lines of its meta."""
        return {**self.plan.facts, **self.host.facts}

    # --- its beginning ------------------------------------------------------------------------

    def enqueue(self, waits_for: str = "") -> None:
        """Make its record while it is queued; without a group it needs a lock of its own.

        Raises:
            LaunchError: the record cannot be kept.
        """
        if self.host.group:
            journal.enqueue(self.at, self.facts(), waits_for)
        elif not self.recorded:
            self.lock_fd = journal.enqueue_locked(self.at, self.facts(), waits_for)
        self.recorded = True

    def launched(self, child: journal.Child) -> None:
        """Note its job script, which has begun."""
        self.child = child
        self.host.leaders.add(child.pid)
        self.state = "running"
        self.began = self.host.machine.now()
        self.settle_at = self.began + SETTLE_AFTER_S
        self.host.report(f"started {self.plan.run_id} pid={child.pid}")

    def never_run(self, final: State, why: str, *, waived: bool = False) -> None:
        """Finish it without a launch; a waived one does not count as a failure."""
        self.state, self.waived = final, waived
        self.host.release_port(self.plan.run_id)
        more = {"waived": "true"} if waived else {}
        if not self._is_anothers():
            journal.close_unstarted(self.at, {**self.facts(), **more}, final, why)
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
        self.host.report(f"{final} {self.plan.run_id}: {why}")

    @property
    def only_runs(self) -> bool:
        """Whether it runs, and no stop was requested."""
        return self.state == "running" and not self.stopping and not self.exit

    # --- its end ------------------------------------------------------------------------------

    def leader_ended(self, seen: journal.Exit) -> None:
        """Note how its job script exited."""
        self.exit = seen
        self.host.leaders.discard(self.pid)
        if is_ours := not self._is_anothers():
            journal.write_exit(self.at, seen.code)
        if self.stopping:
            return
        if not _was_killed(seen):
            self._conclude(is_ours, self.host.machine.left_running(self))
            return
        self._conclude(is_ours)
        # Whoever kills the job script or its command means the job: stop what that leaves, too.
        self._begin_stop("")

    def _conclude(self, is_ours: bool, left: Sequence[Process] = ()) -> None:
        """Write down how it ended, if the files of its name are its own."""
        assert self.child and self.exit  # noqa: S101 - only a launched run can end
        reason = self.stopping.reason if self.stopping and self.reached.ended_it(self.exit) else ""
        verdict = _verdict_of(self.plan.job, self.exit, reason, len(self.reached.processes), len(left))
        if reason:
            self.waived = self.released
        if is_ours:
            more = {"stopped_processes": str(len(self.reached.processes))} if reason else {}
            more |= {"waived": "true"} if self.waived else {}
            _close(self, self.child, self.exit, verdict, {**journal.left_running(left), **more})
        else:
            os.close(self.child.lock_fd)
        self.state = verdict.state
        self.host.end_helper(self.inhibitor)
        self.host.report(f"{verdict.state} {self.plan.run_id} exit={verdict.exit_code}")

    def _is_anothers(self) -> bool:
        """Return whether the files of its name are another run's: its own were removed."""
        return journal.is_anothers(self.at, self.host.facts)

    # --- while it runs ------------------------------------------------------------------------

    @property
    def check_at(self) -> float:
        """When to check it next, on the steady clock, apart from its deadline."""
        return self.log.check_at if self.log else self.settle_at

    def check(self, now: float) -> None:
        """Do what is due while it runs: stop it at its deadline, inhibit sleep, limit its log."""
        if now >= self.deadline:
            self.stop("timeout")
        if self.state != "running" or now < self.check_at:
            return
        if not self.log:
            self._keep_awake()
            self.log = self.limiter()
            self.log.begin(now)
        elif not self.log.check(now):
            self.stop(f"its log grew beyond {self.plan.job.limits.max_log_bytes} bytes")

    def limiter(self) -> LogLimiter:
        """Return what is to keep its log within the limit."""
        from bgrun.local.supervision import log_limit

        return log_limit.LogLimiter(self.at.log, self.plan.job.limits.max_log_bytes, self.host.ask_for_writes)

    def heard_of_writes(self) -> None:
        """Check its log: something was written in the log directory."""
        if self.log:
            self.log.may_have_grown()

    def _keep_awake(self) -> None:
        from bgrun.local.supervision import inhibitor as inhibitors

        if self.plan.job.inhibit_sleep and (pid := inhibitors.keep_awake(self.pid, self.plan.job.label)):
            self.inhibitor = pid
            self.host.helpers.add(pid)

    # --- stopping -----------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Begin to stop it; does nothing once it has ended or is being stopped."""
        if self.state == "queued":
            self.never_run("stopped", "stopped before it started" if reason == "stop" else reason)
        elif self.state == "running" and not self.stopping:
            self._begin_stop(reason)

    def skip_grace(self) -> None:
        """End its grace period, if it is being stopped: the next step is SIGKILL."""
        if self.stopping:
            self.stopping = self.stopping._replace(kill_at=0.0)

    def _begin_stop(self, reason: str) -> None:
        from bgrun.local.stopping import policy

        limits = self.plan.job.limits
        self.stopping = policy.begin(reason, limits.stop_signal, limits.stop_grace_s, self.host.machine.now())

    def note(self, reached: Iterable[Process]) -> None:
        """Note which processes our signals reached."""
        self.reached.add(reached, self.pid, script_exited=bool(self.exit))

    def stop_over(self, left: Sequence[Process] = ()) -> None:
        """Note that nothing of it is left, or which processes could not be ended."""
        if self.state == "running":
            self._conclude(not self._is_anothers(), left)
        self.stopping = None


def declared_reports(task: RunTask) -> ReportRequest:
    """Return the test reports and outputs that its job declares, in its working directory as it is named now."""
    from bgrun.local.recording import reports

    facts = task.plan.facts
    directory = task.moved(facts.get("working_dir", "/"))
    return reports.ReportRequest(directory, facts.get("junit", ""), task.plan.job.outputs)


def _close(task: RunTask, child: journal.Child, seen: journal.Exit, verdict: Verdict, more: dict[str, str]) -> None:
    """Write down how a run ended, and release its lock."""
    from bgrun.local.supervision import log_limit

    task.host.release_port(task.plan.run_id)
    attempts = journal.attempts(task.at)
    log_limit.bound(task.at.log, task.plan.job.limits.max_log_bytes)
    if task.reports_before:
        from bgrun.local.recording import reports

        reports.end(task.at, declared_reports(task), task.reports_before)
    journal.close(task.at, child, seen, verdict, {**attempts, **more})


def _was_killed(seen: journal.Exit) -> bool:
    from bgrun.store import state

    return bool(state.signal_name(seen.code))


def _verdict_of(job: RenderedJob, seen: journal.Exit, reason: str, ended: int, left: int) -> Verdict:
    """Return how a run ended; `reason`: of the stop that ended it; the numbers count its processes."""
    from bgrun.store import state

    verdict = state.verdict_of(seen.code, job.limits.success_exit_codes, reason)
    if reason:
        return verdict._replace(reason=_stop_reason(verdict.reason, ended, left))
    return verdict._replace(reason="the service exited by itself") if job.service and not seen.code else verdict


def _stop_reason(reason: str | None, ended: int, left: int) -> str:
    from bgrun import wording

    failed = f", {left} could not be stopped" if left else ""
    return f"{reason} ({wording.count(ended, 'process')} stopped{failed})"
