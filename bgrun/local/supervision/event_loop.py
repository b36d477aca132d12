"""Sleep in the kernel until something happens: signals, timers, children that exit, touched files.

The supervisor has no loop that polls: it blocks all its signals and waits for the next one or for a deadline.
"""

from __future__ import annotations

import fcntl
import os

from bgrun.light import signal
from bgrun.system import libc, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource


HEARD = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGIO)
"""The signals that a supervisor handles."""


class Alarm:
    """The signals of the supervisor, waited for with sigwait(3) instead of handled.

    They stay blocked, so that none is lost, even while the process executes another program.
    """

    _awaited = (*HEARD, signal.SIGALRM)

    def __init__(self) -> None:
        for number in self._awaited:
            # Never called, since they are blocked; but an ignored signal may be dropped (SIGCHLD on macOS).
            signal.signal(number, lambda *_: None)
        # SIGPIPE: the caller may be killed before it has read the answer.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._awaited)

    def sleep(self, timeout_s: float | None) -> int:
        """Sleep until a signal arrives or the timeout expires; return the signal, or 0."""
        if timeout_s is not None and timeout_s <= 0 and not set(HEARD) & set(signal.sigpending()):
            return 0
        if timeout_s is not None and timeout_s > 0:
            signal.setitimer(signal.ITIMER_REAL, timeout_s)
        came = int(signal.sigwait(self._awaited))
        signal.setitimer(signal.ITIMER_REAL, 0)
        return 0 if came == signal.SIGALRM else came


REQUEST_CHECK_S = 30.0
"""Seconds between two checks for stop requests if the kernel does not report touched files."""
CAN_WATCH = hasattr(fcntl, "F_NOTIFY")


def watch_touches(directory: str) -> int:
    """Have SIGIO sent to this process when a directory, or a file in it, is touched (fcntl(2), F_NOTIFY, DN_ATTRIB).

    A caller that cannot signal this process, from another PID namespace for example, requests a stop this way, in the
    directory of the job scripts: little else touches files there, and no job writes to one. Each write to a file of
    a watched directory takes 0.13 µs longer, a fifth of the write of one line. Return the descriptor that has to stay
    open, or -1 if the kernel or the file system cannot do this. SIGIO must be blocked (see `Alarm`).
    """
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return -1
    # By name: macOS has none of these.
    notify, attrib, multishot = (getattr(fcntl, name, 0) for name in ("F_NOTIFY", "DN_ATTRIB", "DN_MULTISHOT"))
    try:
        if not notify:
            raise OSError
        fcntl.fcntl(fd, notify, attrib | multishot)
    except OSError:
        os.close(fd)
        return -1
    return fd


def child_has_ended() -> bool:
    """Return whether a child can be reaped (waitid(2)). Returns True where waitid is missing.

    Checked before wait4(2), for which Python loads the module `resource`: 50 KiB that a sleeping supervisor saves.
    """
    if not hasattr(os, "waitid"):
        return True
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def children() -> set[int] | None:
    """Return the PIDs of this process's children (proc(5): /proc/pid/task/tid/children), or None where unsupported.

    Whatever a job left running descends from them if this process is a subreaper.
    """
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return set(map(int, file.read().split())) if process.LINUX else None
    except OSError:
        return None


def reap_child() -> tuple[int, int, resource.struct_rusage | None]:
    """Reap a child that has exited, as wait4(2) does, and return its PID or 0, its status and its resource usage.

    Python loads the module `resource` only after the child was reaped; if that fails the status is lost. Without
    the module, no usage is returned.

    Raises:
        ChildProcessError: there are no children.
    """
    try:
        import resource  # noqa: F401
    except ImportError:
        return (*os.waitpid(-1, os.WNOHANG), None)
    return os.wait4(-1, os.WNOHANG)


def become_subreaper() -> bool:
    """Make orphaned descendants children of this process (prctl(2)). Returns False except on Linux."""
    set_child_subreaper = 36
    return _prctl(set_child_subreaper, 1)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent exits (prctl(2)). Does nothing except on Linux."""
    set_parent_death_signal = 1
    _prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> bool:
    prctl = libc.find("prctl")
    return prctl is not None and prctl(option, value, 0, 0, 0) == 0
