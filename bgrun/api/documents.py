"""The JSON of runs, digests, jobs and stats: one place for the command line, MCP and later faces."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from bgrun.api.insight import Estimate
    from bgrun.jobfile.specs import GroupSpec, JobSpec
    from bgrun.model import Run


def job_fields(job: JobSpec) -> dict[str, Any]:
    """Return a declared job as it stands in JSON."""
    params = [
        {
            "name": param.name,
            "type": param.type,
            "required": param.required,
            "default": param.default,
            "description": param.description,
        }
        for param in job.params
    ]
    command = job.command if isinstance(job.command, str) else list(job.command)
    return {
        "name": job.name,
        "description": job.description,
        "command": command,
        "params": params,
        "tags": list(job.tags),
    }


def group_fields(group: GroupSpec) -> dict[str, Any]:
    """Return a declared group as it stands in JSON."""
    return {
        "name": group.name,
        "description": group.description,
        "jobs": list(group.jobs),
        "max_parallel": group.max_parallel,
        "fail_fast": group.fail_fast,
    }


SCHEMA_VERSION = 1


def run_fields(run: Run) -> dict[str, Any]:
    """Return a run as the JSON object that it is everywhere."""
    fields = run._asdict()
    del fields["members"]
    return {**fields, "tags": list(run.tags), "left_running": list(run.left_running)}


def outlook_fields(outlook: Estimate) -> dict[str, Any]:
    """Return what `status` adds to a run: how far it is and when it may end."""
    seen = outlook.progress
    eta = None if outlook.eta_s is None else round(outlook.eta_s, 1)
    return {"progress": seen and seen._asdict(), "median_s": outlook.median_s, "eta_s": eta}
