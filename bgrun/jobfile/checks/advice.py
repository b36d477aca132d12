"""Warn about what a job file allows, and nobody means."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from bgrun.errors import UsageError
from bgrun.jobfile import job_label, problem_matchers, specs
from bgrun.templating import quoting, shell_check
from bgrun.templating.inputs import RenderInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.jobfile.include import Source
    from bgrun.jobfile.specs import JobSpec
    from bgrun.jobfile.yaml_source import Fault


def warnings(source: Source) -> Iterator[Fault]:
    """Yield the warnings about a job file without errors, and about all that it includes."""
    for one in source.every():
        for job in specs.of_document(Path(one.file), one.document.data).jobs.values():
            yield from _command(one, job)
            yield from _syntax(one, job)
            yield from _matchers(one, job)
            yield from _labels(one, job)
            yield from _readiness(one, job)


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
