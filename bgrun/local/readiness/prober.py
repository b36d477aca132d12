"""Check whether a service is ready, in a process that does nothing else and ends once it is.

It is forked from the supervisor, so that it works after bgrun was removed, and is killed along with it. The supervisor
sleeps until it exits; its last answer is in a hidden file, which others read while they wait.
"""

from __future__ import annotations

import os
import time

from bgrun.errors import BgrunError
from bgrun.light import signal, suppress
from bgrun.local.readiness.target import ANSWER, describe
from bgrun.local.supervision import descriptors, event_loop
from bgrun.store import retry
from bgrun.store.paths import RunPaths
from bgrun.system import clock, files, process
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from bgrun.local.readiness.target import Target
    from bgrun.plan import ReadyCheck
    from bgrun.store.masking import Mark

    Check = Callable[[float], str]
    """Tries once, within so many seconds; returns '' if the service is ready, else the answer in words."""

READY, TIMED_OUT, FAILED, RESTARTED = range(4)
"""The exit codes of the process. FAILED: the check itself cannot be made; the answer says why. RESTARTED: the command
has ended, and its job script tries it again."""
GROWTH = 1.5
SHORTEST_PAUSE_S = 0.01
"""The first pause between two tries at least: one of no time would never grow."""
LONGEST_PAUSE_S, OF_LOG_S = 1.0, 0.25
"""Up to how many seconds the pauses between two tries grow; a look at a log costs less than any other check."""
OVERTIME_S = 2.0
"""How many seconds after the deadline the kernel kills a process that is held in a system call."""
_MOST_ANSWER, _MOST_WORDS = 1024, 400
"""The size of the answer in bytes, and how many characters of it say what is tried at most: the rest says what came."""


def deadline(check: ReadyCheck, launched_at: float) -> float:
    """Return until when a service has to be ready, on the steady clock as its launch is. Pure."""
    return launched_at + (float(check.value) + OVERTIME_S if check.kind == "delay" else check.timeout_s)


def start(target: Target, until: float) -> int:
    """Start the process and return its PID. `until`: the deadline on the steady clock, the same after a restart.

    Raises:
        OSError: the system cannot start a process.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be(target, until, parent)
    with suppress(OSError):  # as the child does itself, whichever comes first
        os.setpgid(pid, pid)
    return pid


def end(pid: int) -> None:
    """Kill the process, which is not reaped yet, with the command that it may be running."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def is_final(status: int) -> bool:
    """Return whether a wait status is a result: not if the process was killed, after which it is started again."""
    code = os.waitstatus_to_exitcode(status)
    return code >= 0 or -code == signal.SIGALRM


def is_restarted(status: int) -> bool:
    """Return whether a wait status means that the check was made of an attempt that has ended."""
    return os.waitstatus_to_exitcode(status) == RESTARTED


def is_ready(status: int) -> bool:
    """Return whether a wait status means that the service is ready."""
    return os.waitstatus_to_exitcode(status) == READY


def is_late(status: int) -> bool:
    """Return whether a wait status means that the time was up, and not that the check cannot be made."""
    return os.waitstatus_to_exitcode(status) in (TIMED_OUT, -signal.SIGALRM)


def answer(log_dir: str, run_id: str) -> str:
    """Return the last answer while a service is not ready: `GET …: connection refused (41 times)`; '' if none."""
    with suppress(OSError):
        fd = os.open(RunPaths(log_dir, run_id).hidden(ANSWER), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return os.read(fd, _MOST_ANSWER).decode("utf-8", "replace").strip()
        finally:
            os.close(fd)
    return ""


def _be(target: Target, until: float, parent: int) -> NoReturn:
    """In the child: check until the service is ready or its time is up, and exit with the outcome."""
    code = FAILED
    try:
        os.setpgid(0, 0)
        for number in event_loop.HEARD:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        event_loop.die_with(parent)
        descriptors.close_all(())
        code = _Prober(target, until, parent).run()
    finally:
        os._exit(code)


class _Prober:
    """Tries again and again. fd: the hidden file with the last answer; -1 where it cannot be written."""

    def __init__(self, target: Target, until: float, parent: int) -> None:
        self.target = target
        self.until = until
        self.parent = parent
        self.at = RunPaths(target.log_dir, target.run_id)
        self.words = describe(target.check, target.port)
        if len(self.words) > _MOST_WORDS:
            self.words = f"{self.words[: _MOST_WORDS - 1]}…"
        self.tries = 0
        self.attempt = retry.read_attempt(self.at).number
        with Change(self.at.log_dir, self.at.run_id):
            self.fd = _open(self.at.hidden(ANSWER))
        self.secrets = _marks(target) if target.environment else ()

    @property
    def left_s(self) -> float:
        """The seconds until the deadline."""
        return self.until - clock.steady_clock()

    def run(self) -> int:
        """Return the exit code of the process."""
        try:
            check = self._check()
            if self.target.check.kind != "delay":
                self._write("no answer yet")  # in case the first try takes all the time, as that of a resolver may
            first_s = pause_s = max(SHORTEST_PAUSE_S, self.target.check.interval_s)
            longest_s = max(first_s, OF_LOG_S if self.target.check.kind == "log" else LONGEST_PAUSE_S)
            while os.getppid() == self.parent:
                if (left_s := self.left_s) <= 0:
                    return TIMED_OUT
                waits = retry.read_attempt(self.at)
                why = f"attempt {waits.number} has not begun" if waits.pause_s else self._try(check, left_s)
                if retry.read_attempt(self.at).number != self.attempt:
                    return RESTARTED
                if not why:
                    return READY
                self._note(why)
                time.sleep(max(0.0, min(pause_s, self.left_s)))
                pause_s = min(pause_s * GROWTH, longest_s)
        except (BgrunError, OSError, ImportError, ValueError) as error:
            self._note(f"cannot check: {error}")
        return FAILED

    def _try(self, check: Check, left_s: float) -> str:
        # For what no Python code can interrupt, such as the resolver.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, left_s + OVERTIME_S)
        why = check(left_s)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not why and not process.is_running(self.target.leader, self.target.leader_start):
            return "it has exited"
        return why

    def _note(self, why: str) -> None:
        self.tries += 1
        self._write(why, f" ({self.tries} times)" if self.tries > 1 else "")

    def _write(self, why: str, times: str = "") -> None:
        if self.secrets:
            from bgrun.store import masking

            why = masking.hide(why, self.secrets)  # what a check printed reaches the record
        text = f"{self.words}: {why}{times}\n".encode("utf-8", "replace")[:_MOST_ANSWER]
        with suppress(OSError):
            if self.fd >= 0:
                os.pwrite(self.fd, text, 0)
                os.ftruncate(self.fd, len(text))

    def _check(self) -> Check:
        """Return the check that the job file declares; what only that needs is imported now."""
        target = self.target
        kind, value = target.check.kind, target.check.value
        if kind == "log":
            from bgrun.local.readiness.log_lines import LogCheck

            return LogCheck(target, self.at.log)
        if kind == "http":
            from bgrun.local.readiness import http

            return lambda left_s: http.check(target, left_s)
        if kind == "port":
            from bgrun.local.readiness import connecting

            return lambda left_s: connecting.check_port(target, int(value or target.port), left_s)
        if kind == "command":
            from bgrun.local.readiness import command

            with Change(self.at.log_dir, self.at.run_id):
                output_fd = _open_output(self.at.hidden(f"{ANSWER}.output"))
            return lambda left_s: command.check(target, left_s, output_fd, self.secrets)
        return lambda left_s: _delay(min(float(value), left_s - OVERTIME_S))


def _marks(target: Target) -> tuple[Mark, ...]:
    """Return the marks of the secrets that the service has."""
    from bgrun.store import masking

    return masking.parse(masking.marks(target.environment))


def _delay(seconds: float) -> str:
    """Sleep until the delay is over. A process that was started again ends it as the first one would have."""
    time.sleep(max(0.0, seconds))
    return ""


def _open(path: str) -> int:
    """Return a descriptor of the file with the last answer, which is empty; -1 if it cannot be written."""
    with suppress(OSError):
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(path, flags, files.FILE_MODE)
    return -1


def _open_output(path: str) -> int:
    """Return a descriptor of a file that has no name: what the command of a check prints.

    Raises:
        OSError: it cannot be created.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, files.FILE_MODE)
    os.unlink(path)
    return fd
