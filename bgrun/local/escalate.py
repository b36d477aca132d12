"""How a stop goes on: ask, wait the grace period, kill, and only then give up; pure."""

from __future__ import annotations

from bgrun.lean import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Phase = Literal["ask", "wait", "kill", "give up"]

KILL_S = 2.0
"""Seconds after the grace period within which nothing of the run is left."""


class Stopping(NamedTuple):
    """A stop under way; times are those of one steady clock, in seconds.

    `reason` is what the stop request says (`stop`, `timeout`, or words for a person).
    """

    reason: str
    signal: str
    since: float
    kill_at: float
    asked: bool = False

    @property
    def give_up_at(self) -> float:
        """When it is told that something could not be ended."""
        return self.kill_at + KILL_S


def begin(reason: str, signal: str, grace_s: float, now: float) -> Stopping:
    """Return the stop that begins now."""
    return Stopping(reason, signal, now, now + grace_s)


def phase(stopping: Stopping, now: float) -> Phase:
    """Return what is due: nothing (`wait`), the stop signal, SIGKILL, or the end of trying."""
    if now >= stopping.give_up_at:
        return "give up"
    if now >= stopping.kill_at or stopping.signal == "SIGKILL":
        return "kill"
    return "wait" if stopping.asked else "ask"
