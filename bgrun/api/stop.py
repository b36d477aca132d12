"""Waiting for the end of runs, bringing it about, and clearing them away."""

from __future__ import annotations

import time

from bgrun.api.runs import live, meant, read
from bgrun.errors import JobFileError, NoJobFileError
from bgrun.store import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bgrun.jobfile.project import Project
    from bgrun.model import Retention, Run
    from bgrun.store.retention import Expired as Expired


MOST_STOPS = 16
"""How many stops at once are carried out here where supervisors are dead; the others only wait for theirs."""


def wait_for(project: Project, refs: Iterable[str], timeout_s: float | None = None) -> list[Run]:
    """Return the runs that are meant now once all have ended, or as they are when the bound comes first.

    Of a label those that somebody has asked to end are not waited for.
    """
    from bgrun.local import wait

    until = None if timeout_s is None else time.monotonic() + timeout_s
    run_ids = [run.run_id for run in meant(project, refs, without_stopping=True)]
    ended: list[Run] = []
    for run_id in run_ids:
        left = None if until is None else max(0.0, until - time.monotonic())
        run = wait.wait_run(project.store, run_id, left)
        ended.append(run or read(project, run_id))
    return ended


def stop_runs(project: Project, refs: Iterable[str], *, now: bool = False) -> list[Run]:
    """End the runs that are meant now with all their processes, all at once, and return them as they are then.

    `now` skips the grace period: they are killed.

    Raises:
        UsageError: the caller is a process of one of them; none is stopped.
        StopError: something of one is still alive; the others were stopped.
    """
    return _stop(project, meant(project, refs), now=now)


def stop_all(project: Project, *, now: bool = False) -> list[Run]:
    """End every live run of the project as `stop_runs` does; of a group's runs the group's own is told."""
    runs = live(project)
    known = {run.run_id for run in runs}
    return _stop(project, [run for run in runs if run.group_run not in known], now=now)


def _stop(project: Project, runs: Sequence[Run], *, now: bool) -> list[Run]:
    from bgrun.local.stopping import request

    for run in runs:
        request.spare_caller(project.store, run)
    if len(runs) > 1:
        # Asked one by one before any is waited for, those that wait for a slot first: one that is free is not theirs.
        for run in sorted(runs, key=lambda run: run.state != "queued"):
            request.request(project.store, run.run_id, "stop", now=now)
    grace_s = 0.0 if now else None
    return _at_once(lambda run: request.stop_run(project.store, run.run_id, grace_s), runs)


def _at_once(stop: Callable[[Run], Run | None], runs: Sequence[Run]) -> list[Run]:
    """Stop runs side by side and return them as they are then; an error is raised once the others have ended."""
    if len(runs) < 2:
        return [run for run in map(stop, runs) if run]
    from threading import Thread

    ended: dict[str, Run | None] = {}
    errors: list[Exception] = []
    left = iter(runs)

    def end(run: Run) -> None:
        try:
            ended[run.run_id] = stop(run)
        except Exception as error:  # noqa: BLE001 - raised below, where it can be shown
            errors.append(error)

    def work() -> None:
        for run in left:
            end(run)

    # Daemons: Ctrl-C ends the waiting at once, and what was asked for is done all the same.
    workers = [Thread(target=work, daemon=True) for _ in runs[:MOST_STOPS]]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return [one for run in runs if (one := ended.get(run.run_id))]


def prune(project: Project, *, dry_run: bool = False) -> list[Expired]:
    """Remove every run that its retention lets go, and return them; `dry_run` removes nothing."""
    from bgrun.store import retention

    store = project.store
    found = store.index()
    gone: list[Expired] = []
    for label in found.labels():
        runs = retention.runs_of(store, found, label)
        policy = retention.policy_of(store, runs) or _declared(project, label)
        due = retention.expired(runs, policy, time.time())
        take = retention.may_go if dry_run else retention.remove_run
        gone += [one for one in due if take(store, one.run_id)]
    if found != index.RunNames() and not dry_run:
        retention.sweep(store)
    return gone


def _declared(project: Project, name: str) -> Retention:
    """Return what the job file says of runs that carry no retention of their own: those of an older script."""
    from bgrun.api.jobs import load
    from bgrun.model import Retention

    try:
        job_file = load(project)
    except (NoJobFileError, JobFileError):
        return Retention()
    return (job_file.jobs[name].settings if name in job_file.jobs else job_file.defaults).retention
