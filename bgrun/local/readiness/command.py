"""Check readiness with a command of the user, as the service itself would run it."""

from __future__ import annotations

import errno
import os
import time

from bgrun.light import signal
from bgrun.parsers import terminal
from bgrun.store import masking
from bgrun.store.paths import MARK_DIR, MARK_RUN
from bgrun.system import clock, process, programs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.local.readiness.target import Target
    from bgrun.store.masking import Mark

TRY_S = 30.0
"""How many seconds a command may take before it is killed and tried again."""
_LEAST_S = 0.5
"""How many seconds a command may take at least: the last try, too, is to show more than that its time was up."""
_TERM_S, _LONGEST_POLL_S = 0.5, 0.05
_LAST_BYTES, _LONGEST = 4096, 160
_MOST_OUTPUT = 1 << 20
"""From how many bytes on the output of a command that still runs is discarded: nobody reads but its last line."""
_DEFAULT = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


def check(target: Target, left_s: float, output_fd: int, secrets: Sequence[Mark] = ()) -> str:
    """Return '' if the command exits with 0, else its exit code and the last line of its output.

    It is in the process group of this process, and ends with that.
    """
    os.ftruncate(output_fd, 0)
    pid = _start(target, output_fd)
    timeout_s = max(_LEAST_S, min(left_s, TRY_S))
    status = _wait(pid, timeout_s, output_fd)
    if status is None:
        _end(pid)
        return f"did not finish within {round(timeout_s, 1):g}s"
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return ""
    signaled = process.name_of(code - 128) if code > 128 else None  # as a shell says it of its command
    name = f"killed by {process.name_of(-code)}" if code < 0 else f"exit {code}{f' ({signaled})' if signaled else ''}"
    last = _last_line(output_fd, secrets)
    return f"{name}: {last}" if last else name


def _start(target: Target, output_fd: int) -> int:
    """Start the command.

    Raises:
        OSError: the system cannot start a process.
    """
    environment = programs.job_environment(os.environ)
    marks = {MARK_RUN: target.run_id, MARK_DIR: target.recorded}
    bash = programs.find("bash") or "/bin/bash"
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.posix_spawn(
            bash,
            [bash, "-p", "-c", target.check.value],
            {**environment, **dict(target.environment), **marks},
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((null, 0), (output_fd, 1), (output_fd, 2))],
            setsigmask=(),
            setsigdef=_DEFAULT,
        )
    finally:
        os.close(null)


def _end(pid: int) -> None:
    """End a command that takes too long: with all of this process's group, which itself ignores the signal."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        os.killpg(0, signal.SIGTERM)
        if _wait(pid, _TERM_S) is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(pid: int, timeout_s: float, output_fd: int = -1) -> int | None:
    """Reap a child and return its wait status, or None if it is still running once the time is up.

    Polled: a signal at the deadline might come just after the child was reaped.
    """
    until = clock.steady_clock() + timeout_s
    pause_s = 0.002
    while True:
        reaped, status = os.waitpid(pid, os.WNOHANG)
        if reaped:
            return status
        if clock.steady_clock() >= until:
            return None
        if output_fd >= 0 and os.fstat(output_fd).st_blocks * 512 > _MOST_OUTPUT:
            os.ftruncate(output_fd, 0)
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _LONGEST_POLL_S)


def _last_line(fd: int, secrets: Sequence[Mark]) -> str:
    """Return the last line of the output that is not empty, as plain text without secrets.

    They are masked before anything is cut off; what may be the rest of one that the first bytes cut is left out.
    """
    longest = max((one.length for one in secrets), default=0)
    begin = max(0, os.fstat(fd).st_size - _LAST_BYTES - longest)
    try:
        lines = os.pread(fd, _LAST_BYTES + longest, begin).split(b"\n")
    except OSError as error:
        return os.strerror(error.errno or errno.EIO)
    for number in reversed(range(len(lines))):
        text = terminal.clean(terminal.decode(masking.mask(lines[number], secrets)))
        if text := masking.hide(text, secrets, skip=longest if begin and not number else 0).strip():
            return text[:_LONGEST]
    return ""
