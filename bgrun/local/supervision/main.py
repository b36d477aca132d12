"""Supervise a plan to its end, from its launch on or as the process that the supervisor re-executed itself as.

This is what a supervisor keeps in memory as long as its job runs; how one begins is in `launch.begin`.
"""

from __future__ import annotations

import os

from bgrun import codec
from bgrun.light import contextmanager
from bgrun.local.launch.manifest import Plan
from bgrun.local.recording import journal
from bgrun.local.supervision.event_loop import Alarm
from bgrun.local.supervision.machine import Machine
from bgrun.local.supervision.supervisor import Supervisor
from bgrun.local.supervision.workdir import HERE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from bgrun.local.supervision.run import RunTask


def take_over(handed_on: bytes, trim: Callable[[], None]) -> None:
    """Be the supervisor that re-executed itself, in the log directory; `trim` drops the code that is loaded by then."""
    raw_plan, (subreaper, states, port_fds) = codec.unpack(handed_on)
    with faults_noted():
        supervisor = Supervisor(codec.restore(Plan, raw_plan), Machine())
        supervisor.be(os.getpid(), subreaper=subreaper)
        supervisor.host.port_fds = dict(port_fds)
        for fd in supervisor.host.port_fds.values():
            os.set_inheritable(fd, False)
        for task, state in zip(supervisor.tasks.values(), states, strict=True):
            restore(task, *state)
            supervisor.active[task.plan.run_id] = task
        del handed_on, raw_plan, states
        trim()
        alarm = Alarm()
        to_the_end(supervisor, alarm, done=hear(supervisor))


def restore(task: RunTask, child: Any, began: float, inhibitor: int, log: Any, reports_before: Any = None) -> None:
    """Give a run the state that it had in the supervisor that launched it."""
    task.child = journal.Child(*child)
    os.set_inheritable(task.child.lock_fd, False)
    task.host.leaders.add(task.pid)
    task.state, task.began, task.inhibitor = "running", began, inhibitor
    if inhibitor:
        task.host.helpers.add(inhibitor)
    if log:
        task.log = task.limiter()
        task.log.check_at, task.log.size = log
        task.log.may_have_grown()  # what the kernel was asked to report does not come to another program
    if reports_before:
        from bgrun.local.recording import fresh

        task.reports_before = fresh.Before(*reports_before)


@contextmanager
def faults_noted() -> Iterator[None]:
    """Note an error of bgrun itself in the log directory, which this process is in: it has no terminal."""
    try:
        yield
    except Exception as error:
        journal.note_fault(HERE, error)
        raise


def hear(supervisor: Supervisor) -> bool:
    """Have stop requests reported from now on, and return whether the plan is over.

    Not before the caller is answered: the kernel goes through all files of the directory that it knows, which takes
    a third of a millisecond where there are some hundred.
    """
    supervisor.hear()
    return supervisor.advance()


def to_the_end(supervisor: Supervisor, alarm: Alarm, *, done: bool) -> None:
    """Supervise until the plan is over and its hooks have been called."""
    while not done:
        done = supervisor.turn(alarm.sleep(supervisor.next_turn_s()))
    supervisor.close()
    while not supervisor.drain_hooks():
        alarm.sleep(supervisor.next_turn_s())
