"""Launch the runs of a plan: in their order, within its limits, and as far as the system has room for them.

Only the process that launches runs loads this; a supervisor that took over a run does without.
"""

from __future__ import annotations

from bgrun.errors import BgrunError, ScarceError
from bgrun.local.supervision import job, workdir
from bgrun.local.supervision.descriptors import raise_limit
from bgrun.local.supervision.run import declared_reports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.local.concurrency.queue import AdmissionQueue
    from bgrun.local.launch.manifest import Plan
    from bgrun.local.recording.fresh import Before
    from bgrun.local.supervision import scheduler
    from bgrun.local.supervision.host import Host
    from bgrun.local.supervision.joined import Joined
    from bgrun.local.supervision.run import RunTask
    from bgrun.local.supervision.services import Services
    from bgrun.model import State

MOST_LAUNCHES = 16
"""How many runs are launched in one turn: in between, children that exited are reaped and the caller is answered."""
SCARCE_RETRY_S, SCARCE_S = 1.0, 60.0
"""Seconds between two tries where the system has no room for a launch, and until it fails while no other run lives."""
FEW, FDS_EACH = 60, 3
"""Up to how many runs the limit of descriptors is left as it is, and how many descriptors each of more may need."""
NEVER = float("inf")


class Dispatcher:
    """Decides which runs of a plan start now, and launches them.

    tasks: all runs of the plan. active: those that run or are being stopped; a launched one is added.
    more_to_launch: the next turn is to come at once. next_check_at: when to dispatch again at the latest, on the steady
    clock; NEVER if only an event can change anything.
    has_room: a run ended since the last turn, so that a launch that failed may be tried again at once.
    """

    def __init__(
        self,
        plan: Plan,
        host: Host,
        tasks: Mapping[str, RunTask],
        active: dict[str, RunTask],
        queue: AdmissionQueue | None,
        services: Services | None = None,
    ) -> None:
        self.plan = plan
        self.host = host
        self.machine = host.machine
        self.tasks = tasks
        self.active = active
        self.queue = queue
        self.services = services
        self.joined = _joined(plan, host, tasks)
        self.order = _order(plan) if len(plan.runs) > 1 or self.joined else None
        self.more_to_launch = False
        self.next_check_at = NEVER
        self.scarce_since = NEVER
        self.has_room = False

    def open(self) -> None:
        """Make the records that exist before anything runs: the group's, and those of queued runs.

        Raises:
            LaunchError: a record cannot be written.
            PortTakenError: another plan has the port that was assigned to a service.
        """
        if self.services:
            self.services.reserve_ports()
        if len(self.tasks) > FEW:
            raise_limit(len(self.tasks) * FDS_EACH + FEW)
        if self.host.group:
            self.host.group.open(self.tasks)
            for task in self.tasks.values():
                task.enqueue()
        for task in self.tasks.values():
            if task.plan.skip:
                task.never_run("skipped", task.plan.skip, waived=True)

    @property
    def scarce(self) -> bool:
        """Whether the system had no room for a launch, which is to be tried again."""
        return self.next_check_at < NEVER

    def dispatch(self) -> bool:
        """Launch what is due, and return whether the plan is over."""
        if self.scarce and self.machine.now() < self.next_check_at and not self.has_room:
            return False
        self.next_check_at, self.has_room = NEVER, False
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
            waiting = self.joined.held_back(self.machine.now()) if self.joined else set()
            states = {run_id: task.state for run_id, task in self.tasks.items()}
            if self.services and self.services.stop_all:
                self._stop_in_order(states, self.services.stop_all)
                states = {run_id: task.state for run_id, task in self.tasks.items()}
            waived = {run_id for run_id, task in self.tasks.items() if task.waived}
            held_back = {*waiting, *(self.queue.held_back() if self.queue else ())}
            step = scheduler.decide(states, order, waived, held_back, self.services.ready if self.services else ())
            self._rule_out(step)
            batch = step.launch[: MOST_LAUNCHES - launched]
            for run_id in batch:
                if not self.scarce and not self._is_held_back(run_id):
                    self._launch(self.tasks[run_id])
            if self.scarce:
                self.more_to_launch = False  # until then there is nothing to stay awake for
                return False
            launched += len(batch)
            self.more_to_launch = len(batch) < len(step.launch)
            if self.more_to_launch or not (batch or step.skip or step.waive):
                return step.done and not self.active

    def _is_held_back(self, run_id: str) -> bool:
        """Return whether a run that is due has to wait after all: for a slot, or for a service that started again."""
        if self.queue and self.queue.holds_back(run_id):
            return True
        if not self.services or not self.order:
            return False
        return not self.services.may_launch([one for one, how in self.order.pairs(run_id) if how == "ready"])

    def _stop_in_order(self, states: Mapping[str, State], why: str) -> None:
        """Stop all runs, as far as it is their turn."""
        from bgrun.local.supervision import scheduler

        for run_id in scheduler.stop_in_order(states, self.order) if self.order else states:
            self.tasks[run_id].stop(why)

    def _rule_out(self, step: scheduler.Step) -> None:
        for run_id, why in step.stop.items():
            self.tasks[run_id].stop(why)
        if self.services:
            for run_id in step.release:
                self.services.release(run_id)
        for run_id, why in step.skip.items():
            self.tasks[run_id].never_run("skipped", why)
        for run_id, why in step.waive.items():
            self.tasks[run_id].never_run("skipped", why, waived=True)

    def _launch(self, task: RunTask) -> None:
        """Launch a run, unless it has to wait in its concurrency group."""
        run_id = task.plan.run_id
        if task.recorded and (why := self.host.stop_requested(task.at)):
            task.stop(why)  # requested since the last check, by whoever then ended what it waited for
            return
        try:
            if self.queue and (what := self.queue.admit(run_id)):
                task.enqueue(what)
                return
            if self.services and task.plan.job.port:
                self.services.claim_port(task)
            self._start(task, self.queue.slot_fd(run_id) if self.queue else -1)
        except ScarceError as error:
            if not self._may_wait(task):
                self._not_launched(task, error)
            return
        except BgrunError as error:
            self._not_launched(task, error)
            return
        self.scarce_since = NEVER
        self.active[run_id] = task
        if self.services and task.plan.job.service:
            self.services.launched(task)

    def _start(self, task: RunTask, slot_fd: int) -> None:
        """Start the job script of a run, which keeps the slot of its concurrency group open.

        Raises:
            ScarceError: the system ran out of something; it may be tried again.
            LaunchError: it does not run.
        """
        held, task.lock_fd = job.Held(task.lock_fd, slot_fd), -1  # which is closed with it, if it fails
        task.reports_before = _note_reports(task)
        made_of, log_dir = task.plan.job, workdir.now(self.host.recorded)
        find_code, is_one_of_many = self.machine.find_code, not self.host.alone
        start = job.Start(dict(made_of.secrets), made_of.any_shell, log_dir, find_code, is_one_of_many)
        try:
            child = self.machine.launch(task.at, task.facts(), start, held)
        except ScarceError:
            task.lock_fd = held.lock_fd
            raise
        task.launched(child)

    def _not_launched(self, task: RunTask, error: BgrunError) -> None:
        if not self.plan.group and not task.recorded:
            raise error
        task.never_run("skipped", workdir.spelled(error.message, self.plan.log_dir))

    def _may_wait(self, task: RunTask) -> bool:
        """Return whether a run for which the system has no room stays queued until others have ended."""
        now = self.machine.now()
        self.scarce_since = min(self.scarce_since, now)
        if not (self.active or now < self.scarce_since + SCARCE_S) or not (self.plan.group or task.recorded):
            return False
        self.next_check_at = now + SCARCE_RETRY_S
        return True


def withdraw(plan: Plan) -> None:
    """Remove every record of a plan of which nothing was launched; its run IDs are given up by who claimed them."""
    from bgrun.store import claim
    from bgrun.store.store import Store

    group = [plan.group.run_id] if plan.group else []
    claim.clear(Store(workdir.HERE), [*group, *(run.run_id for run in plan.runs)])


def _note_reports(task: RunTask) -> Before | None:
    """Note which test reports and outputs exist before a run begins, if its job declares any."""
    if not task.plan.facts.get("junit") and not task.plan.job.outputs:
        return None
    from bgrun.local.recording import reports

    return reports.begin(task.at, declared_reports(task))


def _joined(plan: Plan, host: Host, tasks: Mapping[str, RunTask]) -> Joined | None:
    """Return the runs that use services of other plans, if there are any."""
    if not any(task.plan.uses for task in tasks.values()):
        return None
    from bgrun.local.supervision.joined import Joined

    return Joined(tasks.values(), host, plan.module_path)


def _order(plan: Plan) -> scheduler.Order:
    from bgrun.local.supervision import scheduler

    needs = {run.run_id: run.needs for run in plan.runs if run.needs}
    conditions = {run.run_id: run.conditions for run in plan.runs if run.conditions}
    services = {run.run_id: run.kept for run in plan.runs if run.job.service}
    most, fast = (plan.group.max_parallel, plan.group.fail_fast) if plan.group else (None, False)
    return scheduler.Order(needs, most, fast, conditions, services)
