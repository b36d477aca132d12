"""Record the runs of a plan, then submit them to Slurm.

The record comes first, so that whatever is queued has one. An answer of sbatch that is missing means nothing: the job
may be queued. It is looked for by its token once; if that does not find it either, the run stays as it is, and nothing
is submitted a second time.
"""

from __future__ import annotations

import os
import time

from bgrun.engine import LOCAL, SLURM
from bgrun.errors import BgrunError, LaunchError, UsageError
from bgrun.light import suppress
from bgrun.plan import Submitted
from bgrun.slurm import batch, calls, options, queue, slots
from bgrun.store import meta, retention, stop_request, submission
from bgrun.system import clock, files, programs
from bgrun.system.changes import Change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from bgrun.plan import GroupPlan, RenderedPlan, RunPlan, Title
    from bgrun.slurm.batch import Batch
    from bgrun.slurm.slots import Holders
    from bgrun.store.store import Store
    from bgrun.store.submission import ClaimedPlan

MOST_SILENT = 2
"""After how many submissions without an answer the others of a plan are not made: each takes up to 10 s."""
_HERE = os.path.dirname(os.path.abspath(__file__))
LAUNCHER, BESIDES = f"{_HERE}/launcher.sh", f"{_HERE}/besides.sh"


class RefusedError(Exception):
    """Slurm refused a submission; its words are the message."""


def launch(store: Store, root: str, plan: RenderedPlan, title: Title | None = None) -> Submitted:
    """Record and submit a plan; one of a single job has no run of its own and needs no title.

    Raises:
        UsageError: this machine cannot submit jobs, or the record of a run would be too large.
        StorageError: the log directory cannot be used.
        LaunchError: Slurm refused the job.
        BusyError: a concurrency group is full, and a run must not wait.
    """
    check_cluster({node.job.slurm.config for node in plan.nodes if not node.skip})
    with slots.admitted(store, plan) as held, submission.claimed(store, root, plan, title, SLURM) as claimed:
        known = _launch(store, claimed, held)
        slots.replace(store, claimed.runs, held)
    own = claimed.group.run_id if claimed.group else ""
    return Submitted(tuple(run.run_id for run in claimed.runs), own, known)


def check_cluster(configs: Collection[str]) -> None:
    """Check what would make each call fail only after a minute, or fail for sure.

    Raises:
        UsageError: it does.
    """
    if programs.find("sbatch") is None:
        hint = f"start it on a login node of the cluster, or here with '--on {LOCAL}'"
        raise UsageError("no cluster: the program sbatch is not on PATH", hint)
    if len(configs) > 1:
        raise UsageError("the jobs of this plan are for several clusters", "give them the same `slurm: {config: …}`")
    config = "".join(configs)
    named = config or os.environ.get("SLURM_CONF", "")
    if named and not os.path.isfile(named):
        where = "`slurm: {config: …}` in the job file" if config else "the variable SLURM_CONF"
        raise UsageError(f"the file that {where} names does not exist: {named}", "fix it, or remove it")


def _launch(store: Store, claimed: ClaimedPlan, held: Holders) -> bytes:
    """Record and submit a claimed plan; return the text of the meta of its group run, if Slurm has taken any job."""
    group = claimed.group
    # A run that needs one whose condition is false is waived by its launcher, which reads the needs from the meta.
    waived = {run.run_id for run in claimed.runs if run.skip}
    startable = [_without(run, waived) for run in claimed.runs if not run.skip]
    lane = f"bgrun-{os.urandom(4).hex()}"
    wanted = batch.batches(startable, group.max_parallel if group else None, lane, slots.lanes(store, startable, held))
    tokens = [os.urandom(8).hex() for _ in wanted]
    known = _record_group(store, group, [run.run_id for run in claimed.runs]) if group else b""
    for run in claimed.runs:
        if run.skip:
            _record_waived(store, run)
    for one, token in zip(wanted, tokens, strict=True):
        _record(store, one, token)
    jobs = _submit_all(store, wanted, tokens, group)
    _apply_retention(store, claimed)
    return known if jobs else b""


def _without(run: RunPlan, waived: Collection[str]) -> RunPlan:
    """Return a run with those of its dependencies that are jobs."""
    kept = [place for place, one in enumerate(run.needs) if one not in waived]
    conditions = tuple(run.conditions[place] for place in kept) if run.conditions else ()
    return run._replace(needs=tuple(run.needs[place] for place in kept), conditions=conditions)


def _apply_retention(store: Store, claimed: ClaimedPlan) -> None:
    """Delete runs that exceed their retention: on a cluster nothing of bgrun is there when a run finishes."""
    policies = {run.job.label: run.job.retention for run in claimed.runs}
    if claimed.group:
        policies[claimed.group.label] = claimed.group.retention
    with suppress(OSError, BgrunError):  # the next start tries again
        retention.apply(store, policies)


def _submit_all(
    store: Store, wanted: Sequence[Batch], tokens: Sequence[str], group: GroupPlan | None
) -> Mapping[str, str]:
    """Submit batches in order and return the job of each run that Slurm has taken."""
    jobs: dict[str, str] = {}
    silent = 0
    for one, token in zip(wanted, tokens, strict=True):
        if silent == MOST_SILENT:
            _skip(store, one, "not submitted: Slurm does not answer")
            continue
        unknown = [run_id for run_id in (*one.needs, *one.after) if run_id not in jobs]
        if unknown:
            what = "dependency" if unknown[0] in one.needs else "the run before it,"
            _skip(store, one, f"{what} {unknown[0]} may not have been submitted")
            continue
        try:
            job = submit(store, one, token, jobs, group.label if group and one.is_array else one.runs[0].job.label)
        except RefusedError as refused:
            message = f"Slurm refused {one.runs[0].run_id}: {refused}"
            _withdraw(store, wanted, jobs, group)
            hint = "see 'resources' and 'slurm' in the job file, and sinfo(1) for what the cluster has"
            raise LaunchError(message, hint) from refused
        if job:
            jobs |= note(store, one, job)
        else:
            silent += 1
    return jobs


def submit(store: Store, one: Batch, token: str, jobs: Mapping[str, str], name: str) -> str:
    """Submit a batch and return its job ID; '' if Slurm gave no answer.

    Raises:
        RefusedError: Slurm did not take it.
    """
    config = one.runs[0].job.slurm.config
    words = batch.argv(one, token, store.log_dir, LAUNCHER, jobs, name)
    answer = calls.submit(words, config, _secret_names(one))
    if answer.code == 0 and (job := batch.job_of(answer.out)):
        return job
    if answer.given and answer.code != 0 and not batch.is_unanswered(answer.words):
        raise RefusedError(answer.words)
    return queue.find(store.log_dir, token, config)


def _secret_names(one: Batch) -> list[str]:
    """Return the variables that are secrets of runs, by their metas: a run that is submitted again has no values."""
    marks = {run.facts.get("secrets", "") for run in one.runs} - {""}
    if not marks:
        return []
    from bgrun.store import masking

    return sorted({name for mark in marks for name in masking.names(mark)})


def note(store: Store, one: Batch, job: str) -> dict[str, str]:
    """Record the job ID of each run of a batch, and return them.

    The tasks of an array share one file, by links: making many files takes longer than all else, on any file system.
    """
    is_task = one.is_array or one.place
    first, *others = (store.run(run.run_id).job for run in one.runs)
    with suppress(OSError):  # the token leads to the job as well
        text = f"{job}{'_' if is_task else ''}\n".encode()
        files.replace(first, files.unique(first), text)
        for path in others:
            _link(first, path, text)
    return {run.run_id: f"{job}_{one.place or place}" if is_task else job for place, run in enumerate(one.runs)}


def _link(known: str, path: str, text: bytes) -> None:
    """Make a link to a file with this text, or a file of its own on a file system without links."""
    try:
        os.link(known, path, follow_symlinks=False)
    except OSError:
        files.replace(path, files.unique(path), text)


def _record(store: Store, one: Batch, token: str) -> None:
    """Write the metas of a batch, from which on its runs exist."""
    now = clock.iso(time.time())
    with suppress(FileExistsError), files.storage(store.run(one.runs[0].run_id).cluster_log, "write"):
        os.close(files.create(store.run(one.runs[0].run_id).cluster_log))  # Slurm would make it readable for others
    if one.is_array:
        path = batch.members_file(store.log_dir, one.runs[0].run_id)
        with files.storage(path, "write"):
            text = "".join(f"{run.run_id}\n" for run in one.runs)
            files.replace(path, files.unique(path), text.encode("utf-8", "surrogateescape"))
    for place, run in enumerate(one.runs):
        _write_secrets(store, run)
        write_besides(store, run)
        known = {
            **run.facts,
            "log_dir": store.log_dir,
            "submitted_at": now,
            "token": token,
            **({"array_index": str(place)} if one.is_array else {}),
            **({"lane": lane} if (lane := batch.lane_of(one, place, token)) else {}),
            **({"after": " ".join(one.after)} if one.after else {}),
            **({"requeue": "true"} if run.job.slurm.requeue else {}),
        }
        _write(store, run.run_id, known)


def _write_secrets(store: Store, run: RunPlan) -> None:
    """Write the secrets of a run for its launcher, which deletes them: `NAME=value`, with a NUL after each."""
    if run.job.secrets:
        path = store.run(run.run_id).hidden("env")
        with files.storage(path, "write"):
            text = "".join(f"{name}={value}\0" for name, value in run.job.secrets)
            files.replace(path, files.unique(path), text.encode("utf-8", "surrogateescape"))


def write_besides(store: Store, run: RunPlan) -> None:
    """Write what a launcher does besides the command of a run, if there is anything; it deletes the file."""
    if declared := options.besides(run.job):
        path = store.run(run.run_id).hidden("besides")
        with files.storage(path, "write"), open(BESIDES, encoding="utf-8") as functions:
            text = declared + functions.read()
            files.replace(path, files.unique(path), text.encode("utf-8", "surrogateescape"))


def _record_group(store: Store, group: GroupPlan, members: Sequence[str]) -> bytes:
    """Write the meta of a group run, and its log; return the text of the meta."""
    now = clock.iso(time.time())
    known = {**group.facts, "log_dir": store.log_dir, "started_at": now, "members": " ".join(members)}
    _write(store, group.run_id, known)
    with suppress(OSError), files.storage(store.run(group.run_id).log, "write"):
        os.close(files.create(store.run(group.run_id).log))
    return meta.pack(known)


def _record_waived(store: Store, run: RunPlan) -> None:
    """Write the meta of a run whose condition is false."""
    closed = {"log_dir": store.log_dir, "ended_at": clock.iso(time.time()), "state": "skipped", "reason": run.skip}
    _write(store, run.run_id, {**run.facts, **closed, "waived": "true"})


def _skip(store: Store, one: Batch, why: str) -> None:
    """Record that runs were never submitted."""
    for run in one.runs:
        for kind in ("env", "besides"):
            files.remove(store.run(run.run_id).hidden(kind))
        known = store.facts(run.run_id) or run.facts
        _write(store, run.run_id, {**known, "ended_at": clock.iso(time.time()), "state": "skipped", "reason": why})


def _write(store: Store, run_id: str, known: Mapping[str, str]) -> None:
    at = store.run(run_id)
    with files.storage(at.meta, "write"), Change(at.log_dir, at.run_id):
        files.replace(at.meta, at.hidden("meta"), meta.pack(known))


def _withdraw(store: Store, wanted: Sequence[Batch], jobs: Mapping[str, str], group: GroupPlan | None) -> None:
    """Take back a plan of which Slurm refused a job.

    Each run is requested to stop first, so that a job that exists after all runs nothing. If none was accepted, no
    record is left; otherwise those that were are canceled, and the rest is skipped.
    """
    for one in wanted:
        for run in one.runs:
            with suppress(OSError):
                stop_request.ask_to_end(store.run(run.run_id), "stop", now=True)
    if jobs:
        config = wanted[0].runs[0].job.slurm.config
        calls.call(["scancel", *dict.fromkeys(job.partition("_")[0] for job in jobs.values())], config=config)
        for one in wanted:
            if one.runs[0].run_id not in jobs:
                _skip(store, one, "Slurm refused a job of its group")
        return
    for run_id in (*(run.run_id for one in wanted for run in one.runs), *([group.run_id] if group else [])):
        with Change(store.log_dir, run_id):
            files.remove(store.run(run_id).meta)
