"""Hold runs back until the services of other plans that they use are ready. Only plans that use some load this.

That a service was ready once is in its record. If its job script has started its command again since, only a check says
whether it is ready again: its own supervisor may have nothing to launch, and may be gone.
"""

from __future__ import annotations

from bgrun.errors import BgrunError, StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.local.supervision.workdir import HERE
from bgrun.store import record, retry, state
from bgrun.store.paths import RunPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.local.supervision.host import Host
    from bgrun.local.supervision.run import RunTask
    from bgrun.model import Run

CHECK_S = 0.2
"""How often a service that is not ready yet is looked at: its record says so once."""
MOST_STARTS = 4
"""How often the process of a check is started that is killed."""
NEVER = float("inf")


class Probe(NamedTuple):
    """The check of an attempt of a service: its process or 0, how often that was started, and its deadline."""

    pid: int
    attempt: int
    starts: int
    until: float


class Joined:
    """The runs of a plan that use services of other plans.

    next_check_at: when to look again, on the steady clock; NEVER if all that are used are ready.
    probes: the services that were started again and are being checked. ready: of which attempt those are ready.
    gone: the services that will not be ready, with the reason.
    """

    def __init__(self, tasks: Iterable[RunTask], host: Host, module_path: Sequence[str] = ()) -> None:
        self.tasks = [task for task in tasks if task.plan.uses]
        self.host = host
        self.module_path = tuple(module_path)
        self.next_check_at = NEVER
        self.noted: set[str] = set()
        self.probes: dict[str, Probe] = {}
        self.ready: dict[str, int] = {}
        self.gone: dict[str, str] = {}

    def held_back(self, now: float) -> set[str]:
        """Return the queued runs whose services are not ready yet; skip those whose services never will be."""
        held: set[str] = set()
        for task in self.tasks:
            if task.state != "queued":
                continue
            pending = [run_id for run_id in task.plan.uses if not self._is_ready(run_id)]
            if gone := next((run_id for run_id in pending if run_id in self.gone), ""):
                task.never_run("skipped", f"dependency {gone} {self.gone[gone]}")
            elif pending:
                held.add(task.plan.run_id)
                self._note(task, pending[0])
        self.next_check_at = now + CHECK_S if held else NEVER
        return held

    def ended(self, pid: int, status: int) -> None:
        """Note the exit of a child, which may be the process of a check."""
        run_id = next((run_id for run_id, one in self.probes.items() if one.pid == pid), "")
        if not run_id:
            return
        from bgrun.local.readiness import prober
        from bgrun.local.readiness.target import ANSWER

        one = self.probes.pop(run_id)
        if prober.is_ready(status):
            self.ready[run_id] = one.attempt
        elif not prober.is_final(status) and one.starts < MOST_STARTS:
            self.probes[run_id] = one._replace(pid=0)  # it was killed, and is started again
        elif not prober.is_restarted(status):
            self.gone[run_id] = f"is not ready: {prober.answer(HERE, run_id) or 'its check was killed'}"
        at = RunPaths(HERE, run_id)
        record.remove(at, at.hidden(ANSWER))

    def close(self) -> None:
        """End the processes of checks."""
        from bgrun.local.readiness import prober

        for one in self.probes.values():
            if one.pid in self.host.helpers:
                prober.end(one.pid)

    def _note(self, task: RunTask, pending: str) -> None:
        """Record once what a run waits for."""
        if task.plan.run_id not in self.noted:
            self.noted.add(task.plan.run_id)
            with suppress(BgrunError):
                task.enqueue(f"waiting until {pending} is ready")

    def _is_ready(self, run_id: str) -> bool:
        """Return whether a service is ready now; one that cannot be read is not yet, and one that is over never."""
        at = RunPaths(HERE, run_id)
        with suppress(StorageError):
            run = record.read_run(at)
            if run is None or not run.live:
                self.gone[run_id] = "has finished"
            elif run.is_never_ready:
                self.gone[run_id] = "will not become ready: its supervisor was killed"
            elif run.is_ready and run_id not in self.gone:
                attempt = retry.read_attempt(at)
                if attempt.number == self.ready.get(run_id, 0) and not attempt.pause_s:
                    return True
                self._check(at, run, attempt)
        return False

    def _check(self, at: RunPaths, run: Run, attempt: retry.Attempt) -> None:
        """Start the process that checks an attempt of a service, unless it runs."""
        known = self.probes.get(run.run_id)
        if known and known.pid:
            return
        from bgrun.local.readiness import prober
        from bgrun.local.readiness.target import LAUNCHED, Target
        from bgrun.store import facts

        recorded = record.read_meta(at) or {}
        check = facts.job_of(recorded, "").ready or LAUNCHED
        pid, start = state.parse_int(recorded.get("pid", "")) or 0, recorded.get("pid_start", "")
        own = recorded.get("log_dir", "")
        target = Target(check, run.run_id, HERE, own, pid, start, run.port or 0, module_path=self.module_path)
        until = known.until if known else prober.deadline(check, self.host.machine.now() + attempt.pause_s)
        with suppress(OSError):  # tried again at the next look
            pid = prober.start(target, until)
            self.host.helpers.add(pid)
            self.probes[run.run_id] = Probe(pid, attempt.number, known.starts + 1 if known else 1, until)
