"""An interpreter of its own for the supervisor, slim since it stays as long as the job."""

from __future__ import annotations

import os
import sys

from bgrun import packing
from bgrun.lean import suppress
from bgrun.runs.layout import MARK_DIR, MARK_RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.local.plan import Plan

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from bgrun.local.supervisor import main; main()"
_PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def spawn(plan: Plan, plan_fd: int, ready_fd: int) -> int:
    """Start a supervisor that reads its plan from one descriptor and answers on the other; return its pid.

    Raises:
        OSError: there can be no such process.
    """
    null = os.open(os.devnull, os.O_RDWR)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, source, fd) for source, fd in ((plan_fd, 0), (null, 1), (null, 2))]
        words = _command(plan, "plan", ready_fd)
        return os.posix_spawn(sys.executable, words, _environment(plan), file_actions=streams)
    finally:
        os.close(null)


def become(plan: Plan, state: Any, kept_fds: tuple[int, ...]) -> None:
    """Become a slim supervisor in this very process, which goes on with this state and these descriptors.

    Children stay children, and a subreaper one (execve(2)). It returns only if that cannot be.
    """
    memfd_create = getattr(os, "memfd_create", None)
    if memfd_create is None:
        return
    with suppress(OSError):
        state_fd = memfd_create("bgrun", 0)
        try:
            os.write(state_fd, packing.pack(state))
            os.lseek(state_fd, 0, os.SEEK_SET)
            for fd in kept_fds:
                os.set_inheritable(fd, True)
            os.execve(sys.executable, _command(plan, "state", state_fd), _environment(plan))
        finally:
            os.close(state_fd)
            for fd in kept_fds:
                os.set_inheritable(fd, False)


def _command(plan: Plan, what: str, fd: int) -> list[str]:
    # -I -S: neither the job's PYTHON* variables nor site-packages concern the supervisor.
    boot = [sys.executable, "-I", "-S", "-c", _BOOT, _PACKAGE_ROOT]
    return [*boot, what, str(fd), f"bgrun supervisor of {_name(plan)}"]


def _environment(plan: Plan) -> dict[str, str]:
    """The mark of a supervisor is that of no run: neither of its own, nor of one that it was started in."""
    return {**os.environ, MARK_RUN: f"supervisor of {_name(plan)}", MARK_DIR: plan.log_dir}


def _name(plan: Plan) -> str:
    return plan.group.run_id if plan.group else plan.runs[0].run_id
