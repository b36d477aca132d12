"""Stop the runs of a supervisor: what belongs to each of them, and one step of their stops after the other."""

from __future__ import annotations

import os
import time

from bgrun.local.stopping import processes, stopper
from bgrun.local.supervision import workdir
from bgrun.store import meta
from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.local.stopping.policy import Stopping
    from bgrun.local.supervision.run import RunTask
    from bgrun.system.process import Process

LINGER_S, LINGER_LOOK_S = 0.05, 0.005
"""Seconds that a process may outlive its job before it counts as left running, and between two checks of that."""


def advance(tasks: Iterable[RunTask]) -> None:
    """Advance the stop of each run by one step.

    All runs share one process snapshot: of a plan of hundreds each would take the time of one anew.
    """
    again = [task for task in tasks if task.stopping]
    while again:
        view = processes.View()
        again = [task for task in again if task.stopping and _advance(task, task.stopping, view)]


def _advance(task: RunTask, stopping: Stopping, view: processes.View) -> bool:
    """Advance the stop of a run by one step; return whether the next one is due at once."""
    target = stopper.Target(ownership(task), 0 if task.exit else task.pid, task.at)
    done = stopper.step(target, stopping, view, task.host.machine.now())
    task.stopping = done.stopping
    task.note(done.reached)
    if done.outcome in ("over", "given up") and task.exit:
        task.stop_over(done.left)
    return done.outcome == "scan again"


def left_running(task: RunTask) -> Sequence[Process]:
    """Return what a run left running when it ended by itself; processes about to exit are given a moment."""
    now = task.host.machine.now
    found = processes.find(ownership(task))
    until = now() + LINGER_S
    while found and now() < until:
        time.sleep(LINGER_LOOK_S)
        found = [one for one in found if process.is_running(*one.key)]
    return found


def ownership(task: RunTask) -> processes.Ownership:
    """Return what makes a process part of this run of a supervisor."""
    host = task.host
    facts = meta.unpack(task.child.known) if task.child else {}
    files = task.at._replace(log_dir=workdir.now(host.recorded))
    return stopper.claim_of(files, facts, reaped=bool(task.exit))._replace(
        ancestor=os.getpid() if host.subreaper else 0,
        whole=host.subreaper and host.alone,
        not_these=frozenset(host.helpers),
    )
