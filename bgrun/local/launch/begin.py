"""Begin as a supervisor, in a fork of the command line or in an interpreter: leave the caller, launch, answer."""

from __future__ import annotations

import os
import sys

from bgrun.errors import BgrunError, LaunchError
from bgrun.light import suppress
from bgrun.local.launch.manifest import launched, unpack
from bgrun.local.recording import journal
from bgrun.local.supervision import workdir
from bgrun.local.supervision.descriptors import close_all
from bgrun.local.supervision.event_loop import Alarm, become_subreaper
from bgrun.local.supervision.machine import Machine
from bgrun.local.supervision.main import faults_noted, hear, to_the_end
from bgrun.local.supervision.supervisor import Supervisor
from bgrun.local.supervision.workdir import HERE
from bgrun.system import libc, process
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.local.supervision.run import RunTask

REEXEC_AFTER_S = 2.0
"""Seconds after which a forked supervisor re-executes itself, which takes 12 ms of processor time: it is not to cost a
job more than a hundredth of its time, and one that is over by then needs no smaller supervisor."""


def stand_by(plan_fd: int, ready_fd: int) -> None:
    """Be the supervisor of a plan that comes on `plan_fd`, in a fork of the command line; of none if none comes.

    Whatever does not depend on the plan is done before it comes.
    """
    machine = Machine()
    try:
        machine.find_code()
        close_all((plan_fd, ready_fd, machine.code.fd if machine.code else -1))
    except (OSError, LaunchError) as error:
        _refuse(ready_fd, _launch_error(error))
        return
    from bgrun.local.supervision import dispatcher, job  # noqa: F401 - the supervisor launches at once

    job.look_around()
    libc.find("prctl")
    with open(plan_fd, "rb") as file:
        data = file.read()
    if data:
        _supervise(Supervisor(unpack(data), machine), ready_fd, is_fork=True)


def main() -> None:
    """Be the supervisor of the plan on standard input, in an interpreter of its own."""
    fd = int(sys.argv[2])
    os.set_inheritable(fd, False)
    with open(0, "rb", closefd=False) as stdin:
        plan = unpack(stdin.read())
    try:
        process.leave_caller()
        close_all((fd,))
    except OSError as error:
        _refuse(fd, _launch_error(error))
        return
    sys.path.extend(plan.module_path)
    _supervise(Supervisor(plan, Machine()), fd, is_fork=False)


def _launch_error(error: OSError | LaunchError) -> LaunchError:
    if isinstance(error, LaunchError):
        return error
    return LaunchError(f"cannot start a supervisor: {error.strerror}", "see `ulimit -n` and `ulimit -u`")


def _supervise(supervisor: Supervisor, ready_fd: int, *, is_fork: bool) -> None:
    """Carry out its plan; report on `ready_fd` that its record exists and its first runs run, or what went wrong."""
    alarm = Alarm()
    supervisor.be(os.getpid(), subreaper=become_subreaper())
    try:
        workdir.enter(supervisor.plan.log_dir)
    except OSError as error:
        _refuse(ready_fd, LaunchError(f"cannot go into {supervisor.plan.log_dir}: {error.strerror}"))
        return
    with faults_noted():  # there
        _carry_out(supervisor, alarm, ready_fd, is_fork=is_fork)


def _carry_out(supervisor: Supervisor, alarm: Alarm, ready_fd: int, *, is_fork: bool) -> None:
    try:
        if supervisor.queue:
            supervisor.machine.keep_code()  # a process that waits for a slot closes every descriptor
        supervisor.open()
        supervisor.advance()
        supervisor.machine.find_code()
    except BgrunError as error:
        from bgrun.local.supervision.dispatcher import withdraw
        from bgrun.system.directories import quoted

        withdraw(supervisor.plan)
        error.message = workdir.spelled(error.message, supervisor.plan.log_dir)
        error.hint = workdir.spelled(error.hint, quoted(supervisor.plan.log_dir))
        _refuse(ready_fd, error)
        return
    _answer(ready_fd, launched(supervisor.known))
    # Not before: to read it takes a thirtieth of a start. Until now the open file outlasts its removal.
    try:
        supervisor.machine.keep_code()
    except LaunchError as error:
        journal.note_fault(HERE, error)
    done = hear(supervisor)
    if is_fork and not done and (supervisor.only_waits or (supervisor.probes and not supervisor.group)):
        done = _until_reexec(supervisor, alarm)
    to_the_end(supervisor, alarm, done=done)


def _refuse(ready_fd: int, error: BgrunError) -> None:
    _answer(ready_fd, f"{type(error).__name__}\n{error.message}\n{error.hint}".encode("utf-8", "replace"))


def _answer(ready_fd: int, answer: bytes) -> None:
    """Report to the caller how the launch went; one that was killed meanwhile (EPIPE) does not affect the plan."""
    with suppress(OSError):
        os.write(ready_fd, answer)
    with suppress(OSError):
        os.close(ready_fd)


def _until_reexec(supervisor: Supervisor, alarm: Alarm) -> bool:
    """Supervise a job that may be over in a moment, or a service until it is ready; then re-execute.

    Returns whether the plan is over.
    """
    until = steady_clock() + REEXEC_AFTER_S
    done = False
    while not done and ((left := until - steady_clock()) > 0 or supervisor.probes):
        times = [one for one in (supervisor.next_turn_s(), left if left > 0 else None) if one is not None]
        done = supervisor.turn(alarm.sleep(min(times, default=None)))
    if not done and supervisor.only_waits:
        _reexecute(supervisor)
    return done


def _reexecute(supervisor: Supervisor) -> None:
    """Become a smaller supervisor of the same runs; returns only if that cannot be."""
    from bgrun.local.launch import interpreter

    if code := supervisor.machine.code:
        tasks = supervisor.tasks.values()
        port_fds = supervisor.host.port_fds
        state = supervisor.plan, (supervisor.host.subreaper, [_state_of(task) for task in tasks], [*port_fds.items()])
        locks = (*(task.child.lock_fd for task in tasks if task.child), *port_fds.values())
        interpreter.become(supervisor.plan, state, locks, code)


def _state_of(task: RunTask) -> Any:
    """Return the state of a run that the re-executed supervisor needs."""
    log = (task.log.check_at, task.log.size) if task.log else None
    return task.child, task.began, task.inhibitor, log, task.reports_before
