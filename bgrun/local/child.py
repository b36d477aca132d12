"""Launching one job: the child makes its own record, and only then becomes the job script.

The pid file is made hidden, locked by the supervisor, written by the child itself and renamed into
view before exec, so there is no moment at which a job runs without a record, whoever is killed.
"""

from __future__ import annotations

import fcntl
import os
import time

from bgrun.errors import LaunchError
from bgrun.lean import NamedTuple, signal
from bgrun.local import ledger, programs
from bgrun.runs import clock, files, process
from bgrun.runs.layout import MARK_DIR, MARK_RUN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from bgrun.runs.layout import RunFiles


SLOT_FD = 9
"""Where a job script finds the lock of its slot: a descriptor that bash leaves alone (see job.sh.j2)."""


class Child(NamedTuple):
    """A launched job: its pid, the descriptor that holds its lock, and its meta so far."""

    pid: int
    lock_fd: int
    facts: dict[str, str]


class Held(NamedTuple):
    """Descriptors of locks that a run has before its launch, or -1: that of the run, and that of its slot.

    The job script keeps the slot open as well, as SLOT_FD, and closes it for its command.
    """

    lock_fd: int = -1
    slot_fd: int = -1


def launch(at: RunFiles, facts: dict[str, str], environment: dict[str, str], held: Held) -> Child:
    """Start a job script as a child of this process and the leader of a session of its own.

    Raises:
        LaunchError: it does not run, and of its files only the meta and the script may be left.
    """
    opened: list[int] = []
    try:
        log_fd, lock_fd = ledger.claim_files(at, facts, opened, held.lock_fd)
        child = _fork(at, facts, environment, (log_fd, lock_fd, held.slot_fd))
        os.close(log_fd)
    except OSError as error:
        _withdraw(at, opened)
        raise LaunchError(f"cannot launch {at.run_id} in {at.log_dir}: {error.strerror}") from error
    return child


def _withdraw(at: RunFiles, opened: list[int]) -> None:
    for fd in opened:
        os.close(fd)
    for path in (at.log, at.pid, at.exit, *at.all_hidden):
        files.remove(path)


def _fork(at: RunFiles, facts: dict[str, str], environment: dict[str, str], fds: tuple[int, int, int]) -> Child:
    """Fork, and wait until the child has become the job script or said why it cannot."""
    started_at = clock.iso(time.time())
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        born = _with_process(facts, os.getpid(), started_at)
        _become_job(at, born, environment, (*fds, write_fd))
    os.close(write_fd)
    complaint = os.read(read_fd, 16)
    os.close(read_fd)
    if complaint:
        os.waitpid(pid, 0)
        raise OSError(int(complaint), os.strerror(int(complaint)))
    return Child(pid, fds[1], _with_process(facts, pid, started_at))


def _with_process(facts: dict[str, str], pid: int, started_at: str) -> dict[str, str]:
    born = {"pgid": str(pid), "pid": str(pid), "pid_start": process.start_of(pid), "started_at": started_at}
    return {**facts, **born}


def _become_job(
    at: RunFiles, facts: dict[str, str], environment: dict[str, str], fds: tuple[int, int, int, int]
) -> NoReturn:
    """In the child: record, then exec. The report pipe closes at exec; until then it can complain."""
    log_fd, lock_fd, slot_fd, report_fd = fds
    number = 0
    try:
        os.setsid()
        ledger.publish(at, facts, lock_fd)
        plain_surroundings(log_fd)
        if slot_fd >= 0:
            # The pipe that complaints go to must not be overwritten, should it happen to have this number.
            report_fd = fcntl.fcntl(report_fd, fcntl.F_DUPFD_CLOEXEC, SLOT_FD + 1)
            os.dup2(slot_fd, SLOT_FD)
        marks = {MARK_RUN: at.run_id, MARK_DIR: at.log_dir}
        # -p: neither BASH_ENV nor SHELLOPTS nor exported functions of the caller may change the script.
        words = ["bash", "-p", at.script]
        os.execve(programs.find("bash") or "/bin/bash", words, {**os.environ, **environment, **marks})
    except OSError as error:
        number = error.errno or 0
    finally:
        os.write(report_fd, str(number or 5).encode())
        os._exit(125)


def plain_surroundings(log_fd: int) -> None:
    """Leave nothing of ours on the job: its log as stdout and stderr, no stdin, signals as at boot."""
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log_fd, 1), (log_fd, 2)):
        os.dup2(source, target)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
