"""Handing a plan to a supervisor of its own, which lets go of the caller at once."""

from __future__ import annotations

import os
import select
import subprocess
import sys

from bgrun.errors import BgrunError, BusyError, LaunchError
from bgrun.lean import contextmanager, signal
from bgrun.local import plan as plans
from bgrun.local import tree
from bgrun.runs import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.local.plan import Plan

READY_S = 30.0
"""How long a supervisor may take to launch, on however slow a machine, before it is given up."""
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from bgrun.local.supervisor import main; main()"
_PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def hand_over(plan: Plan) -> None:
    """Start the supervisor of a plan and return once the plan's record exists and its first runs run.

    Raises:
        BusyError: its concurrency group is full, and it is not to wait.
        LaunchError: nothing was launched.
    """
    with _undisturbed():
        answer = _start_supervisor(plan)
    if answer != "ok":
        raise _refusal(answer)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C back until it is known whether the run was launched, so that neither half is left."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_supervisor(plan: Plan) -> str:
    """Return `ok`, or what the supervisor says went wrong."""
    read_fd, write_fd = os.pipe()
    with subprocess.Popen(
        _command(plan, write_fd),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(write_fd,),
        start_new_session=True,
        env=_environment(plan),
    ) as supervisor:
        os.close(write_fd)
        assert supervisor.stdin  # noqa: S101 - it is a pipe, see above
        _feed(supervisor.stdin.fileno(), plan)
        supervisor.stdin.close()
        answer = _answer(read_fd)
        # It goes on without us: do not wait for it at the end of the block.
        supervisor.returncode = 0
    return answer


def _command(plan: Plan, ready_fd: int) -> list[str]:
    name = plan.group.run_id if plan.group else plan.runs[0].run_id
    # -I -S: neither the job's PYTHON* variables nor site-packages concern the supervisor.
    return [
        sys.executable,
        "-I",
        "-S",
        "-c",
        _BOOT,
        _PACKAGE_ROOT,
        str(ready_fd),
        f"bgrun supervisor of {name}",
    ]


def _environment(plan: Plan) -> dict[str, str]:
    """The mark of a supervisor is that of no run: neither of its own, nor of one that it was started in."""
    run_id = plan.group.run_id if plan.group else plan.runs[0].run_id
    return {**os.environ, tree.MARK_RUN: f"supervisor of {run_id}", tree.MARK_DIR: plan.log_dir}


def _feed(fd: int, plan: Plan) -> None:
    data = memoryview(plans.pack(plan))
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        return  # it died; what it said, if anything, comes with the answer


def _answer(fd: int) -> str:
    try:
        if not select.select([fd], [], [], READY_S)[0]:
            return f"the supervisor did not answer within {READY_S:g} s"
        return os.read(fd, 4096).decode("utf-8", "replace")
    finally:
        os.close(fd)


def _refusal(answer: str) -> BgrunError:
    kind, _, told = answer.partition("\n")
    message, _, hint = told.partition("\n")
    error = BusyError if kind == BusyError.__name__ else LaunchError
    return error(message or kind or "the supervisor ended before it launched anything", hint)


def module_path() -> tuple[str, ...]:
    """Return where a supervisor may import psutil from; Linux needs none."""
    return () if process.LINUX else tuple(sys.path)
