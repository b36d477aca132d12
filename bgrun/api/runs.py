"""Read runs: those that are active, lists of them, and single ones by their run IDs."""

from __future__ import annotations

import time

from bgrun.errors import UnknownNameError, UsageError
from bgrun.light import NamedTuple, islice
from bgrun.store import index
from bgrun.store.listing.names import order, stamp_of, zones_before
from bgrun.system import clock, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.model import Run, State
    from bgrun.store.index import Followed
    from bgrun.store.listing import filters
    from bgrun.store.store import Store


MOST_MEANT = 200
"""How many of the newest runs an unknown name is compared with."""


def status(project: Project) -> list[Run]:
    """Return every active run and the newest run of each label."""
    found = index.list_newest(project.store)
    newest = set(found.newest_of_each())
    # A run with a recorded exit code has finished; its files need not be read.
    candidates = newest | set(project.store.unclosed(found.unfinished_first()))
    runs = project.store.readable(sorted(candidates, key=order, reverse=True))
    return sorted((run for run in runs if run.live or run.run_id in newest), key=age, reverse=True)


def without_record(run: Run) -> Run:
    """Return a run that was deleted while it was waited for: nobody knows its result any more if it was active."""
    return run._replace(state="lost", reason="it was deleted while it was waited for") if run.live else run


def beside(project: Project, run: Run) -> list[Run]:
    """Return the runs of a group run, or the others of the plan that a run belongs to."""
    if run.members or not run.group_run:
        return members(project, run)
    plan = read(project, run.group_run)
    return [one for one in members(project, plan) if one.run_id != run.run_id]


def members(project: Project, group_run: Run) -> list[Run]:
    """Return the runs of a group run, in order; none for any other run."""
    return list(project.store.readable(group_run.members))


class Selection(NamedTuple):
    """Which runs a list shows, and in which order.

    states: only runs in one of these, all if empty; a word may join several with commas. tags: only runs that have all
    of these. since: only runs that began after this time, in seconds since the epoch; see `moment`. sort: `newest`,
    `oldest` or `duration`.
    """

    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    since: float | None = None
    sort: str = "newest"

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves runs out."""
        return bool(self.states or self.tags) or self.since is not None


ALL = Selection()


def list_runs(
    project: Project, label: str | None = None, limit: int | None = None, wanted: Selection = ALL
) -> list[Run]:
    """Return the runs of a label, or of every label, at most `limit` of them.

    Raises:
        UsageError: there is no such state or order.
    """
    if wanted == ALL:
        return _newest_first(project, label, limit)
    from bgrun.store.listing import filters

    taken = filters.parse(wanted.states, wanted.tags, wanted.since)
    # The newest few are found without reading the rest; which are the oldest or longest only all can show.
    found = _newest_first(project, label, limit if wanted.sort == "newest" else None, taken)
    return filters.in_order(found, wanted.sort)[:limit]


def _newest_first(
    project: Project, label: str | None, limit: int | None, wanted: filters.Filter | None = None
) -> list[Run]:
    store, takes = project.store, wanted.takes if wanted else lambda _: True
    if label is None:
        return _newest_of_all(store, limit, takes)
    # They are in order by their IDs.
    found = islice((run for run in store.readable(index.list_label(store, label)) if takes(run)), limit)
    return sorted(found, key=age, reverse=True)


def _newest_of_all(store: Store, limit: int | None, takes: Callable[[Run], bool]) -> list[Run]:
    from bgrun.store.listing import last_written

    known = index.followed(store, head=True)
    changed = last_written.of_changed(store, known) if known else {}
    run_ids = index.newest_run_ids(store, known, changed)
    # Read lazily: usually only the newest few of many runs are requested.
    found = list(islice((run for run in store.readable(run_ids) if takes(run)), limit))
    runs = sorted(found, key=age, reverse=True)
    if runs and len(runs) == limit:
        others = _maybe_newer(store, known, changed, run_ids, found, age(runs[-1])[0])
        if more := [run for run in store.readable(others) if takes(run)]:
            return sorted([*runs, *more], key=age, reverse=True)[:limit]
    return runs


def moment(text: str | None) -> float | None:
    """Return the epoch seconds of a time, or of a duration before now; None for None.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    from bgrun.jobfile.units import duration

    at = clock.epoch(text) if "-" in text else None
    try:
        return time.time() - duration(text) if at is None else at
    except UsageError as error:
        raise UsageError(f"invalid time {text!r}", "use 2h, 7d, 2026-11-24 or 2026-11-24T18:30") from error


def local_start(run: Run) -> str:
    """Return when a run began as local time for a person, `2026-11-23 23:31:16`; empty for one that has not begun."""
    return clock.local(run.started_at) if run.started_at else ""


def age(run: Run) -> tuple[float, str, str]:
    """Return the sort key of a run: first its start in epoch seconds, if known; the later run is greater."""
    stamp, text = stamp_of(run.run_id), run.started_at or run.ended_at
    known = clock.epoch(text) if text else None
    # A run that has not started is sorted by its ID, to the second: after the runs that started in that second.
    return (known if known is not None else (clock.of_stamp(stamp) or 0.0) + 1.0), stamp, run.started_at or "~"


def _maybe_newer(
    store: Store,
    known: Followed | None,
    changed: Mapping[str, float],
    rest: Iterable[str],
    found: Sequence[Run],
    oldest: float,
) -> list[str]:
    """Return runs that sort later by ID, which holds local time, but may have started later in another time zone.

    rest: the runs that sort later than those that are `found`. oldest: when the first of these started.
    """
    # A meta is written when a run starts and when it finishes.
    begin = zones_before(found[-1].run_id)
    from bgrun.store.listing.last_written import written_since

    written = written_since(known, changed, begin, oldest) if known else None
    if written is None:
        return [run_id for run_id in _until(begin, rest) if reading.modified(store.run(run_id).meta) >= oldest]
    shown = {run.run_id for run in found}
    return [run_id for run_id in written if run_id not in shown]


def _until(begin: str, run_ids: Iterable[str]) -> Iterator[str]:
    """Yield run IDs, which are the newest first, as far as their stamps go back to `begin`."""
    for run_id in run_ids:
        if stamp_of(run_id) < begin:
            return
        yield run_id


def top_level(runs: Sequence[Run]) -> list[Run]:
    """Return the runs without those that are jobs of another of them."""
    known = {run.run_id for run in runs}
    return [run for run in runs if run.group_run not in known]


def live(project: Project) -> list[Run]:
    """Return every active run of the project, newest first."""
    return sorted(active_of(project, index.list_newest(project.store).unfinished_first()), key=age, reverse=True)


def active_of(project: Project, run_ids: Iterable[str]) -> list[Run]:
    """Return those of some runs that are active, in their order."""
    return [run for run in project.store.readable(project.store.unclosed(run_ids)) if run.live]


def labels(project: Project) -> list[str]:
    """Return every label that has runs."""
    return list(index.list_newest(project.store).labels())


def run_ids(project: Project) -> Iterator[str]:
    """Yield every run ID, newest first."""
    return project.store.index().newest_first()


def names(project: Project, most_runs: int = MOST_MEANT) -> list[str]:
    """Return what a reference can be: every label, and so many of the newest run IDs."""
    found = project.store.index()
    return [*found.labels(), *islice(found.newest_first(), most_runs)]


def age_s(run: Run) -> float | None:
    """Return for how many seconds an active run has been running, or since when another has finished."""
    since = clock.epoch((run.started_at if run.live else run.ended_at) or "")
    return None if since is None else max(0.0, time.time() - since)


def read(project: Project, run_id: str) -> Run:
    """Return a run by its run ID.

    Raises:
        UnknownNameError: it no longer exists.
    """
    return project.store.existing(run_id)


def facts_of(project: Project, run_id: str) -> dict[str, str]:
    """Return the facts in the meta of a run.

    Raises:
        UnknownNameError: there is no such run.
    """
    found = project.store.facts(run_id)
    if found is None:
        raise UnknownNameError("run", run_id, names(project))
    return found


def all_succeeded(runs: Iterable[Run]) -> bool:
    """Return whether each of the runs succeeded."""
    states: set[State] = {run.state for run in runs}
    return states <= {"succeeded"}
