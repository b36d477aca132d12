"""Hold runs back until the services of other plans that they use are ready. Only plans that use some load this."""

from __future__ import annotations

from bgrun.errors import BgrunError, StorageError
from bgrun.light import suppress
from bgrun.local.supervision.workdir import HERE
from bgrun.store import record
from bgrun.store.paths import RunPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.local.supervision.run import RunTask

CHECK_S = 0.2
"""How often a service that is not ready yet is looked at: its record says so once."""
NEVER = float("inf")


class Joined:
    """The runs of a plan that use services of other plans.

    next_check_at: when to look again, on the steady clock; NEVER if all that are used are ready.
    """

    def __init__(self, tasks: Iterable[RunTask]) -> None:
        self.tasks = [task for task in tasks if task.plan.uses]
        self.next_check_at = NEVER
        self.noted: set[str] = set()

    def held_back(self, now: float) -> set[str]:
        """Return the queued runs whose services are not ready yet; skip those whose services never will be."""
        held: set[str] = set()
        for task in self.tasks:
            if task.state != "queued":
                continue
            states = {run_id: _state(run_id) for run_id in task.plan.uses}
            if gone := next((run_id for run_id, state in states.items() if state == "finished"), ""):
                task.never_run("skipped", f"dependency {gone} has finished")
            elif never := next((run_id for run_id, state in states.items() if state == "never"), ""):
                task.never_run("skipped", f"dependency {never} will not become ready: its supervisor was killed")
            elif pending := next((run_id for run_id, state in states.items() if state == "pending"), ""):
                held.add(task.plan.run_id)
                self._note(task, pending)
        self.next_check_at = now + CHECK_S if held else NEVER
        return held

    def _note(self, task: RunTask, pending: str) -> None:
        """Record once what a run waits for."""
        if task.plan.run_id not in self.noted:
            self.noted.add(task.plan.run_id)
            with suppress(BgrunError):
                task.enqueue(f"waiting until {pending} is ready")


def _state(run_id: str) -> str:
    """Return whether a service is `ready`, `pending`, `never` ready or `finished`; an unreadable one is pending."""
    at = RunPaths(HERE, run_id)
    with suppress(StorageError):
        run = record.read_run(at)
        if run is None or not run.live:
            return "finished"
        if run.is_never_ready:
            return "never"
        # Once it has begun, nobody finds out anew whether an attempt is ready: its supervisor needs nothing of it.
        return "ready" if run.is_ready and not record.read_attempt(at).pause_s else "pending"
    return "pending"
