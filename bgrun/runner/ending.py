"""Waiting for the end of runs, bringing it about, and clearing them away."""

from __future__ import annotations

import time

from bgrun.errors import JobFileError, NoJobFileError
from bgrun.runner.looking import read, resolve
from bgrun.runs import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bgrun.jobfile.find import Project
    from bgrun.model import Retention, Run
    from bgrun.runs import retention


def wait_for(project: Project, refs: Iterable[str], timeout_s: float | None = None) -> list[Run]:
    """Return the named runs once all have ended, or as they are when the bound comes first."""
    from bgrun.local import wait

    until = None if timeout_s is None else time.monotonic() + timeout_s
    run_ids = [resolve(project, ref) for ref in refs]
    ended: list[Run] = []
    for run_id in run_ids:
        left = None if until is None else max(0.0, until - time.monotonic())
        run = wait.wait_run(project.log_dir, run_id, left)
        ended.append(run or read(project, run_id))
    return ended


def stop_runs(project: Project, refs: Iterable[str]) -> list[Run]:
    """End the named runs with all their processes and return them as they are then."""
    from bgrun.local import stop

    run_ids = [resolve(project, ref) for ref in refs]
    ended = (stop.stop_run(project.log_dir, run_id) for run_id in run_ids)
    return [run for run in ended if run]


def prune(project: Project, *, dry_run: bool = False) -> list[retention.Expired]:
    """Remove every run that its retention lets go, and return them; `dry_run` removes nothing."""
    from bgrun.runs import retention

    log_dir = project.log_dir
    found = names.of(log_dir)
    gone: list[retention.Expired] = []
    for label in found.labels():
        runs = retention.runs_of(log_dir, found, label)
        policy = retention.policy_of(log_dir, runs) or _declared(project, label)
        due = retention.expired(runs, policy, time.time())
        gone += [one for one in due if dry_run or retention.remove_run(log_dir, one.run_id)]
    if found != names.Names() and not dry_run:
        retention.sweep(log_dir)
    return gone


def _declared(project: Project, name: str) -> Retention:
    """Return what the job file says of runs that carry no retention of their own: those of an older script."""
    from bgrun.model import Retention
    from bgrun.runner.declared import load

    try:
        job_file = load(project)
    except (NoJobFileError, JobFileError):
        return Retention()
    return (job_file.jobs[name].settings if name in job_file.jobs else job_file.defaults).retention
