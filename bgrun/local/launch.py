"""Handing a plan to a supervisor of its own, which lets go of the caller at once."""

from __future__ import annotations

import _thread
import os
import sys

from bgrun.errors import BgrunError, BusyError, LaunchError
from bgrun.lean import contextmanager, signal, suppress
from bgrun.local import kernel
from bgrun.local import plan as plans
from bgrun.runs import process
from bgrun.runs.layout import MARK_RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.local.plan import Plan

READY_S = 30.0
"""How long a supervisor may take to launch, on however slow a machine, before it is given up."""


_started: set[int] = set()


def hand_over(plan: Plan) -> bytes:
    """Give a plan to a supervisor and return once the plan's record exists and its first runs run.

    Where the plan is of one run that runs, return the text of its meta; else nothing.

    Raises:
        BusyError: its concurrency group is full, and it is not to wait.
        LaunchError: nothing was launched.
    """
    _reap()
    with _undisturbed():
        answer = _answer(_fork(plan) if _may_fork(plan) else _spawn(plan))
    if not answer.startswith(plans.LAUNCHED):
        raise _refusal(answer.decode("utf-8", "replace"))
    return answer.removeprefix(plans.LAUNCHED)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C back until it is known whether the run was launched, so that neither half is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reap() -> None:
    """Take leave of the supervisors that ended since they were started, in a process that starts many.

    Each is taken out before it is asked for, so that of several threads only one does.
    """
    for pid in tuple(_started):
        with suppress(KeyError, ChildProcessError):
            _started.remove(pid)
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                _started.add(pid)


def _may_fork(plan: Plan) -> bool:
    """Whether this very process can be the supervisor's beginning, which saves the start of an interpreter.

    Not where other threads run, which a fork leaves behind in the middle of something; nor inside of
    another run, whose mark our environment has; nor off Linux, where system libraries do not bear a fork;
    nor where templates were rendered just now, for a plan that is to stay what it is for as long as it runs.
    """
    if not process.LINUX or MARK_RUN in os.environ or _thread._count():
        return False
    return plan.group is None or "jinja2" not in sys.modules


def _fork(plan: Plan) -> int:
    """Fork the supervisor of a plan and return the descriptor on which it answers."""
    from bgrun.local import child, supervisor

    # Before the fork: behind it, where each page is copied as it is touched, this takes thrice as long.
    kernel.find_prctl()
    child.look_around()
    made = supervisor.Supervisor(plan)
    answer_fd, ready_fd = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(answer_fd)
        os.close(ready_fd)
        raise _no_supervisor(error) from error
    if pid == 0:
        supervisor.begin(made, ready_fd)
    os.close(ready_fd)
    _started.add(pid)
    return answer_fd


def _spawn(plan: Plan) -> int:
    """Start an interpreter of its own as the supervisor; return the descriptor on which it answers."""
    from bgrun.local import slim

    plan_fd, feed_fd = os.pipe()
    answer_fd, ready_fd = os.pipe()
    os.set_inheritable(ready_fd, True)
    try:
        _started.add(slim.spawn(plan, plan_fd, ready_fd))
    except OSError as error:
        os.close(feed_fd)
        os.close(answer_fd)
        raise _no_supervisor(error) from error
    finally:
        os.close(plan_fd)
        os.close(ready_fd)
    _feed(feed_fd, plan)
    return answer_fd


def _no_supervisor(error: OSError) -> LaunchError:
    return LaunchError(f"cannot start a supervisor: {error.strerror}")


def _feed(fd: int, plan: Plan) -> None:
    data = memoryview(plans.pack(plan))
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        return  # it died; what it said, if anything, comes with the answer
    finally:
        os.close(fd)


def _answer(fd: int) -> bytes:
    try:
        return _read(fd)
    except kernel.TimeUpError:
        return f"the supervisor did not answer within {READY_S:g} s".encode()
    finally:
        os.close(fd)


def _read(fd: int) -> bytes:
    """Return what comes first; raise TimeUpError if that takes too long."""
    if kernel.is_main_thread():
        with kernel.time_limit(READY_S):
            return os.read(fd, plans.MOST_ANSWERED)
    import select

    if not select.select([fd], [], [], READY_S)[0]:
        raise kernel.TimeUpError
    return os.read(fd, plans.MOST_ANSWERED)


def _refusal(answer: str) -> BgrunError:
    kind, _, told = answer.partition("\n")
    message, _, hint = told.partition("\n")
    error = BusyError if kind == BusyError.__name__ else LaunchError
    return error(message or kind or "the supervisor ended before it launched anything", hint)


def module_path() -> tuple[str, ...]:
    """Return where a supervisor may import psutil from; Linux needs none."""
    return () if process.LINUX else tuple(sys.path)
