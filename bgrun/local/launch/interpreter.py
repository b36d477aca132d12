"""Run a supervisor in an interpreter of its own, which needs little memory as long as its job runs."""

from __future__ import annotations

import os
import sys

from bgrun import codec
from bgrun.bytecode import bundle, contents
from bgrun.light import suppress
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.bytecode.bundle import Copy
    from bgrun.local.launch.manifest import Plan

# What a supervisor begins with that is to carry out a plan from its beginning.
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from bgrun.local.launch.begin import main; main()"
# Neither the job's PYTHON* variables nor site-packages concern the supervisor.
_BARE = ("-I", "-S", "-c")
_PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(codec.__file__)))


def spawn(plan: Plan, plan_fd: int, ready_fd: int) -> int:
    """Start a supervisor that reads its plan from one descriptor and answers on the other; return its PID.

    Raises:
        OSError: the system cannot start a process.
    """
    null = os.open(os.devnull, os.O_RDWR)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, source, fd) for source, fd in ((plan_fd, 0), (null, 1), (null, 2))]
        words = _command(plan, ready_fd)
        return os.posix_spawn(sys.executable, words, _environment(plan), file_actions=streams)
    finally:
        os.close(null)


def become(plan: Plan, state: Any, kept_fds: tuple[int, ...], code: Copy) -> None:
    """Re-execute this process as a smaller supervisor with this state, these descriptors and this code.

    Children, the subreaper and the working directory stay (execve(2)). Returns only if that cannot be: the
    interpreter below the venv must still exist, bgrun itself need not.
    """
    memfd_create = getattr(os, "memfd_create", None)
    if memfd_create is None or not code.is_whole or not code.base:
        return
    with suppress(OSError):
        copy_fd = memfd_create("bgrun", 0)
        try:
            index, data = code.packed(contents.SLIM, codec.pack(state))
            files.write_all(copy_fd, data + index)
            for fd in kept_fds:
                os.set_inheritable(fd, True)
            where = (str(copy_fd), str(len(data)), str(len(index)))
            words = [code.base.executable, *_BARE, bundle.BOOT, *where, _title(plan)]
            os.execve(code.base.executable, words, _environment(plan))
        finally:
            os.close(copy_fd)
            for fd in kept_fds:
                os.set_inheritable(fd, False)


def _command(plan: Plan, fd: int) -> list[str]:
    return [sys.executable, *_BARE, _BOOT, _PACKAGE_ROOT, str(fd), _title(plan)]


def _title(plan: Plan) -> str:
    """Return the last argument of a supervisor, which names it in a list of processes."""
    return f"bgrun supervisor of {_name(plan)}"


def _environment(plan: Plan) -> dict[str, str]:
    """Return the environment of a supervisor: its mark is that of no run, neither its own nor the caller's."""
    return {**os.environ, MARK_RUN: f"supervisor of {_name(plan)}", MARK_DIR: plan.log_dir}


def _name(plan: Plan) -> str:
    return plan.group.run_id if plan.group else plan.runs[0].run_id
