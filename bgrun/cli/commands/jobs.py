"""The handlers of `jobs`, `render`, `validate` and `schema`."""

from __future__ import annotations

from bgrun import api
from bgrun.cli import format, output, tables
from bgrun.errors import EXIT_OK, EXIT_USAGE, JobFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bgrun.api import Project
    from bgrun.cli.dispatch import Args


def jobs(project: Project, args: Args) -> int:
    """Handle `bgrun jobs`."""
    job_file = api.jobs.load(project)
    if args.json:
        output.document(api.documents.job_file(job_file))
        return EXIT_OK
    if args.quiet:
        for name in (*job_file.jobs, *job_file.groups):
            output.out(name)
        return EXIT_OK
    rows = [[_usage(job), job.description or ("(service)" if job.service else "")] for job in job_file.jobs.values()]
    rows += [[f"group {group.name}", _group_line(group)] for group in job_file.groups.values()]
    columns = output.columns()
    for line in tables.wrapped_table(rows, columns) if columns else tables.table(rows):
        output.out(line)
    return EXIT_OK


def _usage(job: api.jobs.JobSpec) -> str:
    """Return how to start a job: required parameters plain, the others and axes of a matrix in brackets."""
    words = [f"{p.name}=…" if p.required else f"[{p.name}={p.default}]" for p in job.params]
    axes = (one for one in api.outline.params_of(job) if one.type == "matrix")
    words += [f"[{axis.name}={'|'.join(axis.choices)}]" for axis in axes]
    return " ".join([f"start {job.name}", *words])


def _group_line(group: api.jobs.GroupSpec) -> str:
    return group.description or ", ".join(group.jobs)


def render(project: Project, args: Args) -> int:
    """Handle `bgrun render`."""
    job = api.jobs.render(project, args.job, args.params, args.extra_args)
    if args.json:
        output.document(api.documents.rendered(job))
    else:
        output.raw(job.script.encode("utf-8", "surrogateescape"))
    return EXIT_OK


def validate(project: Project, args: Args) -> int:
    """Handle `bgrun validate`."""
    try:
        job_file, warnings = api.jobs.validate(project, args.on or "")
    except JobFileError as error:
        if not args.json:
            raise
        output.document(api.documents.validation(error.path, error.problems))
        return EXIT_USAGE
    if args.json:
        output.document(api.documents.validation(job_file.path, warnings=warnings))
        return EXIT_OK
    for warning in warnings:
        output.note(f"warning: {warning}")
    if not args.quiet:
        output.out(f"{format.path(str(job_file.path))} is valid{f' on {args.on}' if args.on else ''}: {job_file.tally}")
    return EXIT_OK


def schema(_: Project, args: Args) -> int:
    """Handle `bgrun schema`."""
    output.raw(api.jobs.schema_text(args.name or "bgjobs").encode())
    return EXIT_OK
