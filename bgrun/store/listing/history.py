"""Compute statistics of the past runs of a label: success rate and durations. Pure, except `usual_s`."""

from __future__ import annotations

import itertools
import math

from bgrun.errors import StorageError
from bgrun.light import NamedTuple, suppress
from bgrun.store import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bgrun.model import Run
    from bgrun.store.listing.results import Result
    from bgrun.store.store import Store

ENOUGH = 30
"""How many of the newest runs count for the usual duration."""
MOST_COMPARED = 100
"""How many of the newest runs are compared with a run to find those with its arguments."""
_UNCOUNTED = ("queued", "running", "unknown", "skipped")


class Stats(NamedTuple):
    """The statistics of a label; durations are seconds, None if no run succeeded.

    runs: how many runs finished, without skipped ones.
    succeeded: how many of them succeeded; of a service, which ends by being stopped, how many did not fail.
    last_failure: the newest of the others, or None.
    durations_s: the durations of the newest runs, oldest first.
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


def summarize(label: str, runs: Iterable[Run | Result], newest: int = 20) -> Stats:
    """Return the statistics of a label from its runs, given newest first; none of them is kept.

    Runs of failed tests alone, or of a part of a group, do not count: they are not the whole.
    """
    finished = succeeded = 0
    failure: str | None = None
    took: list[float] = []
    shown: list[float] = []
    for run in runs:
        if run.state in _UNCOUNTED or run.is_partial:
            continue
        finished += 1
        if run.duration_s is not None and finished <= newest:
            shown.append(run.duration_s)
        served = run.service and run.state == "stopped"
        if not run.succeeded and not served:
            failure = failure or run.run_id
            continue
        succeeded += 1
        if run.duration_s is not None and not served:
            took.append(run.duration_s)
    took.sort()
    shown.reverse()
    return Stats(label, finished, succeeded, quantile(took, 0.5), quantile(took, 0.9), failure, tuple(shown))


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return a quantile of ordered values, with linear interpolation; None if there are no values."""
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def usual_s(store: Store, label: str, like: str = "") -> float | None:
    """Return the median duration of the label's newest successful runs, in seconds; None if there are none.

    like: the run ID of a run; only those with its command and its parameters count.
    """
    run_ids = index.list_label(store, label)
    if like:
        wanted = _arguments(store, like)
        run_ids = (one for one in itertools.islice(run_ids, MOST_COMPARED) if _arguments(store, one) == wanted)
    return summarize(label, itertools.islice(store.readable(run_ids), ENOUGH)).median_s


def usual_of(store: Store, runs: Iterable[Run]) -> dict[str, float | None]:
    """Return the usual duration for each run, by its run ID; the past runs of equal ones are read once."""
    keys = {run.run_id: (run.label, *_arguments(store, run.run_id)) for run in runs}
    examples = {key: run_id for run_id, key in keys.items()}
    usual = {key: usual_s(store, key[0], run_id) for key, run_id in examples.items()}
    return {run_id: usual[key] for run_id, key in keys.items()}


def _arguments(store: Store, run_id: str) -> tuple[str | None, str | None]:
    """Return what runs have in common that do the same: the command and the parameters."""
    with suppress(StorageError):
        known = store.facts(run_id) or {}
        return known.get("cmd"), known.get("params")
    return None, None
