"""Supervise the services of a plan: find out when each is ready, and stop them in order.

Ready is a latch for each attempt: a service that its job script starts again has to become ready again before anything
else that needs it is launched. Only plans with services load this.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import BusyError, ScarceError
from bgrun.light import NamedTuple, suppress
from bgrun.local.readiness import prober
from bgrun.local.readiness.target import ANSWER, LAUNCHED, Target, describe
from bgrun.local.recording import journal
from bgrun.local.supervision.workdir import HERE
from bgrun.store import meta, record, retry, state
from bgrun.system import clock, files, process
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from bgrun.local.launch.manifest import Plan
    from bgrun.local.supervision.host import Host
    from bgrun.local.supervision.run import RunTask
    from bgrun.store.paths import RunPaths

MOST_RESTARTS = 3
"""How often a prober that was killed, or could not be started, is started again."""
RETRY_S = 0.5
NEVER = float("inf")


class Probe(NamedTuple):
    """A check that is being made: of which attempt, until when, how often its process was started, and when it is next.

    pid: its process, or 0 while it is to be started again. Times are on the steady clock.
    """

    attempt: int
    until: float
    pid: int = 0
    starts: int = 0
    again_at: float = NEVER


class Services:
    """The services of a plan.

    ready: those that run and are ready. probes: those whose readiness is being checked.
    unrecorded: those that are ready, which could not be written down. record_at: when to try that again.
    stop_all: why the whole plan is to be stopped, each service once nothing needs it; '' if it is not.
    """

    def __init__(self, plan: Plan, host: Host, tasks: Mapping[str, RunTask]) -> None:
        self.plan = plan
        self.host = host
        self.tasks = {run_id: task for run_id, task in tasks.items() if task.plan.job.service}
        self.ready: dict[str, int] = {}
        self.probes: dict[str, Probe] = {}
        self.ended_probes: dict[int, int] = {}
        self.unrecorded: set[str] = set()
        self.record_at = NEVER
        self.stop_all = ""
        for task in self.tasks.values():
            if check := task.plan.job.ready:
                task.plan.facts["ready"] = describe(check, task.plan.job.port)

    @property
    def next_check_at(self) -> float:
        """When to start a prober again or to record that a service is ready, on the steady clock; NEVER if not."""
        return min((self.record_at, *(one.again_at for one in self.probes.values())))

    @property
    def busy(self) -> bool:
        """Whether there is more to do than to wait for the services to exit."""
        return bool(self.probes or self.unrecorded)

    def reserve_ports(self) -> None:
        """Hold the locks on the ports of the services, as far as these were assigned.

        Raises:
            PortTakenError: another plan has one that was just assigned.
        """
        from bgrun.local.readiness import holder

        self.host.port_fds |= holder.reserve({run_id: task.plan.job for run_id, task in self.tasks.items()})

    def claim_port(self, task: RunTask) -> None:
        """Hold the lock on the port of a service that is about to be launched, which no process may have.

        Raises:
            ScarceError: a run has it that is being stopped.
            BusyError: the port is taken.
        """
        from bgrun.local.readiness import holder

        run_id, fds = task.plan.run_id, self.host.port_fds
        try:
            if run_id not in fds and (fd := holder.claim(task.plan.job)) >= 0:
                fds[run_id] = fd
            holder.refuse_taken(task.plan.job)
        except BusyError as error:
            self.host.release_port(run_id)
            if self.host.group and holder.is_leaving(HERE, task.plan.job.port):
                raise ScarceError(error.message, error.hint) from error
            raise

    def launched(self, task: RunTask) -> None:
        """Begin to check a service that was launched; without a check it is ready."""
        self._begin(task, retry.Attempt())

    def ended(self, pid: int, status: int) -> None:
        """Note the exit of a child, which may be a prober."""
        if any(one.pid == pid for one in self.probes.values()):
            self.ended_probes[pid] = status

    def advance(self) -> None:
        """Draw the conclusions from probers that exited, and from services that did."""
        for run_id, task in self.tasks.items():
            if task.state != "running" or task.exit or task.stopping:
                self._forget(run_id)
        for run_id, one in list(self.probes.items()):
            if one.pid and one.pid in self.ended_probes:
                self._answered(self.tasks[run_id], one, self.ended_probes[one.pid])
            elif not one.pid and self.host.machine.now() >= one.again_at:
                self._start(self.tasks[run_id], one)
        self.ended_probes.clear()
        if self.host.machine.now() >= self.record_at:
            self._record()

    def may_launch(self, needs: Collection[str]) -> bool:
        """Return whether the services among these dependencies are still ready: not if one was started again."""
        for run_id in [one for one in needs if one in self.ready]:
            task = self.tasks[run_id]
            if (now := retry.read_attempt(task.at)).number != self.ready[run_id]:
                del self.ready[run_id]
                self._begin(task, now)
        return all(one in self.ready for one in needs if one in self.tasks)

    def release(self, run_id: str) -> None:
        """Stop a service that nothing needs, which is no failure; does nothing once it has ended."""
        task = self.tasks[run_id]
        task.released = task.released or (task.state == "running" and not task.stopping)
        task.stop(state.NOT_NEEDED)

    def stop_requested(self, at: RunPaths) -> str:
        """Return why a run is to stop now, or ''; if its group is to stop, each service comes after what needs it."""
        group = self.host.group
        if group and (why := group.stop_requested()) and not journal.stop_is_urgent(group.at):
            self.stop_all = why
            return journal.stop_requested(at)
        return self.host.stop_requested(at)

    def close(self) -> None:
        """End the probers."""
        for run_id in list(self.probes):
            self._forget(run_id)

    # --- one service --------------------------------------------------------------------------

    def _begin(self, task: RunTask, attempt: retry.Attempt) -> None:
        """Begin to check an attempt, which may not have begun: the pause before it does not count."""
        check = task.plan.job.ready
        if not check and not attempt.pause_s:
            self._is_ready(task, attempt.number)
            return
        until = prober.deadline(check or LAUNCHED, self.host.machine.now() + attempt.pause_s)
        self._start(task, Probe(attempt.number, until))

    def _start(self, task: RunTask, one: Probe) -> None:
        one = one._replace(starts=one.starts + 1, again_at=NEVER)
        try:
            pid = prober.start(_target(task, self.host.recorded, self.plan.module_path), one.until)
        except OSError as error:
            self._again(task, one._replace(pid=0), f"cannot check: {error.strerror}")
            return
        self.host.helpers.add(pid)
        self.probes[task.plan.run_id] = one._replace(pid=pid)

    def _again(self, task: RunTask, one: Probe, why: str) -> None:
        """Start a prober again that was killed, unless that happened too often."""
        now = self.host.machine.now()
        if one.starts > MOST_RESTARTS or now >= one.until:
            self._failed(task, why + (f" ({one.starts} times)" if one.starts > 1 else ""), late=now >= one.until)
        else:
            self.probes[task.plan.run_id] = one._replace(pid=0, again_at=now + (RETRY_S if one.starts > 1 else 0.0))

    def _answered(self, task: RunTask, one: Probe, status: int) -> None:
        if not prober.is_final(status):
            self._again(task, one, f"its check was killed by {process.name_of(os.WTERMSIG(status))}")
            return
        self.probes.pop(task.plan.run_id)
        attempt = retry.read_attempt(task.at)
        if prober.is_restarted(status) or (prober.is_ready(status) and attempt.number != one.attempt):
            self._begin(task, attempt)
        elif prober.is_ready(status):
            # If the script starts it again later, it is checked again before what needs it is launched.
            self._is_ready(task, one.attempt)
        else:
            answer = prober.answer(HERE, task.plan.run_id) or ("" if prober.is_late(status) else "its check failed")
            self._failed(task, answer, late=prober.is_late(status))

    def _is_ready(self, task: RunTask, attempt: int) -> None:
        self.ready[task.plan.run_id] = attempt
        record.remove(task.at, task.at.hidden(ANSWER))
        self.host.report(f"ready {task.plan.run_id}")
        if task.ready_at or not task.child:
            return
        task.ready_at = clock.iso(time.time())
        task.child = task.child._replace(known=task.child.known + meta.pack({"ready_at": task.ready_at}))
        self.unrecorded.add(task.plan.run_id)
        self._record()

    def _record(self) -> None:
        """Write down which services are ready; where the disk is full, try again later."""
        for task in [self.tasks[run_id] for run_id in self.unrecorded]:
            with suppress(OSError):
                if task.only_runs and task.child and not journal.is_anothers(task.at, self.host.facts):
                    with Change(task.at.log_dir, task.plan.run_id):
                        files.replace_recent(task.at.meta, task.at.hidden("meta.new"), task.child.known)
                self.unrecorded.remove(task.plan.run_id)
        self.record_at = self.host.machine.now() + RETRY_S if self.unrecorded else NEVER

    def _failed(self, task: RunTask, answer: str, *, late: bool) -> None:
        """Stop a service that has not become ready in time, or whose check cannot be made."""
        self.probes.pop(task.plan.run_id, None)
        check = task.plan.job.ready
        within = f" in {check.timeout_s:g} s" if check and late else ""
        task.stop(f"{state.NOT_READY}{within}{f': {answer}' if answer else ''}")

    def _forget(self, run_id: str) -> None:
        """End what is done for a service that has exited, or is being stopped."""
        self.ready.pop(run_id, None)
        if one := self.probes.pop(run_id, None):
            if one.pid in self.host.helpers:
                prober.end(one.pid)
            at = self.tasks[run_id].at
            record.remove(at, at.hidden(ANSWER))


def _target(task: RunTask, recorded: str, module_path: tuple[str, ...]) -> Target:
    """Return what a prober has to know of a service that runs."""
    job, leader = task.plan.job, task.pid
    return Target(
        job.ready or LAUNCHED,
        task.plan.run_id,
        HERE,
        recorded,
        leader,
        process.start_of(leader),
        job.port,
        tuple(job.secrets),
        module_path,
    )
