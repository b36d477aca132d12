"""Render a declared job, or the script template of ad-hoc commands."""

from __future__ import annotations

import os
import platform
import shlex
from typing import Any, NamedTuple

from bgrun.errors import UnknownNameError, nearest_names
from bgrun.jobfile import job_label, matrix, problem_matchers
from bgrun.jobfile.label import check_label
from bgrun.jobfile.params import bind
from bgrun.jobfile.specs import AUTO_PORT, Settings
from bgrun.model import as_text
from bgrun.plan import RenderedJob
from bgrun.render import command as ad_hoc
from bgrun.render import script
from bgrun.render.job_command import FAILED, FAILED_FILES, render_command
from bgrun.render.settings import Given, render_settings
from bgrun.render.variables import Layers, hiding_secrets
from bgrun.templating import template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.model import Scalar
    from bgrun.plan import Output
    from bgrun.render.settings import RenderedSettings
    from bgrun.templating.inputs import RenderInputs


class Request(NamedTuple):
    """A requested job.

    given: its parameters as on the command line.
    extra: the arguments after `--`, for its command.
    failed: the IDs and the files of the tests to run alone; None runs the job's command.
    """

    name: str
    given: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    failed: tuple[tuple[str, ...], tuple[str, ...]] | None = None


def render_job(
    job_file: JobFile, one: Request, inputs: RenderInputs, combination: Mapping[str, Scalar] | None = None
) -> RenderedJob:
    """Return a declared job, ready to launch.

    Args:
        job_file: where it is declared.
        one: the job, its parameters, and what to add to its command.
        inputs: records what rendering reads; templates see its variables as `env`.
        combination: the values of its matrix, which templates see as `matrix`.

    Raises:
        UsageError: the name, a parameter, a template, a directory or an env file is invalid.
    """
    name = one.name
    job = find_job(job_file, name)
    params = bind(job, one.given, _from_caller(job, inputs))
    more: dict[str, Any] = {}
    if any(other.service for other in job_file.jobs.values()):
        job, more = _among_services(job_file, job, inputs)
    values = {"job": name, **more, **_matrix(combination), **params}
    layers = Layers(job.settings, job.root, values, f"{name}: ", inputs)
    with hiding_secrets(layers):
        made = _rendered(job, one, layers, params, combination)
        _keep_secrets_out(made)
    return made


def _among_services(job_file: JobFile, job: JobSpec, inputs: RenderInputs) -> tuple[JobSpec, dict[str, Any]]:
    """Return a job of a file with services, and what its templates know of these; a service gets its port."""
    from bgrun.render import services

    port = services.port_of(job, inputs)
    known = {"services": services.Services(job_file, job.prefix, inputs)}
    return services.with_port(job, port), {**known, **({"port": port} if port else {})}


def _rendered(
    job: JobSpec,
    one: Request,
    layers: Layers,
    params: Mapping[str, Scalar],
    combination: Mapping[str, Scalar] | None,
) -> RenderedJob:
    name, values, inputs = job.name, layers.values, layers.inputs
    label = job_label.label_of(job, combination, values)
    rendered = render_settings(layers)
    if one.failed is not None:
        ids, files = map(template.Words, one.failed)
        job, values = job._replace(command=job.rerun), {**values, FAILED: ids, FAILED_FILES: files}
    command, shown = render_command(job, values, one.extra, rendered)
    text = script.job_script(rendered, check_label(label), command, script.comments(job, shown))
    return _with_settings(rendered, label, text, shown)._replace(
        job=name,
        params=tuple((key, as_text(value)) for key, value in {**(combination or {}), **params}.items()),
        shell=job.settings.shell if isinstance(job.command, str) else "",
        # Each POSIX shell runs the job script alike, unless it runs a program by its argv: that may be a script
        # without a `#!` line, which each shell runs itself.
        any_shell=isinstance(job.command, str),
        progress=job.progress,
        problems=tuple(found for named in job.problems for found in problem_matchers.resolve(job.root, named, inputs)),
        junit=template.render(job.junit, values, f"{name}: reports.junit") if job.junit else "",
        outputs=tuple(_output(declared, values, name) for declared in job.outputs),
        **_of_service(job, rendered, layers),
    )


def _of_service(job: JobSpec, rendered: RenderedSettings, layers: Layers) -> dict[str, Any]:
    """Return the fields of a rendered job that only a service has; its check knows the parameters of this start."""
    if not job.service:
        return {}
    from bgrun.render import services

    port, url = services.address_of(job, layers.inputs, layers.values)
    ready = services.ready_check(job, rendered, layers.values)
    is_assigned = job.service.port == AUTO_PORT
    return {"service": True, "port": port, "url": url, "ready": ready, "is_port_assigned": is_assigned}


def _output(declared: Output, values: Mapping[str, Any], job: str) -> Output:
    where = f"{job}: outputs.{declared.name}.{declared.kind}"
    return declared._replace(path=template.render(declared.path, values, where))


def _from_caller(job: JobSpec, inputs: RenderInputs) -> Callable[[str], str]:
    """Return how a job names a path that is relative to the caller's directory: as it is, or absolute.

    It is as given if the job runs there; `-` and URLs are no paths.
    """

    def resolve(path: str) -> str:
        if not path or path.startswith(("/", "-")) or "://" in path:
            return path
        here = inputs.here()
        runs_there = job.settings.working_dir == "." and os.path.realpath(here) == os.path.realpath(job.root)
        if not here or runs_there:
            return path
        return os.path.normpath(f"{here}/{path}") + ("/" if path.endswith("/") else "")

    return resolve


def render_command_template(*, given: Given, root: Path, job_file: JobFile | None, inputs: RenderInputs) -> RenderedJob:
    """Return the script template of ad-hoc commands, for `command.fill`; `given` precedes the defaults.

    Raises:
        UsageError: a template or an env file of the defaults is invalid.
    """
    settings = job_file.defaults if job_file else Settings()
    if given.retry:
        settings = settings._replace(retry=given.retry)
    rendered = render_settings(Layers(settings, root, {"job": ""}, "defaults: ", inputs), given)
    words = f"exec {rendered.env_words}{ad_hoc.OPERANDS}" if rendered.env_words else ad_hoc.WORDS
    line = script.run_program(words, settings)
    text = script.job_script(rendered, ad_hoc.LABEL, line, [ad_hoc.SHOWN])
    made = _with_settings(rendered, ad_hoc.LABEL, text, ad_hoc.SHOWN)._replace(shell=settings.shell)
    _keep_secrets_out(made)
    return made


def find_job(job_file: JobFile, name: str) -> JobSpec:
    """Return a declared job.

    Raises:
        UnknownNameError: there is no job with this name.
    """
    job = job_file.jobs.get(name)
    if job is None:
        is_group = f"{name!r} is a group: start it with 'bgrun group {name}'"
        near = nearest_names(name, job_file.groups, 1)
        is_near = f"start the group {near[0]!r} with 'bgrun group {near[0]}'" if near else "list jobs with 'bgrun jobs'"
        raise UnknownNameError("job", name, job_file.jobs, is_group if name in job_file.groups else is_near)
    return job


def skip_reason(
    job: JobSpec, given: Sequence[str], inputs: RenderInputs, combination: Mapping[str, Scalar] | None = None
) -> str:
    """Return why a job is skipped by its `if`, or ''.

    Raises:
        UsageError: a parameter is invalid, or the expression uses an undefined value.
    """
    if not job.condition:
        return ""
    values = {"job": job.name, "os": system(), **_matrix(combination), **bind(job, given, _from_caller(job, inputs))}
    layers = Layers(job.settings, job.root, values, f"{job.name}: ", inputs, lenient=True)
    with hiding_secrets(layers):
        holds = template.evaluate(job.condition, layers.values, f"{job.name}: if")
    return "" if holds else f"`if` is false: {job.condition}"


def system() -> dict[str, str]:
    """Return the `os` of an `if`: its name is `linux` or `darwin`, its arch that of uname(1)."""
    return {"name": platform.system().lower(), "arch": platform.machine()}


def render_skipped(job: JobSpec, combination: Mapping[str, Scalar] | None = None) -> RenderedJob:
    """Return a stand-in for a skipped job, whose templates may be meaningless here."""
    text = f"#!/usr/bin/env bash\necho {shlex.quote(f'{job.name} was skipped: its `if` was false')} >&2\nexit 1\n"
    shown = job.command if isinstance(job.command, str) else shlex.join(job.command)
    label = job.name if combination is None else matrix.label(job.name, dict(combination))
    return RenderedJob(label, text, shown, "", "", job=job.name, tags=job.tags, retention=job.settings.retention)


def _matrix(combination: Mapping[str, Scalar] | None) -> dict[str, Any]:
    return {} if combination is None else {"matrix": combination}


def _with_settings(rendered: RenderedSettings, label: str, text: str, shown: str) -> RenderedJob:
    settings = rendered.settings
    return RenderedJob(
        label=label,
        script=text,
        cmd=shown,
        shell="",
        working_dir=str(rendered.working_dir),
        venv=rendered.venv,
        tags=settings.tags,
        limits=settings.limits,
        inhibit_sleep=settings.inhibit_sleep,
        retention=settings.retention,
        secrets=tuple(rendered.secrets.items()),
        hooks=rendered.hooks,
        timeout_share=settings.timeout_share,
        concurrency=rendered.concurrency,
        engine=settings.engine,
        resources=settings.resources,
        slurm=settings.slurm,
    )


def _keep_secrets_out(job: RenderedJob) -> None:
    """Refuse a job whose script or meta would contain the value of one of its secrets."""
    texts = [job.script, job.cmd, job.label, job.working_dir, job.venv, job.junit, *job.tags]
    texts += [one.path for one in job.outputs]
    texts += [text for pair in job.params for text in pair]
    texts += [hook.command for hook in job.hooks]
    texts += [job.concurrency.group] if job.concurrency else []
    texts += [job.url, job.ready.value] if job.ready else [job.url]
    texts += job.slurm.options
    ad_hoc.keep_out(dict(job.secrets), *texts)
