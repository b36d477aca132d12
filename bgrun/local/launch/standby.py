"""Fork the supervisor of a plan that is still being read: it loads its code while the caller claims run IDs.

What it buys: a start answers a tenth sooner where another core is idle, and no later where none is. A supervisor that
gets no plan ends without a trace.
"""

from __future__ import annotations

import _thread
import os

from bgrun.light import NamedTuple, contextmanager, signal, suppress
from bgrun.store.paths import MARK_RUN
from bgrun.system import cpus, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn


class Standby(NamedTuple):
    """A supervisor without a plan: its PID, where the plan is written to, and where the answer is read."""

    pid: int
    feed_fd: int
    answer_fd: int


_waiting: list[Standby] = []


def may_fork() -> bool:
    """Return whether a supervisor can be a fork of this process, which saves the start of an interpreter.

    Not if other threads run, which a fork leaves in the middle of something; nor inside another run, whose mark
    the environment has; nor off Linux, where system libraries do not support a fork.
    """
    return process.LINUX and MARK_RUN not in os.environ and not _thread._count()


def prepare() -> None:
    """Fork a supervisor for the plan that this process will probably hand over; do nothing where none can be forked."""
    if may_fork() and not _waiting:
        with suppress(OSError):
            _waiting.append(fork())


def take() -> Standby | None:
    """Return the supervisor on standby, which is the caller's from now on."""
    return _waiting.pop() if _waiting else None


def dismiss() -> None:
    """End the supervisor on standby, if there is one: at the end of the pipe it ends by itself.

    One that still has the streams of this process is killed: suspended, it would block whoever reads them.
    """
    if waiting := take():
        let_end(waiting)
        with suppress(ChildProcessError):
            if os.waitpid(waiting.pid, os.WNOHANG) == (0, 0) and not process.has_left(waiting.pid):
                os.kill(waiting.pid, signal.SIGKILL)


def let_end(one: Standby) -> None:
    """Close the pipes of a supervisor, which ends for lack of a plan."""
    os.close(one.feed_fd)
    os.close(one.answer_fd)


@contextmanager
def pipes() -> Iterator[tuple[int, int, int, int]]:
    """Yield the ends of two pipes: where the plan is read and written, and where the answer is read and written.

    The supervisor's are closed behind the block; the caller's as well if it could not be started.

    Raises:
        OSError: no descriptor is free.
    """
    plan_fd, feed_fd = os.pipe()
    opened = [plan_fd, feed_fd]
    try:
        opened += os.pipe()
        answer_fd, ready_fd = opened[2:]
        yield plan_fd, feed_fd, answer_fd, ready_fd
        opened = [plan_fd, ready_fd]
    finally:
        for fd in opened:
            os.close(fd)


def fork() -> Standby:
    """Fork a supervisor that reads its plan from a pipe, and answers on another one.

    Raises:
        OSError: the system cannot start a process.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with pipes() as (plan_fd, feed_fd, answer_fd, ready_fd):
            pid = os.fork()
            if pid == 0:
                _stand_by(plan_fd, ready_fd)
            cpus.spread(pid)
            return Standby(pid, feed_fd, answer_fd)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stand_by(plan_fd: int, ready_fd: int) -> NoReturn:
    code = 1
    try:
        try:
            process.leave_caller()  # first: whoever reads what the caller writes waits for nothing else
            from bgrun.local.launch import begin
        except (ImportError, OSError) as error:  # no descriptor is free, say
            os.write(ready_fd, f"LaunchError\ncannot start a supervisor: {error}\nsee `ulimit -n`".encode())
        else:
            begin.stand_by(plan_fd, ready_fd)
            code = 0
    finally:
        os._exit(code)
