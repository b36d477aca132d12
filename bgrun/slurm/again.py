"""Submit runs once more that Slurm has forgotten before they began.

They keep their run ID and their token, so that nothing runs twice: should the earlier job exist after all, one of the
two claims the run, and the other ends.
"""

from __future__ import annotations

import os

from bgrun.errors import LaunchError, UsageError
from bgrun.plan import RunPlan
from bgrun.slurm import queue, slots, submit
from bgrun.slurm.batch import Batch
from bgrun.store import facts, record
from bgrun.system import reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.model import Run
    from bgrun.plan import Condition
    from bgrun.store.store import Store


_MOST_SCRIPT = 64 << 20


def submit_again(store: Store, run_id: str) -> None:
    """Submit a run, or the runs of a group run that never began, once more.

    Raises:
        UsageError: it has begun, or Slurm knows it, or a dependency did not succeed.
        LaunchError: Slurm refused it, or gave no answer.
    """
    run = store.existing(run_id)
    if not run.members:
        _again(store, run)
        return
    left = [one for one in store.readable(run.members) if _is_left(store, one)]
    if not left:
        hint = f"see 'bgrun status {run_id}'; a new run is started with 'bgrun rerun {run_id}'"
        raise UsageError(f"no job of {run_id} was forgotten before it began", hint)
    for one in left:
        _again(store, one)


def _is_left(store: Store, run: Run) -> bool:
    """Return whether a run never began, and nobody knows its job."""
    unconfirmed = run.state in ("queued", "unknown") and not os.path.lexists(store.run(run.run_id).job)
    return (run.state == "lost" or unconfirmed) and not os.path.lexists(store.run(run.run_id).claim(1))


def _again(store: Store, run: Run) -> None:
    if not _is_left(store, run):
        hint = f"wait for it with 'bgrun wait {run.run_id}'" if run.live else f"run 'bgrun rerun {run.run_id}'"
        raise UsageError(f"{run.run_id} is {run.state}: only a run that never began is submitted again", hint)
    at = store.run(run.run_id)
    script = reading.read(at.script, _MOST_SCRIPT) or b""
    if not facts.is_whole(script.decode("utf-8", "surrogateescape")):
        raise UsageError(f"the job script of {run.run_id} is damaged: {at.script}", "start the job again")
    known = store.facts(run.run_id) or {}
    token = known.get("token", "")
    # All tasks of an array have its token; another one of them may have been submitted again already.
    if listed := queue.look(store.log_dir, 0.0, queue.config_of(known)).of(known):
        hint = f"wait for it with 'bgrun wait {run.run_id}'"
        raise UsageError(f"{run.run_id} is in the queue as job {listed.job_id}", hint)
    conditions = facts.conditions_of(known)
    needed = {one: _job(store, run, one, conditions[one]) for one in known.get("needs", "").split()}
    jobs = {one: job for one, job in needed.items() if job}
    plan = RunPlan(run.run_id, facts.job_of(known, ""), known, tuple(jobs))
    before = {one: job for one in known.get("after", "").split() if (job := _job_before(store, run, one))}
    _restore(store, plan, known)
    lane = known.get("lane", "")
    if plan.job.concurrency:
        lane = slots.lanes(store, (plan,), slots.look(plan.job.slurm.config))[plan.run_id]
    one = Batch((plan,), tuple(jobs), lane=lane, place=known.get("array_index", ""), after=tuple(before))
    one = one._replace(conditions=tuple(conditions[need] for need in jobs))
    try:
        job = submit.submit(store, one, token, jobs | before, plan.job.label)
    except submit.RefusedError as refused:
        raise LaunchError(f"Slurm refused {run.run_id}: {refused}") from refused
    if not job:
        raise LaunchError(f"Slurm gave no answer about {run.run_id}", f"see 'bgrun status {run.run_id}'")
    submit.note(store, one, job)
    queue.forget(store.log_dir)


def _restore(store: Store, plan: RunPlan, known: Mapping[str, str]) -> None:
    """Write what the launcher reads once more: it may have been deleted with other leftovers.

    Raises:
        UsageError: the secrets of the run were, which are nowhere else.
    """
    if known.get("secrets") and not os.path.exists(store.run(plan.run_id).hidden("env")):
        hint = f"rerun it as a new run with 'bgrun rerun {plan.run_id}'"
        raise UsageError(f"the secrets of {plan.run_id} were deleted", hint)
    submit.write_besides(store, plan)


def _job(store: Store, run: Run, need: str, condition: Condition) -> str:
    """Return the job of a dependency that has not finished, or '' if it meets its condition.

    Slurm has forgotten a job that finished a while ago, and would take it for one that succeeded.

    Raises:
        UsageError: it did not succeed, or its job is unknown.
    """
    before = store.read(need)
    if before and _is_met(before, condition):
        return ""
    is_known = before and before.live and before.state != "unknown"
    job = record.read_job(store.run(need), store.facts(need) or {}) if is_known else ""
    if not job:
        state = before.state if before else "deleted"
        raise UsageError(f"cannot submit {run.run_id}: its dependency {need} is {state}", f"rerun {need} first")
    return job


def _job_before(store: Store, run: Run, before: str) -> str:
    """Return the job of the run that has to end before another one, or '' if it has, or was deleted.

    Raises:
        UsageError: its job is unknown.
    """
    return _job(store, run, before, "completed") if store.facts(before) else ""


def _is_met(before: Run, condition: Condition) -> bool:
    if condition == "completed":
        return not before.live
    return before.succeeded or (condition == "started" and bool(before.started_at))
