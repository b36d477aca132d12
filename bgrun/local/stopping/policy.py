"""The phases of a stop: stop signal, grace period, SIGKILL, and only then failure. Pure."""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from bgrun.system.process import Process

    Phase = Literal["signal", "wait", "kill", "give up"]

SUSPEND_S = 1.0
"""Seconds within which all processes of a run are suspended; after that SIGKILL is sent to those that are."""
KILL_S = 2.0
"""Seconds after the first SIGKILL within which no process of the run may be left."""


class Stopping(NamedTuple):
    """A stop in progress. Times are seconds on one steady clock.

    reason: that of the stop request (`stop`, `timeout`, or a text).
    signaled: the stop signal has reached a process.
    killing_since: the first SIGKILL; nothing is given up before, however late the stop is carried out.
    suspending_since: the first SIGSTOP before SIGKILL.
    suspended: the processes that were suspended to be killed together.
    quiet_scans: how many scans in a row found no other process.
    no_session: the session of the job script has no process left, so that its PID proves nothing from then on.
    """

    reason: str
    signal: str
    kill_at: float
    signaled: bool = False
    killing_since: float | None = None
    suspending_since: float | None = None
    suspended: tuple[Process, ...] = ()
    quiet_scans: int = 0
    no_session: bool = False

    @property
    def give_up_at(self) -> float:
        """When the stop fails if a process is left; never before SIGKILL was sent."""
        return float("inf") if self.killing_since is None else self.killing_since + KILL_S


def begin(reason: str, signal: str, grace_s: float, now: float) -> Stopping:
    """Return the stop that begins now."""
    return Stopping(reason, signal, now + grace_s)


def suspending(stopping: Stopping, now: float) -> Stopping:
    """Return a stop in which SIGSTOP is sent now, perhaps not for the first time."""
    return stopping if stopping.suspending_since is not None else stopping._replace(suspending_since=now)


def must_kill(stopping: Stopping, now: float) -> bool:
    """Return whether what is suspended has to be killed now, though other processes may still be forking."""
    return stopping.suspending_since is not None and now >= stopping.suspending_since + SUSPEND_S


def killing(stopping: Stopping, now: float) -> Stopping:
    """Return a stop in which SIGKILL is sent now, perhaps not for the first time."""
    return stopping if stopping.killing_since is not None else stopping._replace(killing_since=now)


def phase(stopping: Stopping, now: float) -> Phase:
    """Return what is due: the stop signal, waiting, SIGKILL, or giving up."""
    if now >= stopping.give_up_at:
        return "give up"
    if now >= stopping.kill_at or stopping.signal == "SIGKILL":
        return "kill"
    return "wait" if stopping.signaled else "signal"
