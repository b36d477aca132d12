"""Load the job file of a project, and render its jobs."""

from __future__ import annotations

import os

from bgrun import engine
from bgrun.errors import BgrunError, JobFileError, UnknownNameError
from bgrun.jobfile import project as projects
from bgrun.jobfile.installation import code_mark
from bgrun.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.jobfile.include import Source
    from bgrun.jobfile.project import Project
    from bgrun.jobfile.specs import GroupSpec as GroupSpec
    from bgrun.jobfile.specs import JobFile as JobFile
    from bgrun.jobfile.specs import JobSpec as JobSpec
    from bgrun.jobfile.specs import Param as Param
    from bgrun.jobfile.yaml_source import Fault
    from bgrun.plan import Refusal, RenderedJob
    from bgrun.templating.inputs import RenderInputs


_CHECKED = "checked"


def load(project: Project, *, raw: bytes | None = None, recorded: RenderInputs | None = None) -> JobFile:
    """Return the job file of a project.

    A cache entry records that these bytes were checked and have no errors; checking takes some 40 ms. It is invalid
    for other bytes and for other code of bgrun.

    Args:
        project: where.
        raw: its bytes, if they were read before.
        recorded: records each included file before it is read.

    Raises:
        NoJobFileError: there is none.
        JobFileError: it has errors.
    """
    from bgrun.jobfile import include, loader  # they import yaml, which quick commands never load

    source = _read(project, raw, recorded)
    checked = project.store.cache.read(_CHECKED) == _mark(include.digest_of(source))
    if not checked:
        loader.check(source)
    found = include.specs_of(source)
    if not checked:
        record_checked(project, found)
    return found


def validate(project: Project, on: str = "") -> tuple[JobFile, list[Fault]]:
    """Return the job file of a project, and the warnings about it.

    on: the name of an engine that is to carry out its jobs, or ''.

    Raises:
        NoJobFileError: there is none.
        JobFileError: it has errors, or the engine would refuse some of it.
        UsageError: there is no such engine.
    """
    from bgrun.jobfile import include, loader

    owner = engine.known(on) if on else None
    source = _read(project)
    warnings = loader.check(source)
    found = include.specs_of(source)
    record_checked(project, found)
    if owner:
        from bgrun.jobfile.checks import engine_fit

        checked = engine_fit.check(source, found, owner)
        if checked.faults:
            raise JobFileError(source.file, checked.faults)
        warnings = [*warnings, *checked.warnings]
    return found, warnings


def place_of(project: Project, name: str, refusal: Refusal) -> str:
    """Return `file:line:column: ` of what an engine refuses of a declared job, or '' if that is not in a job file."""
    from bgrun.jobfile.checks import engine_fit

    if not name or not project.job_file:
        return ""
    with suppress(BgrunError):
        found = engine_fit.fault_of(_read(project), name, refusal)
        return f"{found.file}:{found.line}:{found.column}: " if found else ""
    return ""


def _read(project: Project, raw: bytes | None = None, recorded: RenderInputs | None = None) -> Source:
    from bgrun.jobfile import include

    path = projects.declared_in(project)
    reads = recorded.reads if recorded else lambda _: None
    return include.read(path, projects.read_job_file(path) if raw is None else raw, reads)


def record_checked(project: Project, found: JobFile) -> None:
    """Record in the cache, if there is a log directory, that a job file has no errors."""
    if not matcher_files(found):
        project.store.cache.write(_CHECKED, _mark(found.digest))


def _mark(digest: bytes) -> bytes:
    """Return a mark of a job file and this code; not the text, which may contain a secret."""
    return code_mark().encode() + digest


def matcher_files(found: JobFile) -> list[str]:
    """Return the matcher files of a job file: they may change while it does not."""
    named = ((job.root, one) for job in found.jobs.values() for one in job.problems)
    return [str(root / one) for root, one in named if isinstance(one, str) and one.endswith(".json")]


def find(project: Project, name: str) -> JobSpec:
    """Return a declared job.

    Raises:
        UnknownNameError: there is no job with this name.
    """
    from bgrun.render.job import find_job

    return find_job(load(project), name)


def render(
    project: Project,
    name: str,
    given: Sequence[str] = (),
    extra: Sequence[str] = (),
    failed: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
) -> RenderedJob:
    """Return a declared job with all its templates rendered, without launching it.

    failed: the IDs and the files of the tests to run alone, by its `rerun` instead of its command.
    """
    from bgrun.render.job import Request
    from bgrun.render.plan import render_one
    from bgrun.templating.inputs import RenderInputs

    request = Request(name, tuple(given), tuple(extra), failed)
    return render_one(load(project), request, RenderInputs(os.environ, project.here))


def schema_names() -> list[str]:
    """Return the names of the JSON Schemas: `bgjobs`, the job file's, and one for each kind of JSON output."""
    from bgrun.jobfile import schema

    return schema.schema_names()


def schema_text(name: str) -> str:
    """Return a JSON Schema.

    Raises:
        UnknownNameError: there is none of this name.
    """
    from bgrun.jobfile import schema

    if name not in schema.schema_names():
        raise UnknownNameError("schema", name, schema.schema_names())
    return schema.schema_text(name)
