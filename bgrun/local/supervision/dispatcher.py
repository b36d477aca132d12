"""Launch the runs of a plan: in their order, within its limits, and as far as the system has room for them."""

from __future__ import annotations

from bgrun.errors import BgrunError, ScarceError
from bgrun.local.supervision import workdir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bgrun.local.concurrency.queue import AdmissionQueue
    from bgrun.local.launch.manifest import Plan
    from bgrun.local.supervision import scheduler
    from bgrun.local.supervision.run import RunTask

MOST_LAUNCHES = 16
"""How many runs are launched in one turn: in between, children that exited are reaped and the caller is answered."""
SCARCE_LOOK_S, SCARCE_S = 1.0, 60.0
"""Seconds between two tries where the system has no room for a launch, and until it fails while no other run lives."""
NEVER = float("inf")


class Dispatcher:
    """Decides which runs of a plan start now, and launches them.

    tasks: all runs of the plan. active: those that run or are being stopped; a launched one is added.
    requested: returns why a run was requested to stop, or ''.
    has_room: a run ended since the last turn, so that a launch that failed may be tried again at once.
    """

    def __init__(
        self,
        plan: Plan,
        tasks: Mapping[str, RunTask],
        active: dict[str, RunTask],
        queue: AdmissionQueue | None,
        requested: Callable[[RunTask], str],
        clock: Callable[[], float],
    ) -> None:
        self.plan = plan
        self.tasks = tasks
        self.active = active
        self.queue = queue
        self.requested = requested
        self.clock = clock
        self.order = _order(plan) if len(plan.runs) > 1 else None
        self.more_to_launch = False
        self.again_at = 0.0
        self.scarce_since = NEVER
        self.has_room = False

    def next_look_s(self, now: float) -> float | None:
        """Return the seconds after which to dispatch again at the latest; None if only an event can change anything."""
        if self.more_to_launch:
            return 0.0
        return self.again_at - now if self.again_at else None

    def dispatch(self) -> bool:
        """Launch what is due, and return whether the plan is over."""
        if self.clock() < self.again_at and not self.has_room:
            return False
        self.again_at, self.has_room = 0.0, False
        if self.order:
            return self._dispatch_many(self.order)
        for task in self.tasks.values():  # one run needs no order
            if task.state == "queued" and not (self.queue and self.queue.holds_back(task.plan.run_id)):
                self._launch(task)
        return not self.active and not any(task.state == "queued" for task in self.tasks.values())

    def _dispatch_many(self, order: scheduler.Order) -> bool:
        from bgrun.local.supervision import scheduler

        launched = 0
        while True:
            states = {run_id: task.state for run_id, task in self.tasks.items()}
            waived = {run_id for run_id, task in self.tasks.items() if task.waived}
            held_back = self.queue.held_back() if self.queue else ()
            step = scheduler.decide(states, order, waived, held_back)
            self._rule_out(step)
            batch = step.launch[: MOST_LAUNCHES - launched]
            for run_id in batch:
                if not self.again_at and not (self.queue and self.queue.holds_back(run_id)):
                    self._launch(self.tasks[run_id])
            if self.again_at:
                self.more_to_launch = False  # until then there is nothing to stay awake for
                return False
            launched += len(batch)
            self.more_to_launch = len(batch) < len(step.launch)
            if self.more_to_launch or not (batch or step.skip or step.waive):
                return step.done and not self.active

    def _rule_out(self, step: scheduler.Step) -> None:
        for run_id, why in step.stop.items():
            self.tasks[run_id].stop(why)
        for run_id, why in step.skip.items():
            self.tasks[run_id].never_run("skipped", why)
        for run_id, why in step.waive.items():
            self.tasks[run_id].never_run("skipped", why, waived=True)

    def _launch(self, task: RunTask) -> None:
        """Launch a run, unless it has to wait in its concurrency group."""
        run_id = task.plan.run_id
        if task.recorded and (why := self.requested(task)):
            task.stop(why)  # requested since the last check, by whoever then ended what it waited for
            return
        try:
            if self.queue and (what := self.queue.admit(run_id)):
                task.enqueue(what)
                return
            task.launch(self.queue.slot_fd(run_id) if self.queue else -1)
        except ScarceError as error:
            if not self._may_wait(task):
                self._not_launched(task, error)
            return
        except BgrunError as error:
            self._not_launched(task, error)
            return
        self.scarce_since = NEVER
        self.active[run_id] = task

    def _not_launched(self, task: RunTask, error: BgrunError) -> None:
        if not self.plan.group and not task.recorded:
            raise error
        task.never_run("skipped", workdir.spelled(error.message, self.plan.log_dir))

    def _may_wait(self, task: RunTask) -> bool:
        """Return whether a run for which the system has no room stays queued until others have ended."""
        now = self.clock()
        self.scarce_since = min(self.scarce_since, now)
        if not (self.active or now < self.scarce_since + SCARCE_S) or not (self.plan.group or task.recorded):
            return False
        self.again_at = now + SCARCE_LOOK_S
        return True


def _order(plan: Plan) -> scheduler.Order:
    from bgrun.local.supervision import scheduler

    needs = {run.run_id: run.needs for run in plan.runs if run.needs}
    group = plan.group
    return scheduler.Order(needs, group.max_parallel, group.fail_fast) if group else scheduler.Order(needs)
