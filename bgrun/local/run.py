"""One run of a plan in the supervisor's hands: launched, bounded, stopped, and told how it ended.

What only bounding and stopping need is not imported with this: whoever starts a run waits for its
launch, and a supervisor asleep does without. It has a copy of its own of all that (see `bundle`).
"""

from __future__ import annotations

import os
import time

from bgrun.errors import ScarceError
from bgrun.light import signal, suppress
from bgrun.local import event_loop, journal, workdir
from bgrun.store import state
from bgrun.store.paths import RunPaths
from bgrun.system import files, process
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from bgrun.local.manifest import RunPlan
    from bgrun.local.reports import Before, ReportRequest
    from bgrun.local.stopping.policy import Stopping
    from bgrun.model import State
    from bgrun.system.process import Process


SETTLE_AFTER_S = 0.02
"""How long a job is only minded: it, and whoever waits for its start, have better use for the processor by then."""

LINGER_S, LINGER_LOOK_S = 0.05, 0.005
"""How long a process may outlive its job, in seconds, before it counts as left running, and how often to look."""

UNKNOWN = -1
"""The length of a log that was not looked at, or was written to since."""
AFTER_A_WRITE = float("inf")
"""When to look at a log that is not written to: once the kernel gives word that it may have been."""


class Host:
    """What a run has to know of its supervisor.

    `alone`: the plan has no other run. `grouped`: it has a run of its own, whose lock tells of all.
    `facts` are the lines of a meta that tell of the process that it is, and `subreaper` whether orphans
    come to that; both are known once there is one.
    `recorded` is the path of the log folder as it was when the plan was made, and `keep_code` what is to be done
    before a job begins.
    `helpers` are the supervisor's own children that are no part of any run: what keeps the machine awake,
    hooks, and who waits in line; `leaders` are the job scripts that run. `tell` takes an event.
    `ask_for_writes` asks for word of what is written in the log folder, and says whether it will come.
    """

    def __init__(self, log_dir: str, tell: Callable[[str], None], ask_for_writes: Callable[[], bool]) -> None:
        self.log_dir = self.recorded = log_dir
        self.keep_code: Callable[[], None] = lambda: None
        self.tell = tell
        self.ask_for_writes = ask_for_writes
        self.alone = self.grouped = self.subreaper = False
        self.facts: dict[str, str] = {}
        self.helpers: set[int] = set()
        self.leaders: set[int] = set()


class RunTask:
    """A run: its plan and what has become of it."""

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
        self.settled = False
        self.look_at = 0.0
        self.log_size = UNKNOWN
        self.stopping: Stopping | None = None
        self.exit: journal.Exit | None = None
        self.ended: set[tuple[int, str]] = set()
        self.command_was_hit = False

    @property
    def pid(self) -> int:
        """The pid of its leader; 0 before it was launched."""
        return self.child.pid if self.child else 0

    @property
    def busy(self) -> bool:
        """Whether it runs, or something of it is still being ended."""
        return self.state == "running" or self.stopping is not None

    @property
    def deadline(self) -> float | None:
        """When its timeout ends, on the steady clock."""
        timeout_s = self.plan.limits.timeout_s
        if timeout_s is None or self.state != "running" or self.stopping:
            return None
        return self.began + timeout_s

    def moved(self, path: str) -> str:
        """Return where a path leads now, should the project have been renamed since the plan was made."""
        recorded = self.host.recorded
        return workdir.moved(path, self.plan.facts.get("repo_dir", ""), recorded, workdir.now(recorded))

    def facts(self) -> dict[str, str]:
        """Return what its meta begins with."""
        return {**self.plan.facts, **self.host.facts}

    # --- its beginning ------------------------------------------------------------------------

    def enqueue(self, waits_for: str = "") -> None:
        """Make its record before its turn has come; one of its own needs a lock of its own.

        Raises:
            LaunchError: the record cannot be kept.
        """
        if self.host.grouped:
            journal.enqueue(self.at, self.facts(), waits_for)
        elif not self.recorded:
            self.lock_fd = journal.enqueue_locked(self.at, self.facts(), waits_for)
        self.recorded = True

    def launch(self, slot_fd: int = -1) -> None:
        """Start its job script, which keeps the slot of its concurrency group open.

        Raises:
            ScarceError: the system ran out of something; it may be tried again.
            LaunchError: it does not run.
        """
        from bgrun.local import job  # one that takes a run over launches none

        held, self.lock_fd = job.Held(self.lock_fd, slot_fd), -1  # which is closed with it, if it fails
        self._look_at_reports()
        now = workdir.now(self.host.recorded)
        start = job.Start(self.plan.environment, self.plan.any_shell, now, self.host.keep_code, not self.host.alone)
        try:
            self.child = job.launch(self.at, self.facts(), start, held)
        except ScarceError:
            self.lock_fd = held.lock_fd
            raise
        self.host.leaders.add(self.pid)
        self.state = "running"
        self.began = steady_clock()
        self.look_at = self.began + SETTLE_AFTER_S
        self.host.tell(f"started {self.plan.run_id} pid={self.pid}")

    def _look_at_reports(self) -> None:
        """Note which test reports are there before it begins, where its job declares any."""
        if self.plan.facts.get("junit"):
            from bgrun.local import reports

            try:
                self.reports_before = reports.note(self._reports())
            except Exception as error:  # noqa: BLE001 - no fault of ours in this is worth a run
                journal.note_fault(self.host.log_dir, error)

    def _reports(self) -> ReportRequest:
        from bgrun.local import reports

        wanted = reports.of_facts(self.plan.facts)
        return wanted._replace(folder=self.moved(wanted.folder))

    def never_run(self, final: State, why: str, *, waived: bool = False) -> None:
        """Close it unlaunched; a waived one spoils nothing."""
        self.state = final
        self.waived = waived
        more = {"waived": "true"} if waived else {}
        if not self._is_anothers():
            journal.close_unstarted(self.at, {**self.facts(), **more}, final, why)
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
        self.host.tell(f"{final} {self.plan.run_id}: {why}")

    # --- going on in another interpreter ------------------------------------------------------

    @property
    def only_runs(self) -> bool:
        """Whether it runs, and nobody has asked for its end."""
        return self.state == "running" and not self.stopping and not self.exit

    def handed_on(self) -> Any:
        """Return what is to be known of it by whoever minds it next."""
        return self.child, self.began, self.inhibitor, self.look_at, self.log_size, self.reports_before

    def take_over(
        self, born: Any, began: float, inhibitor: int, look_at: float, log_size: int, reports_before: Any = None
    ) -> None:
        """Mind a run that somebody else has launched."""
        self.child = journal.Child(*born)
        if reports_before:
            from bgrun.local import reports

            self.reports_before = reports.Before(*reports_before)
        self.host.leaders.add(self.pid)
        os.set_inheritable(self.child.lock_fd, False)
        self.state, self.settled = "running", True
        self.began, self.inhibitor, self.look_at, self.log_size = began, inhibitor, look_at, log_size
        self.heard_of_writes()  # the word that was asked for does not come to another program
        if inhibitor:
            self.host.helpers.add(inhibitor)

    # --- its end ------------------------------------------------------------------------------

    def leader_ended(self, seen: journal.Exit) -> None:
        """Take note of how its job script ended."""
        self.exit = seen
        self.host.leaders.discard(self.pid)
        if not self._is_anothers():
            journal.write_exit(self.at, seen.code)
        if self.stopping:
            return
        if not state.signal_name(seen.code):
            self._conclude(self._left_running())
            return
        self._conclude()
        # Whoever kills the job script or its command means the job: what that leaves goes too.
        self._begin_stop("")

    def _left_running(self) -> Sequence[Process]:
        """Return what it left running when it ended by itself; what is just about to end is given a moment."""
        children = event_loop.children() if self.host.subreaper else None
        if children is not None and not children - self.host.helpers - self.host.leaders:
            return ()
        try:
            from bgrun.local.stopping import processes, stopper
        except ImportError:  # bgrun was removed: the result comes first
            return ()
        found = processes.find(stopper.claim(self))
        until = steady_clock() + LINGER_S
        while found and steady_clock() < until:
            time.sleep(LINGER_LOOK_S)
            found = [one for one in found if process.is_running(*one.key)]
        return found

    def _conclude(self, left: Sequence[Process] = ()) -> None:
        assert self.child and self.exit  # noqa: S101 - only a launched run can end
        reason = self.stopping.reason if self.stopping and self._was_ended() else ""
        verdict = state.verdict_of(self.exit.code, self.plan.limits.success_exit_codes, reason)
        if reason:
            verdict = verdict._replace(reason=_stop_told(verdict.reason, len(self.ended), len(left)))
        if self._is_anothers():
            os.close(self.child.lock_fd)
        else:
            self._close(self.child, self.exit, verdict, left)
        self.state = verdict.state
        self._let_sleep()
        self.host.tell(f"{verdict.state} {self.plan.run_id} exit={verdict.exit_code}")

    def _close(self, child: journal.Child, seen: journal.Exit, verdict: state.Verdict, left: Sequence[Process]) -> None:
        """Write down how it ended."""
        from bgrun.local import log_limit

        more = {**journal.attempts(self.at), **journal.left_running(left)}
        if self.stopping and self.stopping.reason and self._was_ended():
            more["stopped_processes"] = str(len(self.ended))
        log_limit.bound(self.at.log, self.plan.limits.max_log_bytes)
        self._take_reports()
        journal.close(self.at, child, seen, verdict, more)

    def _is_anothers(self) -> bool:
        """Return whether the files that bear its name are another run's: its own were removed."""
        return journal.is_anothers(self.at, self.host.facts)

    def _take_reports(self) -> None:
        """Keep the test reports that it wrote, before anybody is told of its end."""
        if self.reports_before:
            from bgrun.local import reports

            try:
                reports.take(self.at, self._reports(), self.reports_before)
            except Exception as error:  # noqa: BLE001 - as above
                journal.note_fault(self.host.log_dir, error)

    def _let_sleep(self) -> None:
        """End its inhibitor, unless that has ended by itself: its pid may be somebody else's by then."""
        if self.inhibitor in self.host.helpers:
            with suppress(ProcessLookupError):
                os.kill(self.inhibitor, signal.SIGTERM)

    def _was_ended(self) -> bool:
        """Whether our signals ended it: where they reached no command and no script, it ended by itself."""
        script_was_hit = bool(self.exit and self.exit.killed and self.ended)
        return self.command_was_hit or script_was_hit

    # --- looks in between ---------------------------------------------------------------------

    def look(self, now: float) -> None:
        """See to what it needs while it runs, when it is time; after the first time that is the bound of its log."""
        if self.state != "running" or now < self.look_at:
            return
        from bgrun.local import log_limit

        most = self.plan.limits.max_log_bytes
        if not self.settled:
            self._settle_in()
            self.log_size = files.size(self.at.log)
            self.look_at = now + log_limit.SHORTEST_S
            return
        if not log_limit.bound(self.at.log, most):
            self.stop(f"its log grew beyond {most} bytes")
        if self._log_is_quiet():
            self.look_at = AFTER_A_WRITE
        else:
            self.look_at = now + log_limit.next_check_s(log_limit.on_disk(self.at.log), most)

    def _log_is_quiet(self) -> bool:
        """Whether nothing came since the last look, and word of the next write will."""
        before, self.log_size = self.log_size, files.size(self.at.log)
        # Once more behind the asking: what came in between has given no word.
        return before == self.log_size and self.host.ask_for_writes() and files.size(self.at.log) == before

    def heard_of_writes(self) -> None:
        """Look at its log again, which may be what was written to, and from then on by the clock until it is quiet.

        So a log beside it that is written to all the time does not have this one looked at as often.
        """
        if self.look_at == AFTER_A_WRITE:
            self.look_at, self.log_size = 0.0, UNKNOWN

    def _settle_in(self) -> None:
        """Have the machine stay awake."""
        from bgrun.local import inhibitor as inhibitors

        self.settled = True
        if self.plan.inhibit_sleep and (pid := inhibitors.keep_awake(self.pid, self.plan.label)):
            self.inhibitor = pid
            self.host.helpers.add(pid)

    # --- stopping -----------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Begin to end it; one that has ended, or is being ended, is left alone."""
        if self.state == "queued":
            self.never_run("stopped", "stopped before it started" if reason == "stop" else reason)
        elif self.state == "running" and not self.stopping:
            self._begin_stop(reason)

    def skip_grace(self) -> None:
        """End its grace period, if it is being ended: the next step is SIGKILL."""
        if self.stopping:
            self.stopping = self.stopping._replace(kill_at=0.0)

    def _begin_stop(self, reason: str) -> None:
        from bgrun.local.stopping import policy

        limits = self.plan.limits
        self.stopping = policy.begin(reason, limits.stop_signal, limits.stop_grace_s, steady_clock())

    def note(self, reached: Iterable[Process]) -> None:
        """Keep what signals of ours reached: it tells a run that was ended from one that ended by itself."""
        keys = [one.key for one in reached]
        self.ended.update(keys)
        if not self.exit and any(pid != self.pid for pid, _ in keys):
            self.command_was_hit = True

    def stop_over(self, left: Sequence[Process] = ()) -> None:
        """Take note that nothing of it is left, or which processes could not be ended."""
        if self.state == "running":
            self._conclude(left)
        self.stopping = None


def _stop_told(reason: str | None, ended: int, left: int) -> str:
    from bgrun import wording

    failed = f", {left} could not be stopped" if left else ""
    return f"{reason} ({wording.count(ended, 'process')} stopped{failed})"
