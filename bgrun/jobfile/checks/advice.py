"""Warn about what a job file allows, and nobody means."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from bgrun.errors import UsageError
from bgrun.jobfile import job_label, problem_matchers, specs
from bgrun.jobfile.checks.template_texts import line_offset, template_texts
from bgrun.templating import quoting, shell_check, template
from bgrun.templating.inputs import RenderInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.jobfile.include import Source
    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.jobfile.yaml_source import Fault


def warnings(source: Source) -> Iterator[Fault]:
    """Yield the warnings about a job file without errors, and about all that it includes."""
    for one in source.every():
        declared = specs.of_document(Path(one.file), one.document.data)
        for job in declared.jobs.values():
            yield from _command(one, job)
            yield from _syntax(one, job)
            yield from _matchers(one, job)
            yield from _labels(one, job)
            yield from _readiness(one, job)
            yield from _address(one, job, declared)


def _command(source: Source, job: JobSpec) -> Iterator[Fault]:
    """Warn about `[make build]`: the name of a program is seldom several words."""
    first = job.command[0]
    if isinstance(job.command, str) or len(first.split()) < 2 or "{{" in first + job.settings.working_dir:
        return
    if not (job.root / job.settings.working_dir / first).exists() and not shutil.which(first):
        hint = f"write each word as an item: `[{', '.join(first.split())}]`; for several commands write a string"
        path = (job.part, job.name, "command", 0)
        yield source.document.fault(source.file, path, f"no program is named {first!r}", hint)


def _syntax(source: Source, job: JobSpec) -> Iterator[Fault]:
    """Warn about a command that its shell cannot parse; one with placeholders is only known once it is rendered."""
    text, shell = job.command, shlex.split(job.settings.shell)
    if not isinstance(text, str) or any(mark in text for mark in ("{{", "{%", "{#")):
        return
    if shell and Path(shell[0]).name in quoting.POSIX_SHELLS:
        try:
            shell_check.check_syntax(text.rstrip(), shell, "no start can run it")
        except UsageError as error:
            yield source.document.fault(source.file, (job.part, job.name, "command"), error.message, error.hint)


def _matchers(source: Source, job: JobSpec) -> Iterator[Fault]:
    for place, named in enumerate(job.problems):
        for stray in problem_matchers.stray_groups(job.root, named, RenderInputs({})):
            message = f"{stray}, which the whole line or nothing stands for"
            yield source.document.fault(
                source.file, (job.part, job.name, "problems", place), message, "fix the number of the group"
            )


def _labels(source: Source, job: JobSpec) -> Iterator[Fault]:
    """Warn about a label that two combinations of a matrix have: only one of them can be started at a time."""
    defaults = {param.name: param.default for param in job.params if param.default is not None}
    values = {"env": RenderInputs({}).env, "job": job.name, **defaults}
    try:
        labels = [job_label.label_of(job, one, {**values, "matrix": one}) for one in job.matrix]
    except UsageError:
        return  # it depends on what a start gives, and is checked there
    if twice := job_label.label_twice(labels):
        yield source.document.fault(source.file, (job.part, job.name, "label" if job.label else "matrix"), *twice)


def _readiness(source: Source, job: JobSpec) -> Iterator[Fault]:
    """Warn about a service without a check: what needs it may start too early."""
    if job.service and not job.service.ready:
        message = "the service counts as ready once it is launched"
        hint = "add `ready:`, for example `ready: {port: true}` or a pattern of its log"
        yield source.document.fault(source.file, (job.part, job.name), message, hint)


def _address(source: Source, job: JobSpec, declared: JobFile) -> Iterator[Fault]:
    """Warn about the address of a service that a start of the job does not bring along: nothing may listen there."""
    if any(param.name == "services" for param in job.params):
        return
    known = {name for name, one in declared.jobs.items() if one.service}
    groups = declared.groups.values()
    needed = {job.name, *(name for group in groups for name in (*group.before, *sum(group.edges.values(), ())))}
    added = set(job.depends_on)
    while added:
        needed |= added
        added = {name for one in added & known for name in declared.jobs[one].depends_on} - needed
    for path, text in template_texts(source.document.data, job):
        for used in template.keys_used(text, "services"):
            if used.key in known - needed:
                message = f"the service {used.key!r} does not start with this {'service' if job.service else 'job'}"
                hint = f"add {used.key!r} to its `depends_on:`"
                fault = source.document.fault(source.file, path, message, hint)
                yield fault._replace(line=fault.line + line_offset(text, used.line))
