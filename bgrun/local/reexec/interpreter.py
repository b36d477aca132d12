"""An interpreter of its own for the supervisor, slim since it stays as long as the job."""

from __future__ import annotations

import os
import sys

from bgrun import codec
from bgrun.light import suppress
from bgrun.local.reexec import bundle
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.local.manifest import Plan
    from bgrun.local.reexec.bundle import Copy

# What a supervisor begins with that is to carry out a plan from its beginning.
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from bgrun.local.main import main; main()"
# Neither the job's PYTHON* variables nor site-packages concern the supervisor.
_BARE = ("-I", "-S", "-c")
_PACKAGE_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(codec.__file__)))


def spawn(plan: Plan, plan_fd: int, ready_fd: int) -> int:
    """Start a supervisor that reads its plan from one descriptor and answers on the other; return its pid.

    Raises:
        OSError: there can be no such process.
    """
    null = os.open(os.devnull, os.O_RDWR)
    try:
        streams = [(os.POSIX_SPAWN_DUP2, source, fd) for source, fd in ((plan_fd, 0), (null, 1), (null, 2))]
        words = _command(plan, ready_fd)
        return os.posix_spawn(sys.executable, words, _environment(plan), file_actions=streams)
    finally:
        os.close(null)


def become(plan: Plan, state: Any, kept_fds: tuple[int, ...], code: Copy) -> None:
    """Become a slim supervisor in this very process, which goes on with this state, these descriptors and this code.

    Children stay children, a subreaper one, and the working folder what it is (execve(2)). It returns only if
    that cannot be: whether the bgrun that this began with is still there makes no difference, but the
    interpreter below its venv has to be.
    """
    memfd_create = getattr(os, "memfd_create", None)
    if memfd_create is None or not code.is_whole:
        return
    with suppress(OSError):
        copy_fd = memfd_create("bgrun", 0)
        try:
            index, data = code.packed(bundle.SLIM, codec.pack(state))
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
    """Return how it is to be told from other processes."""
    return f"bgrun supervisor of {_name(plan)}"


def _environment(plan: Plan) -> dict[str, str]:
    """The mark of a supervisor is that of no run: neither of its own, nor of one that it was started in."""
    return {**os.environ, MARK_RUN: f"supervisor of {_name(plan)}", MARK_DIR: plan.log_dir}


def _name(plan: Plan) -> str:
    return plan.group.run_id if plan.group else plan.runs[0].run_id
