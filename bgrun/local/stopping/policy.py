"""How a stop goes on: ask, wait the grace period, kill, and only then give up; pure."""

from __future__ import annotations

from bgrun.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from bgrun.system.process import Process

    Phase = Literal["ask", "wait", "kill", "give up"]

HOLD_S = 1.0
"""Seconds within which all of a run has to stand still before it is killed; then what does is killed all the same."""
KILL_S = 2.0
"""Seconds after the first SIGKILL within which nothing of the run is left."""


class Stopping(NamedTuple):
    """A stop under way; times are those of one steady clock, in seconds.

    `reason` is what the stop request says (`stop`, `timeout`, or words for a person). `asked` once the signal
    has reached something; `killing_since` the first SIGKILL: nothing is given up before that, however late
    whoever stops it comes to it. `holding_since` is the first SIGSTOP before that, `held` the processes that
    were held still to be killed together, `calm` how many looks in a row found no others. `no_session`: no
    process is left in the session of the job script, whose pid proves nothing from then on.
    """

    reason: str
    signal: str
    kill_at: float
    asked: bool = False
    killing_since: float | None = None
    holding_since: float | None = None
    held: tuple[Process, ...] = ()
    calm: int = 0
    no_session: bool = False

    @property
    def give_up_at(self) -> float:
        """When it is told that something could not be ended."""
        return float("inf") if self.killing_since is None else self.killing_since + KILL_S


def begin(reason: str, signal: str, grace_s: float, now: float) -> Stopping:
    """Return the stop that begins now."""
    return Stopping(reason, signal, now + grace_s)


def holding(stopping: Stopping, now: float) -> Stopping:
    """Return a stop in which what is found is held still now, perhaps not for the first time."""
    return stopping if stopping.holding_since is not None else stopping._replace(holding_since=now)


def has_held_long(stopping: Stopping, now: float) -> bool:
    """Return whether what was held has to be killed now, though something else may still be on the move."""
    return stopping.holding_since is not None and now >= stopping.holding_since + HOLD_S


def killing(stopping: Stopping, now: float) -> Stopping:
    """Return a stop in which SIGKILL is sent now, perhaps not for the first time."""
    return stopping if stopping.killing_since is not None else stopping._replace(killing_since=now)


def phase(stopping: Stopping, now: float) -> Phase:
    """Return what is due: nothing (`wait`), the stop signal, SIGKILL, or the end of trying."""
    if now >= stopping.give_up_at:
        return "give up"
    if now >= stopping.kill_at or stopping.signal == "SIGKILL":
        return "kill"
    return "wait" if stopping.asked else "ask"
