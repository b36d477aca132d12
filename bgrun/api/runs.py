"""Read runs: their status, lists of them, and the runs that a reference means."""

from __future__ import annotations

import itertools
import time

from bgrun.errors import JobFileError, NoJobFileError, StorageError, UnknownNameError, UsageError
from bgrun.light import NamedTuple, suppress
from bgrun.store import index, record
from bgrun.system import clock, reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.model import Run, State
    from bgrun.store import filters
    from bgrun.store.store import Store


ZONES_S = 27 * 3600
"""How far apart the local times of two time zones can be, plus an hour; in seconds."""

MOST_MEANT = 200
"""How many of the newest runs an unknown name is compared with."""


def status(project: Project, refs: Sequence[str] = ()) -> list[Run]:
    """Return the runs that `refs` mean; without any, every active run and the newest run of each label."""
    if refs:
        return meant(project, refs)
    found = project.store.index()
    newest = set(found.newest_of_each())
    # A run with a recorded exit code has finished; its files need not be read.
    candidates = newest | found.without_exit()
    shown = (run_id for run_id in found.newest_first() if run_id in candidates)
    runs = project.store.readable(shown)
    return sorted((run for run in runs if run.live or run.run_id in newest), key=age, reverse=True)


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
    from bgrun.store import filters

    taken = filters.parse(wanted.states, wanted.tags, wanted.since)
    # The newest few are found without reading the rest; which are the oldest or longest only all can show.
    found = _newest_first(project, label, limit if wanted.sort == "newest" else None, taken)
    return filters.in_order(found, wanted.sort)[:limit]


def _newest_first(
    project: Project, label: str | None, limit: int | None, wanted: filters.Filter | None = None
) -> list[Run]:
    store, takes = project.store, wanted.takes if wanted else lambda _: True
    run_ids = store.index().newest_first(label)
    # Read lazily: usually only the newest few of many runs are requested.
    found = (run for run in store.readable(run_ids) if takes(run))
    runs = list(itertools.islice(found, limit))
    if label is None and len(runs) == limit:  # the runs of one label are in order by their IDs
        more = store.readable(_maybe_newer(store, run_ids, runs))
        runs += [run for run in more if takes(run)]
    return sorted(runs, key=age, reverse=True)[:limit]


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
    stamp, text = index.stamp_of(run.run_id), run.started_at or run.ended_at
    known = clock.epoch(text) if text else None
    # A run that has not started is sorted by its ID, to the second: after the runs that started in that second.
    return (known if known is not None else (clock.of_stamp(stamp) or 0.0) + 1.0), stamp, run.started_at or "~"


def _maybe_newer(store: Store, rest: Iterable[str], runs: Sequence[Run]) -> Iterator[str]:
    """Return runs that sort later by ID, which holds local time, but may have started later in another time zone."""
    oldest = min(age(run)[0] for run in runs)
    since = (clock.of_stamp(index.stamp_of(runs[-1].run_id)) or 0.0) - ZONES_S
    for run_id in rest:
        if (clock.of_stamp(index.stamp_of(run_id)) or 0.0) < since:
            return
        # A meta is written when a run starts and when it finishes.
        if reading.modified(store.run(run_id).meta) >= oldest:
            yield run_id


def meant(project: Project, refs: Iterable[str], *, without_stopping: bool = False) -> list[Run]:
    """Return the runs that references mean, each once: all active runs of a label or job, or else its newest.

    Args:
        project: where.
        refs: run ids, labels, names of jobs.
        without_stopping: leave out runs of a label that were requested to stop, unless no other is active.

    Raises:
        UnknownNameError: a reference means no run.
    """
    found = (run for ref in refs for run in _meant(project, ref, without_stopping=without_stopping))
    return list({run.run_id: run for run in found}.values())


def _meant(project: Project, ref: str, *, without_stopping: bool) -> list[Run]:
    if index.is_run(project.store, ref):
        return [read(project, ref)]
    found = newest(project, ref)
    if without_stopping:
        kept = [run for run in found.live if not _is_asked_to_end(project, run)]
        return kept or [found.run]
    return list(found.live) or [found.run]


def current(project: Project, *, without_stopping: bool = False) -> list[Run]:
    """Return what a command without a reference means: every active run, or else the newest run.

    The jobs of an active group run are left out, for they are part of it.

    Raises:
        UsageError: there is no run yet.
    """
    active = top_level(live(project))
    if without_stopping:
        active = [run for run in active if not _is_asked_to_end(project, run)] or active
    found = active or list_runs(project, limit=1)
    if not found:
        raise UsageError("no runs yet", "start a command with 'bgrun run LABEL -- COMMAND'")
    return found


def top_level(runs: Sequence[Run]) -> list[Run]:
    """Return the runs without those that are jobs of another of them."""
    known = {run.run_id for run in runs}
    return [run for run in runs if run.group_run not in known]


def _is_asked_to_end(project: Project, run: Run) -> bool:
    return record.is_asked_to_end(project.store.run(run.run_id), run)


class Newest(NamedTuple):
    """The one run that a reference means.

    live: every active run that it means.
    passed_over: a newer run that did not fit, or None.
    """

    run: Run
    live: tuple[Run, ...] = ()
    passed_over: Run | None = None

    @property
    def others(self) -> tuple[str, ...]:
        """The run IDs of the other active runs."""
        return tuple(one.run_id for one in self.live if one.run_id != self.run.run_id)


def newest(project: Project, ref: str) -> Newest:
    """Return the one run that a reference means, itself or the newest of a label or job, and the active runs.

    Raises:
        UnknownNameError: there is no such run.
    """
    if index.is_run(project.store, ref):
        return Newest(read(project, ref))
    found = index.find_label(project.store, ref)
    if found.newest:
        return Newest(read(project, found.newest), tuple(_live(project, found.unfinished)))
    run = read(project, resolve(project, ref))
    unfinished = project.store.index().unfinished_first()
    of_job = _live(project, (one for one in unfinished if _job_name(project, one) == ref))
    return Newest(run, tuple(sorted(of_job, key=age, reverse=True)))


def live(project: Project) -> list[Run]:
    """Return every active run of the project, newest first."""
    return sorted(_live(project, project.store.index().unfinished_first()), key=age, reverse=True)


def _live(project: Project, run_ids: Iterable[str]) -> list[Run]:
    return [run for run in project.store.readable(run_ids) if run.live]


def with_log(project: Project, ref: str) -> Newest:
    """Return the newest run with a log that a reference means, and the active runs.

    Raises:
        UnknownNameError: there is no such run.
        UsageError: none of them has a log.
    """
    from bgrun.api.logs import has_log, require_log

    found = newest(project, ref)
    if has_log(found.run) or index.is_run(project.store, ref):
        require_log(found.run)
        return found
    is_job = found.run.label != ref
    older = list_runs(project, None if is_job else ref, MOST_MEANT if is_job else None)
    run = next((run for run in older if has_log(run) and (not is_job or run.job == ref)), None)
    if run is None:
        require_log(found.run)
        return found
    return found._replace(run=run, passed_over=found.run)


def latest(project: Project, ref: str) -> Run:
    """Return the newest run of a label."""
    return read(project, resolve(project, ref))


def resolve(project: Project, ref: str) -> str:
    """Return the run ID for a run ID, a label, or the name of a job with another label.

    Raises:
        UnknownNameError: there is no such run.
        UsageError: it is a declared job or group without runs.
    """
    run_id = index.resolve(project.store, ref) or _of_job(project, ref)
    if run_id is None:
        raise _unknown(project, ref)
    return run_id


def _of_job(project: Project, name: str) -> str | None:
    """Return the newest run of a job among the newest runs and the active ones, or None."""
    found = project.store.index()
    near = dict.fromkeys((*itertools.islice(found.newest_first(), MOST_MEANT), *found.unfinished_first()))
    own = (run_id for run_id in near if _job_name(project, run_id) == name)
    runs = [run for run_id in own if (run := project.store.read(run_id))]
    return max(runs, key=age).run_id if runs else None


def _job_name(project: Project, run_id: str) -> str:
    with suppress(StorageError):
        return (project.store.facts(run_id) or {}).get("job", "")
    return ""


def labels(project: Project) -> list[str]:
    """Return every label that has runs."""
    return list(project.store.index().labels())


def names(project: Project, most_runs: int = MOST_MEANT) -> list[str]:
    """Return what a reference can be: every label, and so many of the newest run IDs."""
    found = project.store.index()
    return [*found.labels(), *itertools.islice(found.newest_first(), most_runs)]


def _unknown(project: Project, ref: str) -> UsageError:
    """Return the error for a reference without a run: a declared job that has not run yet, or an unknown name."""
    from bgrun.api.jobs import load

    hint = "list runs with 'bgrun list'"
    with suppress(NoJobFileError, JobFileError):
        job_file = load(project)
        if ref in job_file.jobs:
            return UsageError(f"job {ref!r} has no runs yet", f"start it with 'bgrun start {ref}'")
        if ref in job_file.groups:
            return UsageError(f"group {ref!r} has no runs yet", f"start it with 'bgrun group {ref}'")
        hint = "list runs with 'bgrun list' and jobs with 'bgrun jobs'"
    return UnknownNameError("run, label or job", ref, names(project), hint)


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
