"""What the past runs of a label tell: how often they succeed and how long they take; pure, but for `usual_s`."""

from __future__ import annotations

import itertools
import math

from bgrun.light import NamedTuple
from bgrun.store import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.model import Run
    from bgrun.store.store import Store

ENOUGH = 30
"""How many of the newest runs are asked how long a run usually takes."""
_UNTOLD = ("queued", "running", "skipped")


class Stats(NamedTuple):
    """A label in numbers; durations are seconds, None where no run succeeded.

    `runs` counts those that ran to an end, `last_failure` is the newest that did not succeed, and
    `durations_s` are those of the newest runs, the oldest of them first.
    """

    label: str
    runs: int
    succeeded: int
    median_s: float | None
    p90_s: float | None
    last_failure: str | None
    durations_s: tuple[float, ...]

    @property
    def success_rate(self) -> float | None:
        """The share of runs that succeeded; None if none ran to an end."""
        return self.succeeded / self.runs if self.runs else None


def summarize(label: str, runs: Sequence[Run], newest: int = 20) -> Stats:
    """Return the numbers of a label from its runs, the newest first."""
    told = [run for run in runs if run.state not in _UNTOLD]
    good = [run for run in told if run.succeeded]
    took = sorted(run.duration_s for run in good if run.duration_s is not None)
    failure = next((run.run_id for run in told if not run.succeeded), None)
    shown = [run.duration_s for run in told[:newest] if run.duration_s is not None]
    return Stats(label, len(told), len(good), quantile(took, 0.5), quantile(took, 0.9), failure, tuple(reversed(shown)))


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the value that `share` of the ordered values do not exceed, in between linearly; None for none."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def usual_s(store: Store, label: str) -> float | None:
    """Return the median duration of the label's newest runs that succeeded, in seconds; None where none has."""
    runs = itertools.islice(store.readable(index.list_claimed(store, label)), ENOUGH)
    return summarize(label, list(runs)).median_s
