"""Hand a plan to a supervisor of its own, which detaches from the caller at once."""

from __future__ import annotations

import os
import sys
import time

from bgrun.errors import BgrunError, BusyError, LaunchError, LaunchPendingError, PortTakenError, StorageError
from bgrun.light import contextmanager, signal, suppress
from bgrun.local import time_limit
from bgrun.local.launch import manifest as plans
from bgrun.local.launch import standby
from bgrun.local.launch.standby import Standby
from bgrun.store.paths import RunPaths
from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bgrun.local.launch.manifest import Plan
    from bgrun.plan import RunPlan

READY_S = 30.0
"""Seconds that a supervisor may take to launch, on however slow a machine, before it is given up."""
SOON_S = 1.0
"""Seconds within which most answers come. After that it is checked as often whether the supervisor still exists."""
HALT_S = 2.0
"""Seconds that one that is given up may take to halt, and then to end: longer only where the kernel holds it."""
_LOOK_S = 0.005


_started: set[int] = set()


def hand_over(plan: Plan) -> bytes:
    """Give a plan to a supervisor and return once the plan's record exists and its first runs run.

    Where the plan is of one run that runs, return the text of its meta; else nothing. A launch that takes
    longer than READY_S, or that Ctrl-C interrupts, is withdrawn for good, unless a record of it is in view already:
    then it continues. So it does where the supervisor was killed behind its record.

    Raises:
        KeyboardInterrupt: Ctrl-C; its text says whether the plan was launched.
        BusyError: its concurrency group is full, and it is not to wait.
        PortTakenError: another start has the port that was assigned to a service of it.
        LaunchPendingError: the supervisor neither answers nor ends.
        LaunchError: nothing was launched, and nothing will be.
    """
    _reap()
    with _undisturbed(plan):
        pid, feed_fd, answer_fd = _supervisor(plan)
        answer = _answer(plan, pid, feed_fd, answer_fd)
        # Without an answer, but with a record: killed before it could say so; what it launched continues.
        if not answer.startswith(plans.LAUNCHED) and (answer or not _has_record(plan)):
            raise _refusal(answer.decode("utf-8", "replace"))
    return answer.removeprefix(plans.LAUNCHED)


@contextmanager
def _undisturbed(plan: Plan) -> Iterator[None]:
    """Block Ctrl-C until it is known whether the plan was launched, so that nothing half-launched is left.

    An error of the launch says what became of it and is raised in place of the interrupt.

    Raises:
        KeyboardInterrupt: Ctrl-C came meanwhile, and the plan was launched.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    except BaseException:
        with suppress(KeyboardInterrupt):
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{_run_ids(plan)[0]} was started") from None


def _is_interrupted() -> bool:
    """Return whether Ctrl-C was pressed while it was blocked; one that this process ignores does not count."""
    return signal.SIGINT in signal.sigpending() and callable(signal.getsignal(signal.SIGINT))


def _reap() -> None:
    """Reap supervisors that have exited. Each PID is removed first, so that only one thread waits for it."""
    for pid in tuple(_started):
        with suppress(KeyError, ChildProcessError):
            _started.remove(pid)
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                _started.add(pid)


def _supervisor(plan: Plan) -> Standby:
    """Return a supervisor that waits for its plan: the one on standby, a fork of this process, or an interpreter.

    One on standby that was killed meanwhile is replaced; one that could not begin has said why.

    A group gets no fork once Jinja is loaded: its supervisor never re-executes and would keep that memory.
    """
    try:
        if waiting := standby.take():
            if not _was_killed(waiting.pid):
                return waiting
            standby.let_end(waiting)
        if standby.may_fork() and (plan.group is None or "jinja2" not in sys.modules):
            return standby.fork()
        return _spawn(plan)
    except OSError as error:
        raise LaunchError(f"cannot start a supervisor: {error.strerror}", "see `ulimit -n` and `ulimit -u`") from error


def _spawn(plan: Plan) -> Standby:
    """Start an interpreter of its own as the supervisor.

    Raises:
        OSError: the system cannot start a process.
    """
    from bgrun.local.launch import interpreter

    with standby.pipes() as (plan_fd, feed_fd, answer_fd, ready_fd):
        os.set_inheritable(ready_fd, True)
        return Standby(interpreter.spawn(plan, plan_fd, ready_fd), feed_fd, answer_fd)


def _feed(fd: int, plan: Plan) -> None:
    """Write a plan to its supervisor.

    Raises:
        TimeUpError: it does not take all of it within READY_S, or Ctrl-C came.
    """
    data = memoryview(plans.pack(plan))
    os.set_blocking(fd, False)
    until = time.monotonic() + READY_S
    try:
        while data and time.monotonic() < until:
            with suppress(BlockingIOError):
                data = data[os.write(fd, data) :]
                continue
            if _is_interrupted():
                break
            import select  # a pipe takes most plans at once

            select.select([], [fd], [], SOON_S)
        if data:
            raise time_limit.TimeUpError
    except BrokenPipeError:
        return  # it died; what it said, if anything, comes with the answer
    finally:
        os.close(fd)


def _answer(plan: Plan, pid: int, feed_fd: int, fd: int) -> bytes:
    """Give a plan to its supervisor and return what it answers, or nothing if it ended without an answer."""
    try:
        _feed(feed_fd, plan)
        return _read(pid, fd)
    except time_limit.TimeUpError:
        return _late(plan, pid, fd)
    finally:
        os.close(fd)
        _started.add(pid)


def _late(plan: Plan, pid: int, fd: int) -> bytes:
    """Return the answer of a late supervisor: suspend it, then let it continue if it has launched, or kill it.

    Raises:
        LaunchPendingError: the kernel holds it.
        KeyboardInterrupt: Ctrl-C came, and nothing was launched.
    """
    _signal(pid, signal.SIGSTOP)
    _halted(pid, os.WUNTRACED)
    if _has_record(plan) or _has_come(fd):
        _signal(pid, signal.SIGCONT)
        return os.read(fd, plans.MOST_ANSWERED) if _has_come(fd) else plans.LAUNCHED
    _signal(pid, signal.SIGKILL)
    if not _halted(pid, 0):
        message = f"the supervisor (pid {pid}) neither launches nor ends: the system holds it"
        raise LaunchPendingError(message, "`bgrun status` shows the run should it start after all")
    if _has_record(plan):
        return plans.LAUNCHED
    if _is_interrupted():
        raise KeyboardInterrupt("nothing was started")
    return f"nothing was launched within {READY_S:g} s".encode()


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _halted(pid: int, options: int) -> bool:
    """Return whether a child has ended, or been stopped where the options of waitpid(2) ask for that, in time."""
    until = time.monotonic() + HALT_S
    while time.monotonic() < until:
        with suppress(ChildProcessError):
            if os.waitpid(pid, options | os.WNOHANG) == (0, 0):
                time.sleep(_LOOK_S)
                continue
        return True
    return False


def _has_record(plan: Plan) -> bool:
    return any(os.path.lexists(RunPaths(plan.log_dir, run_id).meta) for run_id in _run_ids(plan))


def _run_ids(plan: Plan) -> list[str]:
    """Return the run ID of a group, or else those of the runs of a plan."""
    return [plan.group.run_id] if plan.group else [run.run_id for run in plan.runs]


def _has_come(fd: int) -> bool:
    import select

    return bool(select.select([fd], [], [], 0)[0])


def _read(pid: int, fd: int) -> bytes:
    """Return the answer of a supervisor, or nothing if it exited without one.

    The end of the pipe alone does not tell: another process may hold it open.

    Raises:
        TimeUpError: it takes longer than READY_S, or longer than SOON_S and Ctrl-C came.
    """
    if time_limit.is_main_thread() and (answer := _read_soon(fd)) is not None:
        return answer
    import select  # not before, since that takes time

    until = time.monotonic() + READY_S
    while (left := until - time.monotonic()) > 0 and not _is_interrupted():
        if select.select([fd], [], [], min(left, SOON_S))[0]:
            return os.read(fd, plans.MOST_ANSWERED)
        if _has_exited(pid):
            return os.read(fd, plans.MOST_ANSWERED) if _has_come(fd) else b""
    raise time_limit.TimeUpError


def _read_soon(fd: int) -> bytes | None:
    """Return the answer, or None if none comes within SOON_S."""
    answer = bytearray(plans.MOST_ANSWERED)
    try:
        with time_limit.time_limit(SOON_S):
            return bytes(answer[: os.readv(fd, [answer])])
    except time_limit.TimeUpError:
        # The signal may come just after the answer, which is in its place then; no text of ours holds a NUL.
        return bytes(answer.rstrip(b"\0")) or None


def _has_exited(pid: int) -> bool:
    with suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    return True


def _was_killed(pid: int) -> bool:
    """Return whether a child was ended by a signal; one that exited is reaped as well."""
    with suppress(ChildProcessError):
        ended, status = os.waitpid(pid, os.WNOHANG)
        return ended != 0 and os.WIFSIGNALED(status)
    return False


def _refusal(answer: str) -> BgrunError:
    kind, _, text = answer.partition("\n")
    message, _, hint = text.partition("\n")
    error = next((one for one in (BusyError, PortTakenError, StorageError) if one.__name__ == kind), LaunchError)
    return error(message or kind or "the supervisor ended before it launched anything", hint)


def module_path(runs: Iterable[RunPlan]) -> tuple[str, ...]:
    """Return where a supervisor may import psutil from, and a check of a log `regex`; on Linux only the latter."""
    has_pattern = any(run.uses or (run.job.ready and run.job.ready.kind == "log") for run in runs)
    return tuple(sys.path) if has_pattern or not process.LINUX else ()
