"""Which runs a list is to show; pure."""

from __future__ import annotations

from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.model import STATES
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.model import Run

SORTS = ("newest", "oldest", "duration")


class Filter(NamedTuple):
    """What a run has to be: in one of the states, with all of the tags, begun since then (epoch seconds)."""

    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: float | None = None

    def takes(self, run: Run) -> bool:
        """Return whether a run is one of these."""
        if self.states and run.state not in self.states:
            return False
        if self.since is not None and (clock.epoch(run.started_at or run.ended_at or "") or 0.0) < self.since:
            return False
        return set(self.tags) <= set(run.tags)


def of_words(states: Sequence[str], tags: Sequence[str], since: float | None) -> Filter:
    """Return the filter that is asked for; states may be joined with commas.

    Raises:
        UsageError: a state is none.
    """
    named = [one for word in states for one in word.split(",") if one]
    if unknown := [one for one in named if one not in STATES]:
        raise UsageError(f"no state named {unknown[0]!r}", f"the states are {', '.join(STATES)}")
    return Filter(tuple(named), tuple(tags), since)


def in_order(runs: Sequence[Run], sort: str) -> list[Run]:
    """Return runs that come newest first in another order.

    Raises:
        UsageError: there is no such order.
    """
    if sort not in SORTS:
        raise UsageError(f"no order named {sort!r}", f"the orders are {', '.join(SORTS)}")
    if sort == "duration":
        return sorted(runs, key=lambda run: -(run.duration_s or 0.0))
    return list(runs) if sort == "newest" else list(reversed(runs))
