"""Select and order the runs of a list. Pure."""

from __future__ import annotations

from bgrun.errors import UsageError
from bgrun.light import NamedTuple
from bgrun.model import STATES
from bgrun.system import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bgrun.model import Run
    from bgrun.store.listing.results import Result

SORTS = ("newest", "oldest", "duration")


class Filter(NamedTuple):
    """The conditions that a listed run meets; an empty one is met by every run.

    states: its state is one of these.
    tags: it has all of these.
    since: it started at or after this time (epoch seconds).
    """

    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: float | None = None

    def takes(self, run: Run) -> bool:
        """Return whether a run meets the conditions."""
        if self.states and run.state not in self.states:
            return False
        if self.since is not None and not _is_since(self.since, run):
            return False
        return set(self.tags) <= set(run.tags)


def since(moment: float | None, runs: Iterator[Run | Result]) -> Iterator[Run | Result]:
    """Return those of some runs that started at or after a time, in seconds since the epoch; all for None."""
    return runs if moment is None else (run for run in runs if _is_since(moment, run))


def _is_since(moment: float, run: Run | Result) -> bool:
    return (clock.epoch(run.started_at or run.ended_at or "") or 0.0) >= moment


def parse(states: Sequence[str], tags: Sequence[str], since: float | None) -> Filter:
    """Return the filter that command-line options describe; a value of `states` may be a comma-separated list.

    Raises:
        UsageError: a state is unknown.
    """
    named = [one for word in states for one in word.split(",") if one]
    if unknown := [one for one in named if one not in STATES]:
        raise UsageError(f"unknown state {unknown[0]!r}", f"choose from {', '.join(STATES)}")
    return Filter(tuple(named), tuple(tags), since)


def in_order(runs: Sequence[Run], sort: str) -> list[Run]:
    """Return runs, given newest first, in another order.

    Raises:
        UsageError: the order is unknown.
    """
    if sort not in SORTS:
        raise UsageError(f"unknown order {sort!r}", f"choose from {', '.join(SORTS)}")
    if sort == "duration":
        return sorted(runs, key=lambda run: -(run.duration_s or 0.0))
    return list(runs) if sort == "newest" else list(reversed(runs))
