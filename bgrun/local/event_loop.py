"""What the supervisor asks of the kernel: to sleep until something happens, the time, its orphans."""

from __future__ import annotations

import fcntl
import os
import sys

from bgrun.light import contextmanager, signal, suppress
from bgrun.system import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import resource
    from collections.abc import Callable, Container, Iterator
    from typing import Any


HEARD = (signal.SIGCHLD, signal.SIGUSR1, signal.SIGTERM, signal.SIGIO)
"""The signals that a supervisor acts on."""


class Alarm:
    """Signals that are waited for instead of handled (sigwait(3)).

    They stay blocked, so that none is lost, not even while this process becomes another program.
    """

    _awaited = (*HEARD, signal.SIGALRM)

    def __init__(self) -> None:
        for number in self._awaited:
            # Never called, for they are blocked; but a signal that is ignored may not even be kept (SIGCHLD on macOS).
            signal.signal(number, lambda *_: None)
        # SIGPIPE: the caller may be killed before it is answered.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._awaited)

    def sleep(self, timeout_s: float | None) -> int:
        """Sleep until a signal comes or the time is up; return the signal that came, or 0."""
        if timeout_s is not None and timeout_s <= 0 and not set(HEARD) & set(signal.sigpending()):
            return 0
        if timeout_s is not None and timeout_s > 0:
            signal.setitimer(signal.ITIMER_REAL, timeout_s)
        came = int(signal.sigwait(self._awaited))
        signal.setitimer(signal.ITIMER_REAL, 0)
        return 0 if came == signal.SIGALRM else came


SLOW_LOOK_S = 30.0
"""Where the kernel gives no word of touched files: seconds between two looks for a stop request."""
CAN_WATCH = hasattr(fcntl, "F_NOTIFY")


def hear_of_touches(folder: str) -> int:
    """Have SIGIO sent to this process each time a file of a folder is touched (fcntl(2), F_NOTIFY, DN_ATTRIB).

    It is how a stop is asked for from where this process cannot be signalled, as from another PID namespace.
    Nothing else touches files there. Return the descriptor to be kept open as long as word is wanted, -1 where
    there is none to be had. SIGIO has to be blocked (see `Alarm`).
    """
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
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
    """Whether a child waits to be reaped (waitid(2)); True where the system cannot say so without reaping it.

    Asked before wait4(2), for which Python loads the module of its numbers: 50 KiB that a supervisor asleep
    does without.
    """
    if not hasattr(os, "waitid"):
        return True
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def children() -> set[int] | None:
    """Return the pids of this process's children; None where only a look at all processes can tell.

    With a subreaper's, all that a job left running is below them (proc(5): /proc/pid/task/tid/children).
    """
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return set(map(int, file.read().split())) if process.LINUX else None
    except OSError:
        return None


def reap_child() -> tuple[int, int, resource.struct_rusage | None]:
    """Reap a child that has ended, as wait4(2) does: its pid or 0, its status, what it used.

    Python loads the module of the last behind the reaping, and where that is gone the status goes with it: then
    better without.

    Raises:
        ChildProcessError: there are no children.
    """
    try:
        import resource  # noqa: F401
    except ImportError:
        return (*os.waitpid(-1, os.WNOHANG), None)
    return os.wait4(-1, os.WNOHANG)


_limits: list[tuple[int, int]] = []
"""The limit of descriptors as the caller had it, soft and hard, and ours; nothing while it is the same."""


def raise_limit(needed: int) -> None:
    """Have room for this many descriptors, as far as the hard limit allows (setrlimit(2)).

    Only for us: jobs and hooks get what the caller had (see `callers_limit`).
    """
    import resource

    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted and not _limits:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            _limits.extend((before, (wanted, hard)))


def out_of_reach(fd: int) -> int:
    """Return a descriptor that stays open, moved beyond the caller's limit where ours is higher.

    What is opened for a job has to be below that: posix_spawn(3) takes no other while the limit is the caller's.

    Raises:
        OSError: there is no room; `fd` is open still.
    """
    if not _limits:
        return fd
    moved = int(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _limits[0][0]))
    os.close(fd)
    return moved


@contextmanager
def callers_limit() -> Iterator[None]:
    """Have the caller's limit of descriptors again in the block, for who is started in it; nothing can be opened."""
    if not _limits:
        yield
        return
    import resource

    before, own = _limits
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, own)


class TimeUpError(Exception):
    """A limit of time came while something slept."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TimeUpError in the block when the time is up; only for the main thread, which alone gets signals."""
    if seconds is None:
        yield
        return

    def time_up(*_: object) -> None:
        raise TimeUpError

    before = signal.signal(signal.SIGALRM, time_up)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def is_main_thread() -> bool:
    """Return whether this is the thread that gets signals, as threading has it, without loading that."""
    threading = sys.modules.get("threading")
    return threading is None or threading.current_thread() is threading.main_thread()


def become_subreaper() -> bool:
    """Have orphaned descendants become children of this process (prctl(2)); False off Linux."""
    set_child_subreaper = 36
    return _prctl(set_child_subreaper, 1)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (prctl(2)); off Linux nothing happens."""
    set_parent_death_signal = 1
    _prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _prctl(option: int, value: int) -> bool:
    prctl = find_prctl()
    return prctl is not None and prctl(option, value) == 0


def find_prctl() -> Callable[[int, int], int] | None:
    """Return prctl(2), or None off Linux. Found before a fork it costs a fifth of what it costs behind it.

    The inner half of ctypes alone can call it, and takes a tenth of the time, and 0.6 MiB less for as long
    as the job runs.
    """
    if not process.LINUX:
        return None
    this_process: Any = None
    try:
        import _ctypes

        address = _ctypes.dlsym(_ctypes.dlopen(this_process, 0), "prctl")
        return lambda option, value: int(_ctypes.call_function(address, (option, value, 0, 0, 0)))
    except (ImportError, AttributeError):
        import ctypes

        return lambda option, value: int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0))
    except OSError:
        return None


def close_all(but: Container[int]) -> None:
    """Close every descriptor beyond the standard streams, whoever left it open, but for these."""
    for fd in [int(name) for name in os.listdir("/dev/fd")]:
        if fd > 2 and fd not in but:
            with suppress(OSError):
                os.close(fd)


def leave_streams() -> None:
    """Let go of the caller's standard streams."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
