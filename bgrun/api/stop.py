"""Wait for runs, stop them, and delete old ones."""

from __future__ import annotations

import time

from bgrun import engine
from bgrun.api.references import meant
from bgrun.api.runs import read, without_record
from bgrun.errors import JobFileError, NoJobFileError, UnknownNameError
from bgrun.light import suppress
from bgrun.store.listing.names import RunNames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bgrun.engine import Engine
    from bgrun.jobfile.project import Project
    from bgrun.model import Run
    from bgrun.plan import Retention
    from bgrun.store.retention import Expired as Expired


MOST_STOPS = 16
"""How many runs are stopped at once by this process."""
SUMMARY_S = 0.5
"""How many seconds after its timeout a wait may still summarize what it waited for."""


def summary_due(timeout_s: float | None) -> float | None:
    """Return when a caller that waits so long from now needs its summaries, as a time of `time.monotonic`."""
    return None if timeout_s is None else time.monotonic() + timeout_s + SUMMARY_S


def wait_for(project: Project, refs: Iterable[str], timeout_s: float | None = None) -> list[Run]:
    """Return the runs that `refs` mean once all have finished, or as they are at the timeout.

    Runs of a label that were requested to stop are not waited for. One that was deleted meanwhile, by its retention for
    example, is lost: nobody knows its result any more.
    """
    return wait_on(project, meant(project, refs, without_stopping=True), timeout_s)


def wait_on(project: Project, runs: Iterable[Run], timeout_s: float | None = None) -> list[Run]:
    """Return these runs once all have finished, or as they are at the timeout; a deleted one as `wait_for` does."""
    until = None if timeout_s is None else time.monotonic() + timeout_s
    ended: list[Run] = []
    for run in runs:
        left = None if until is None else max(0.0, until - time.monotonic())
        ended.append(_waited(project, run, left))
    return ended


def _waited(project: Project, run: Run, timeout_s: float | None) -> Run:
    with suppress(UnknownNameError):
        if found := _owner(project, run.run_id).wait(project.store, run.run_id, timeout_s):
            return found
    return without_record(run)


def stop_runs(project: Project, refs: Iterable[str], *, now: bool = False) -> list[Run]:
    """Stop the runs that `refs` mean and every process they started, all at once; return them afterwards.

    now: skip the grace period and send SIGKILL.

    Raises:
        UsageError: the caller is a process of one of them; none is stopped.
        StopError: a process of one is still alive; the others were stopped.
    """
    return _stop(project, meant(project, refs), now=now)


def grace_s(project: Project, runs: Iterable[Run]) -> float:
    """Return the longest grace period of runs and of the jobs of group runs, in seconds."""
    from bgrun.store import facts

    run_ids = [run_id for run in runs for run_id in (run.run_id, *run.members)]
    metas = (project.store.facts(run_id) or {} for run_id in run_ids)
    return max(facts.job_of(known, "").limits.stop_grace_s for known in metas)


def continues(project: Project, run_id: str) -> bool:
    """Return whether a stop that was requested goes its way without this process.

    The supervisor carries it out, or on a cluster the launcher.
    """
    from bgrun.store import stop_request
    from bgrun.system import lock

    run = read(project, run_id)
    at = project.store.run(run_id)
    return stop_request.is_asked_to_end(at, run) and (run.engine != engine.LOCAL or lock.is_held(at.pid))


def _stop(project: Project, runs: Sequence[Run], *, now: bool) -> list[Run]:
    owners = {run.run_id: _owner(project, run.run_id) for run in runs}
    for run in runs:
        owners[run.run_id].refuse_own_stop(project.store, run)
    if len(runs) > 1:
        # Request every stop before waiting for any: queued runs first, so that none takes a slot that becomes free.
        for run in sorted(runs, key=lambda run: run.state != "queued"):
            owners[run.run_id].request_stop(project.store, run.run_id, "stop", now=now)
    return _at_once(lambda run: owners[run.run_id].stop(project.store, run.run_id, now=now), runs)


def _owner(project: Project, run_id: str) -> Engine:
    """Return the engine of a run; of one that was deleted meanwhile any finds that out."""
    return engine.of(project.store.facts(run_id) or {})


def _at_once(stop: Callable[[Run], Run | None], runs: Sequence[Run]) -> list[Run]:
    """Stop runs concurrently and return them; raise an error once the others are stopped."""
    if len(runs) < 2:
        return [run for run in map(stop, runs) if run]
    from threading import Thread

    ended: dict[str, Run | None] = {}
    errors: list[Exception] = []
    left = iter(runs)

    def end(run: Run) -> None:
        try:
            ended[run.run_id] = stop(run)
        except Exception as error:  # noqa: BLE001 - raised below, in the main thread
            errors.append(error)

    def work() -> None:
        for run in left:
            end(run)

    # Daemon threads: Ctrl-C ends the wait at once; the requested stops continue.
    workers = [Thread(target=work, daemon=True) for _ in runs[:MOST_STOPS]]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return [one for run in runs if (one := ended.get(run.run_id))]


def prune(project: Project, *, dry_run: bool = False) -> list[Expired]:
    """Delete every run that exceeds its retention and return them; `dry_run` deletes nothing."""
    from bgrun.store import retention

    store = project.store
    found = store.index()
    pruned: list[Expired] = []
    take = retention.may_go if dry_run else retention.remove_run
    with store.results(found) as results:
        for label in found.labels():
            policy = retention.policy_of(store, found.newest_first(label)) or _declared(project, label)
            due = retention.expired(results.of(found.newest_first(label)), policy, time.time())
            pruned += [one for one in due if take(store, one.run_id)]
    if found != RunNames() and not dry_run:
        retention.sweep(store)
    return pruned


def _declared(project: Project, name: str) -> Retention:
    """Return the declared retention for runs without their own: those of the older script."""
    from bgrun.api.jobs import load
    from bgrun.plan import Retention

    try:
        job_file = load(project)
    except (NoJobFileError, JobFileError):
        return Retention()
    return (job_file.jobs[name].settings if name in job_file.jobs else job_file.defaults).retention
