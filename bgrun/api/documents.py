"""The JSON of runs, digests, logs, jobs and stats: one place for all faces.

A document has every key, so that a script can rely on it.
"""

from __future__ import annotations

from bgrun.api import insight, runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from bgrun.api.insight import Comparison, Digest, Estimate, OutputValue, SinceSuccess, Stats
    from bgrun.api.jobs import GroupSpec, JobFile, JobSpec
    from bgrun.api.logs import LogPage
    from bgrun.api.stop import Expired
    from bgrun.jobfile.project import Project
    from bgrun.model import Run
    from bgrun.plan import RenderedJob
    from bgrun.setup.doctor import Check

SCHEMA_VERSION = 2

# --- runs -------------------------------------------------------------------------------------


def run_fields(run: Run) -> dict[str, Any]:
    """Return a run as a JSON object, the same in every document."""
    fields = run._asdict()
    del fields["members"]
    return {**fields, **{key: list(fields[key]) for key in ("tags", "left_running", "only_jobs", "needed_by")}}


def list_of(found: Iterable[Run]) -> dict[str, Any]:
    """Return a list of runs."""
    return {"runs": [run_fields(run) for run in found]}


def list_with_outputs(project: Project, found: Iterable[Run]) -> dict[str, Any]:
    """Return a list of runs with their outputs."""
    return {"runs": [{**run_fields(run), "outputs": output_fields(insight.outputs(project, run))} for run in found]}


def status(project: Project, found: Iterable[Run], *, with_digest: bool) -> dict[str, Any]:
    """Return runs with their estimates. Digests take a moment and are None unless `with_digest`."""
    every = list(found)
    estimates = insight.estimates(project, every)

    def fields(run: Run) -> dict[str, Any]:
        digest = _digest_of(project, run) if with_digest else {"digest": None}
        return {**run_fields(run), **_estimate_fields(estimates.get(run.run_id, insight.Estimate())), **digest}

    return {"runs": [fields(run) for run in every]}


def waited(project: Project, found: Iterable[Run], until: float | None = None) -> dict[str, Any]:
    """Return runs that were waited for, with their digests, which are made `until` then."""
    return {"runs": [{**run_fields(run), **_digest_of(project, run, until)} for run in found]}


def started(
    project: Project, run: Run, *, joined: bool | None = None, ended: bool = False, until: float | None = None
) -> dict[str, Any]:
    """Return a run that was started, with the runs of a group; with its digest once it `ended` or was waited for."""
    more = {} if joined is None else {"joined": joined}
    digest = _digest_of(project, run, until) if ended else {}
    members = {"runs": [run_fields(one) for one in runs.members(project, run)]} if run.members else {}
    return {**run_fields(run), **more, **digest, **members}


def removed(expired: Iterable[Expired], *, dry_run: bool) -> dict[str, Any]:
    """Return the runs that were deleted for their retention, or would be."""
    return {"dry_run": dry_run, "removed": [{"run_id": one.run_id, "reason": one.why} for one in expired]}


def stats(found: Iterable[Stats]) -> dict[str, Any]:
    """Return the statistics of labels."""
    labels = [
        {**one._asdict(), "success_rate": one.success_rate, "durations_s": list(one.durations_s)} for one in found
    ]
    return {"labels": labels}


def doctor(found: Iterable[Check], absent: Iterable[str]) -> dict[str, Any]:
    """Return the checks of an installation and of a project's clients; absent: clients that are not installed."""
    checks = [{**one._asdict(), "fix": one.fix or None} for one in found]
    return {"ok": all(one["status"] != "missing" for one in checks), "checks": checks, "not_installed": list(absent)}


def _estimate_fields(estimate: Estimate) -> dict[str, Any]:
    seen = estimate.progress
    eta = None if estimate.eta_s is None else round(estimate.eta_s, 1)
    return {"progress": seen and seen._asdict(), "median_s": estimate.median_s, "eta_s": eta}


# --- digests and logs -------------------------------------------------------------------------


def report(project: Project, run: Run, since: SinceSuccess | None = None) -> dict[str, Any]:
    """Return a run and its digest, on request with what was committed since the last success."""
    more = {"since_success": since_success(since)} if since else {}
    return {"run": run_fields(run), **_digest_of(project, run), **more}


def _digest_of(project: Project, run: Run, until: float | None = None) -> dict[str, Any]:
    return {"digest": digest_fields(insight.digest(project, run, until=until))}


def digest_fields(digest: Digest) -> dict[str, Any]:
    """Return a digest as a JSON object, without its run."""
    new = set(digest.comparison.new) if digest.comparison else None
    flaky = dict(digest.flaky)
    return {
        "counts": None if digest.counts is None else dict(digest.counts),
        "problems": [
            {
                **{key: getattr(one, key) for key in _SHOWN},
                "new": None if new is None else place in new,
                "passed_in": flaky.get(place),
            }
            for place, one in enumerate(digest.problems)
        ],
        "comparison": _comparison_fields(digest.comparison),
        "more": digest.more,
        "unrecognized": digest.unrecognized,
        "head": list(digest.head),
        "tail": list(digest.tail),
        "source": digest.source or None,
        "note": digest.note,
        "stall": digest.stall,
        "services": list(digest.services),
        "outputs": output_fields(digest.outputs),
        "runs": [{"run_id": one.run.run_id, "state": one.run.state, **digest_fields(one)} for one in digest.parts],
    }


_SHOWN = ("file", "line", "column", "id", "message", "severity", "tool", "phase")


def _comparison_fields(found: Comparison | None) -> dict[str, Any] | None:
    return found and {"run_id": found.run_id, "new": len(found.new), "fixed": found.fixed}


def since_success(found: SinceSuccess) -> dict[str, Any]:
    """Return what was committed since the last success."""
    return {
        "run_id": found.run and found.run.run_id,
        "git_sha": found.run and found.run.git_sha,
        "ended_at": found.run and found.run.ended_at,
        "commits": [one._asdict() for one in found.commits],
        "more": found.more,
        "note": found.note or None,
    }


def output_fields(found: Iterable[OutputValue]) -> dict[str, Any]:
    """Return outputs as a JSON object, by name."""
    return {
        one.name: {
            "value": list(one.value) if isinstance(one.value, tuple) else one.value,
            "more": one.more,
            "note": one.note or None,
        }
        for one in found
    }


def log_page(run: Run, page: LogPage, *, truncated: bool) -> dict[str, Any]:
    """Return lines of a log, and the cursor after them."""
    end = {"next_cursor": page.cursor, "eof": page.eof, "truncated": truncated}
    return {"run": run_fields(run), "lines": page.lines, "size": page.size, **end}


# --- jobs -------------------------------------------------------------------------------------


def job_file(found: JobFile) -> dict[str, Any]:
    """Return what a job file declares."""
    return {
        "file": str(found.path),
        "jobs": [_job_fields(job) for job in found.jobs.values()],
        "groups": [_group_fields(group) for group in found.groups.values()],
    }


def _job_fields(job: JobSpec) -> dict[str, Any]:
    shown = ("name", "type", "required", "default", "description")
    return {
        "name": job.name,
        "description": job.description,
        "command": job.command if isinstance(job.command, str) else list(job.command),
        "params": [{key: getattr(param, key) for key in shown} for param in job.params],
        "tags": list(job.tags),
        "service": bool(job.service),
    }


def _group_fields(group: GroupSpec) -> dict[str, Any]:
    return {
        "name": group.name,
        "description": group.description,
        "jobs": list(group.jobs),
        "max_parallel": group.max_parallel,
        "fail_fast": group.fail_fast,
    }


def rendered(job: RenderedJob) -> dict[str, Any]:
    """Return a rendered job."""
    return {
        "job": job.job,
        "label": job.label,
        "cmd": job.cmd,
        "shell": job.shell,
        "working_dir": job.working_dir,
        "venv": job.venv or None,
        "script": job.script,
    }


def validation(path: object, faults: Sequence[Any] = (), warnings: Sequence[Any] = ()) -> dict[str, Any]:
    """Return whether a job file is valid, and every error in it or warning about it."""
    return {
        "file": str(path),
        "valid": not faults,
        "problems": [fault._asdict() for fault in faults],
        "warnings": [fault._asdict() for fault in warnings],
    }
