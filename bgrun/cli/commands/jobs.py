"""The commands about what is declared: `jobs`, `render`, `validate`, `schema`."""

from __future__ import annotations

from bgrun import api
from bgrun.api.documents import group_fields, job_fields
from bgrun.cli import format, output
from bgrun.errors import EXIT_OK, EXIT_USAGE, JobFileError, UnknownNameError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Asked
    from bgrun.jobfile.specs import GroupSpec, JobSpec


def jobs(project: Project, asked: Asked) -> int:
    """Handle `bgrun jobs`."""
    job_file = api.jobs.load(project)
    if asked.json:
        declared = [job_fields(job) for job in job_file.jobs.values()]
        groups = [group_fields(group) for group in job_file.groups.values()]
        output.document({"file": str(job_file.path), "jobs": declared, "groups": groups})
        return EXIT_OK
    if asked.quiet:
        for name in (*job_file.jobs, *job_file.groups):
            output.out(name)
        return EXIT_OK
    rows = [[_usage(job), job.description] for job in job_file.jobs.values()]
    rows += [[f"group {group.name}", _group_line(group)] for group in job_file.groups.values()]
    for line in format.table(rows):
        output.out(line)
    return EXIT_OK


def _usage(job: JobSpec) -> str:
    """Return how a job is started: required parameters plain, the others in brackets."""
    words = [f"{p.name}=…" if p.required else f"[{p.name}={p.default}]" for p in job.params]
    return " ".join([f"start {job.name}", *words])


def _group_line(group: GroupSpec) -> str:
    return group.description or ", ".join(group.jobs)


def render(project: Project, asked: Asked) -> int:
    """Handle `bgrun render`."""
    job = api.jobs.render(project, asked.job, asked.params, asked.tail)
    if asked.json:
        fields = {"job": job.job, "label": job.label, "cmd": job.cmd, "shell": job.shell}
        more = {"working_dir": job.working_dir, "venv": job.venv or None, "script": job.script}
        output.document({**fields, **more})
    else:
        output.raw(job.script.encode("utf-8", "surrogateescape"))
    return EXIT_OK


def validate(project: Project, asked: Asked) -> int:
    """Handle `bgrun validate`."""
    try:
        job_file = api.jobs.load(project, anew=True)
    except JobFileError as error:
        if not asked.json:
            raise
        problems = [problem._asdict() for problem in error.problems]  # type: ignore[attr-defined]
        output.document({"file": error.path, "valid": False, "problems": problems})
        return EXIT_USAGE
    if asked.json:
        output.document({"file": str(job_file.path), "valid": True, "problems": []})
    elif not asked.quiet:
        counted = f"{len(job_file.jobs)} jobs, {len(job_file.groups)} groups"
        output.out(f"{format.path(str(job_file.path))} is valid: {counted}")
    return EXIT_OK


def schema(_: Project, asked: Asked) -> int:
    """Handle `bgrun schema`."""
    from bgrun.jobfile import schema as schemas

    name = asked.name or "bgjobs"
    if name not in schemas.schema_names():
        raise UnknownNameError("schema", name, schemas.schema_names())
    output.raw(schemas.schema_text(name).encode())
    return EXIT_OK
