"""Find the runs that a reference means: a run ID, a label, or the name of a job."""

from __future__ import annotations

from bgrun.api.runs import MOST_MEANT, active_of, age, list_runs, live, members, names, read, top_level
from bgrun.errors import (
    JobFileError,
    NoJobFileError,
    StorageError,
    UnknownNameError,
    UsageError,
    nearest_names,
)
from bgrun.light import NamedTuple, islice, suppress
from bgrun.store import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.jobfile.project import Project
    from bgrun.model import Run

_MOST_PASSED_OVER = 50
"""How many of the newest runs may be services before a wait without a reference gives up."""


def meant(project: Project, refs: Iterable[str], *, without_stopping: bool = False) -> list[Run]:
    """Return the runs that references mean, each once: all active runs of a label or job, or else its newest.

    Args:
        project: where.
        refs: run IDs, labels, names of jobs.
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
        active = [run for run in active if not run.service] or active
    found = active or list_runs(project, limit=1)
    if not found:
        raise UsageError("no runs yet", "start a command with 'bgrun run LABEL -- COMMAND'")
    return found


def ending(project: Project) -> list[Run]:
    """Return what a wait without a reference means: as `current`, but never a service.

    A service ends only when it is stopped: nobody waits for that without naming it.

    Raises:
        UsageError: there is no run yet, or none but services among the newest.
    """
    found = [run for run in current(project, without_stopping=True) if not _only_serves(project, run)]
    if not found:
        newest = list_runs(project, limit=_MOST_PASSED_OVER)
        found = list(islice((run for run in newest if not _only_serves(project, run)), 1))
    if not found:
        raise UsageError("no runs but services", "wait until they are ready: bgrun wait --until ready")
    return found


def _is_asked_to_end(project: Project, run: Run) -> bool:
    from bgrun.store import stop_request  # only where a label has several live runs

    return stop_request.is_asked_to_end(project.store.run(run.run_id), run)


def _only_serves(project: Project, run: Run) -> bool:
    """Return whether a run is a service, or a group of nothing else: one that was started with what it depends on."""
    parts = members(project, run)
    return run.service or (bool(parts) and all(one.service for one in parts))


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
        return Newest(read(project, found.newest), tuple(active_of(project, found.unfinished)))
    run = read(project, resolve(project, ref))
    unfinished = index.list_newest(project.store).unfinished_first()
    of_job = active_of(project, (one for one in unfinished if _job_name(project, one) == ref))
    return Newest(run, tuple(sorted(of_job, key=age, reverse=True)))


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


def whole(project: Project, ref: str) -> Newest:
    """Return the newest run of the whole job or group that a reference means, and the active runs; for a rerun.

    A newer run of failed tests alone, or of a part of a group, is passed over: its success is not that of the whole.
    A run ID means its run, whatever that ran.

    Raises:
        UnknownNameError: there is no such run.
        UsageError: there are only runs of a part.
    """
    found = newest(project, ref)
    if not found.run.is_partial or index.is_run(project.store, ref):
        return found
    run = _whole_before(project, found.run, ref)
    if run is None:
        again = f"bgrun rerun {found.run.run_id}"
        hint = f"run it whole with '{_started_by(project, found.run)}', or only that part with '{again}'"
        raise UsageError(f"no run of the whole of {ref!r} exists, only of a part", hint)
    return found._replace(run=run, passed_over=found.run)


def whole_again(project: Project, run: Run) -> str:
    """Return the command that runs the whole job or group of a run again."""
    earlier = _whole_before(project, run, run.label) if run.is_partial else run
    return f"bgrun rerun {earlier.run_id}" if earlier else _started_by(project, run)


def _whole_before(project: Project, part: Run, ref: str) -> Run | None:
    """Return the newest run of a label, or of a job with other labels, that is not one of a part; None without one."""
    found = project.store.index()
    if part.label == ref:
        return next((run for run in project.store.readable(found.newest_first(ref)) if not run.is_partial), None)
    near = islice(found.newest_first(), MOST_MEANT)
    own = (run_id for run_id in near if _job_name(project, run_id) == ref)
    return max((run for run in project.store.readable(own) if not run.is_partial), key=age, default=None)


def _started_by(project: Project, run: Run) -> str:
    """Return the command that starts the job or the group of a run as it is declared now."""
    if run.members or not run.job:
        return run.cmd
    params = (project.store.facts(run.run_id) or {}).get("params", "")
    return " ".join(filter(None, ("bgrun start", run.job, params)))


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
        raise unknown(project, ref)
    return run_id


def _of_job(project: Project, name: str) -> str | None:
    """Return the newest run of a job among the newest runs and the active ones, or None."""
    found = project.store.index()
    near = dict.fromkeys((*islice(found.newest_first(), MOST_MEANT), *found.unfinished_first()))
    own = (run_id for run_id in near if _job_name(project, run_id) == name)
    runs = [run for run_id in own if (run := project.store.read(run_id))]
    return max(runs, key=age).run_id if runs else None


def _job_name(project: Project, run_id: str) -> str:
    with suppress(StorageError):
        return (project.store.facts(run_id) or {}).get("job", "")
    return ""


def jobs_with_other_labels(project: Project) -> list[str]:
    """Return the names of jobs that are references, too: the newest runs of labels that do not have the job's name."""
    found = index.list_newest(project.store)
    newest = islice(found.newest_of_each(), MOST_MEANT)
    return list(dict.fromkeys(name for run_id in newest if (name := _job_name(project, run_id))))


def unknown(project: Project, ref: str) -> UsageError:
    """Return the error for a reference without a run: a declared job that has not run yet, or an unknown name."""
    from bgrun.api.jobs import load

    hint = "list runs with 'bgrun list'"
    declared: tuple[str, ...] = ()
    with suppress(NoJobFileError, JobFileError):
        job_file = load(project)
        if ref in job_file.jobs:
            return UsageError(f"job {ref!r} has no runs yet", f"start it with 'bgrun start {ref}'")
        if ref in job_file.groups:
            return UsageError(f"group {ref!r} has no runs yet", f"start it with 'bgrun group {ref}'")
        hint, declared = "list runs with 'bgrun list' and jobs with 'bgrun jobs'", (*job_file.jobs, *job_file.groups)
    if ref.endswith((".yaml", ".yml")):
        hint = f"give a job file with --file: bgrun --file {ref}"
    known = index.list_newest(project.store).labels()
    if nearest_names(ref, known):
        return UnknownNameError("run, label or job", ref, known, hint)
    return UnknownNameError("run, label or job", ref, (*declared, *names(project)), hint)


def unknown_label(project: Project, label: str) -> str:
    """Return what to do about a label without runs, or ''."""
    if index.is_run(project.store, label):
        return f"{label} is a run: show it with 'bgrun status {label}'"
    if of_job := _of_job(project, label):
        return f"the runs of job {label!r} have other labels; the newest is {of_job}"
    return unknown(project, label).hint
