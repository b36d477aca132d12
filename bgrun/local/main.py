"""The entry points of the process that supervises: a fork of the command line, or an interpreter of its own."""

from __future__ import annotations

import os
import sys

from bgrun import codec
from bgrun.errors import BgrunError, LaunchError
from bgrun.light import contextmanager, suppress
from bgrun.local import journal, workdir
from bgrun.local.descriptors import close_all, leave_streams
from bgrun.local.event_loop import Alarm, become_subreaper
from bgrun.local.manifest import Plan, launched, unpack
from bgrun.local.supervisor import Supervisor
from bgrun.local.workdir import HERE
from bgrun.system import files
from bgrun.system.clock import steady_clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn


SLIM_AFTER_S = 0.5
"""How long a forked supervisor stays as it is: a job that is over by then needs no slim one."""


def supervise(supervisor: Supervisor, ready_fd: int, *, slim_later: bool) -> None:
    """Carry out its plan; on `ready_fd` tell that its record exists and its first runs run, or what went wrong."""
    alarm = Alarm()
    supervisor.be(os.getpid(), subreaper=become_subreaper())
    try:
        workdir.enter(supervisor.plan.log_dir)
    except OSError as error:
        _refuse(ready_fd, LaunchError(f"cannot go into {supervisor.plan.log_dir}: {error.strerror}"))
        return
    supervisor.hear()
    try:
        supervisor.open()
        done = supervisor.advance()
        supervisor.keep_code()
    except BgrunError as error:
        supervisor.withdraw()
        error.message = workdir.spelled(error.message, supervisor.plan.log_dir)
        error.hint = workdir.spelled(error.hint, files.quoted(supervisor.plan.log_dir))
        _refuse(ready_fd, error)
        return
    _answer(ready_fd, launched(supervisor.known))
    if slim_later and not done and supervisor.only_waits:
        done = _while_quick(supervisor, alarm)
    _to_the_end(supervisor, alarm, done=done)


def _refuse(ready_fd: int, error: BgrunError) -> None:
    _answer(ready_fd, f"{type(error).__name__}\n{error.message}\n{error.hint}".encode("utf-8", "replace"))


def _answer(ready_fd: int, told: bytes) -> None:
    """Tell the caller how the launch went; one that was killed meanwhile (EPIPE) takes no part of the plan along."""
    with suppress(OSError):
        os.write(ready_fd, told)
    with suppress(OSError):
        os.close(ready_fd)


def _while_quick(supervisor: Supervisor, alarm: Alarm) -> bool:
    """Mind a job that may be over in a moment; for one that takes longer become slim. Return whether it is over."""
    until = steady_clock() + SLIM_AFTER_S
    done = False
    while not done and (left := until - steady_clock()) > 0:
        looks = (left, supervisor.next_look())
        done = supervisor.turn(alarm.sleep(min(at for at in looks if at is not None)))
    if not done and supervisor.only_waits:
        from bgrun.local.reexec import interpreter

        if supervisor.code:
            interpreter.become(supervisor.plan, supervisor.handed_on(), supervisor.kept_fds, supervisor.code)
    return done


def _to_the_end(supervisor: Supervisor, alarm: Alarm, *, done: bool) -> None:
    while not done:
        done = supervisor.turn(alarm.sleep(supervisor.next_look()))
    supervisor.close()
    while not supervisor.drain_hooks():
        alarm.sleep(supervisor.next_look())


def begin(supervisor: Supervisor, ready_fd: int) -> NoReturn:
    """Be this supervisor, in a fork of the command line that never returns there."""
    code = 1
    try:
        _let_go(ready_fd)
        with _faults_noted():
            supervise(supervisor, ready_fd, slim_later=True)
            code = 0
    finally:
        os._exit(code)


def _let_go(*kept_fds: int) -> None:
    """Keep nothing of the caller's: session, streams, descriptors, folder."""
    os.setsid()
    leave_streams()
    close_all(kept_fds)
    os.chdir("/")


@contextmanager
def _faults_noted() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        journal.note_fault(HERE, error)
        raise


def main() -> None:
    """Be the supervisor of a plan in an interpreter of its own, from its beginning."""
    fd = int(sys.argv[2])
    os.set_inheritable(fd, False)
    with open(0, "rb", closefd=False) as stdin:
        plan = unpack(stdin.read())
    _let_go(fd)
    sys.path.extend(plan.module_path)
    with _faults_noted():
        supervise(Supervisor(plan), fd, slim_later=False)


def go_on(handed_on: bytes, trim: Callable[[], None]) -> None:
    """Be the supervisor that another one has become, in the log folder; `trim` lets go of what is loaded by now."""
    raw_plan, state = codec.unpack(handed_on)
    with _faults_noted():
        supervisor = Supervisor.taking_over(codec.restore(Plan, raw_plan), state)
        del raw_plan, state
        trim()
        alarm = Alarm()
        supervisor.hear()
        # What was asked of the one before may have come while nobody heard.
        supervisor.asked_to_stop = True
        _to_the_end(supervisor, alarm, done=supervisor.advance())
