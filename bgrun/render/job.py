"""From a declared job and the words of a start to a rendered job: its script, and all that is known of it."""

from __future__ import annotations

import platform
import shlex
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from bgrun.errors import UnknownNameError, UsageError
from bgrun.jobfile import env_names, matrix, problem_matchers
from bgrun.jobfile.label import check_label
from bgrun.jobfile.params import bind
from bgrun.jobfile.specs import DEFAULT_SHELL, Settings
from bgrun.model import RenderedJob
from bgrun.render import command as ad_hoc
from bgrun.render import environment
from bgrun.templating import quoting, template
from bgrun.templating.shell_check import check_syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.model import Concurrency, Hook, Scalar
    from bgrun.templating.inputs import RenderInputs

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def render_job(
    job_file: JobFile,
    name: str,
    given: Sequence[str],
    extra: Sequence[str],
    world: RenderInputs,
    combination: Mapping[str, Scalar] | None = None,
) -> RenderedJob:
    """Return a declared job, ready to launch.

    Args:
        job_file: where it is declared.
        name: which job.
        given: its parameters as on the command line: KEY=VALUE, or plain in declared order.
        extra: words that are appended to its command.
        world: what is around the job file; templates know its variables as `env`.
        combination: the values of its matrix, which templates know as `matrix`.

    Raises:
        UsageError: the name, a parameter, a template, the folder or an env file is wrong.
    """
    job = find_job(job_file, name)
    params = bind(job, given)
    values: dict[str, Any] = {"env": world.env, "job": name, **_matrix(combination), **params}
    label = _label(job, values, combination)
    rendered = _rendered(job.settings, job_file.root, values, f"{name}: ", world)
    try:
        command, shown = _command(job, values, extra, rendered.env_words)
    except UsageError as error:
        # What a shell says of a command that it cannot read has words of it.
        raise UsageError(ad_hoc.hidden(rendered.secrets, error.message), error.hint) from None
    made = _finish(rendered, check_label(label), command, shown, job)._replace(
        params=tuple((key, matrix.as_text(value)) for key, value in {**(combination or {}), **params}.items()),
        shell=job.settings.shell if isinstance(job.command, str) else "",
        # Each POSIX shell does the same with the job script, but for one that runs a program by its own words: that
        # may be a script without a first line that says what runs it, of which each shell takes itself to be meant.
        any_shell=isinstance(job.command, str),
        progress=job.progress,
        problems=tuple(one for named in job.problems for one in problem_matchers.resolve(job_file.root, named, world)),
        junit=template.render(job.junit, values, f"{name}: reports.junit") if job.junit else "",
    )
    _keep_secrets_out(made)
    return made


def _label(job: JobSpec, values: Mapping[str, Any], combination: Mapping[str, Scalar] | None) -> str:
    """Return the label: the declared one, and behind one that tells no combinations apart the values."""
    base = template.render(job.label, values, f"{job.name}: label") if job.label else job.name
    if combination is None or "matrix" in job.label:
        return base
    return matrix.label(base, dict(combination))


def _matrix(combination: Mapping[str, Scalar] | None) -> dict[str, Any]:
    return {} if combination is None else {"matrix": combination}


def ruled_out(
    job: JobSpec, given: Sequence[str], world: RenderInputs, combination: Mapping[str, Scalar] | None = None
) -> str:
    """Return why a job is not to run, by its `if`, or ''.

    Raises:
        UsageError: a parameter is wrong, or the expression uses what is not there.
    """
    if not job.condition:
        return ""
    values = {"env": world.env, "job": job.name, "os": system(), **_matrix(combination), **bind(job, given)}
    holds = template.evaluate(job.condition, values, f"{job.name}: if")
    return "" if holds else f"its condition is false: {job.condition}"


def system() -> dict[str, str]:
    """Return what an `if` knows as `os`: `name` is `linux` or `darwin`, `arch` as uname(1) has it."""
    return {"name": platform.system().lower(), "arch": platform.machine()}


def render_ruled_out(job: JobSpec, combination: Mapping[str, Scalar] | None = None) -> RenderedJob:
    """Return a stand-in for a job that is not to run, whose templates may make no sense here."""
    script = f"#!/usr/bin/env bash\necho {shlex.quote(f'{job.name} was not to run')} >&2\nexit 1\n"
    shown = job.command if isinstance(job.command, str) else shlex.join(job.command)
    label = job.name if combination is None else matrix.label(job.name, dict(combination))
    return RenderedJob(label, script, shown, "", "", job=job.name, tags=job.tags, retention=job.settings.retention)


def find_job(job_file: JobFile, name: str) -> JobSpec:
    """Return a declared job.

    Raises:
        UnknownNameError: there is none of this name.
    """
    job = job_file.jobs.get(name)
    if job is None:
        hint = f"{name} is a group: bgrun group {name}" if name in job_file.groups else "bgrun jobs lists them"
        raise UnknownNameError("job", name, job_file.jobs, hint)
    return job


def render_command(
    label: str,
    argv: Sequence[str],
    *,
    working_dir: Path,
    root: Path,
    job_file: JobFile | None,
    world: RenderInputs,
) -> RenderedJob:
    """Return a command that is declared nowhere, ready to launch; a job file's `defaults` hold for it.

    Raises:
        UsageError: the label is none, or an env file of the defaults cannot be read.
    """
    blank = render_blank(working_dir=working_dir, root=root, job_file=job_file, world=world)
    return ad_hoc.fill(blank, label, argv)


def render_blank(*, working_dir: Path, root: Path, job_file: JobFile | None, world: RenderInputs) -> RenderedJob:
    """Return the job of any command that is declared nowhere, with holes where its words are to stand.

    Raises:
        UsageError: an env file of the defaults cannot be read.
    """
    settings = job_file.defaults if job_file else Settings()
    rendered = _rendered(settings, root, {"env": world.env, "job": ""}, "defaults: ", world, working_dir)
    words = f"exec {rendered.env_words}{ad_hoc.OPERANDS}" if rendered.env_words else ad_hoc.WORDS
    return _finish(rendered, ad_hoc.LABEL, _subshell(words, settings), ad_hoc.SHOWN, None)


class _Surroundings(NamedTuple):
    """What a job runs in: folder, virtual environment, exported variables, and those that stay out of the script.

    `hooks` are those of the settings, their commands filled in. `env_words` are the words of an env(1), with a blank
    behind them, that gives the command what a shell would not hand on; empty without any.
    """

    working_dir: Path
    venv: str
    exports: Mapping[str, str]
    env_words: str
    secrets: Mapping[str, str]
    settings: Settings
    hooks: tuple[Hook, ...]
    concurrency: Concurrency | None


def _rendered(
    settings: Settings,
    root: Path,
    values: Mapping[str, Any],
    where: str,
    world: RenderInputs,
    folder: Path | None = None,
) -> _Surroundings:
    folder = folder or root / template.render(settings.working_dir, values, f"{where}working_dir")
    if not world.is_dir(folder):
        hint = f"make it, or mend working_dir, which is relative to {root}"
        raise UsageError(f"{where}working_dir {folder} is not a folder", hint)
    files = environment.read_env_files(root, settings.env_file, world)
    own = {
        key: template.render(value, values, f"{where}env.{key}") if isinstance(value, str) else matrix.as_text(value)
        for key, value in settings.env.items()
    }
    venv = environment.find_venv(settings.venv, folder, root, world)
    exports = {**environment.CONSTANTS, **files, **own}
    secrets = _secrets(settings.secrets, exports, world)
    env_names.check_names(exports, settings.secrets, f"{where}env.")
    plain = {name: value for name, value in exports.items() if name not in secrets}
    of_a_shell = [f"{name}={shlex.quote(plain.pop(name))} " for name in exports if env_names.is_of_a_shell(name)]
    env_words = f"env -- {''.join(of_a_shell)}" if of_a_shell else ""
    hooks = tuple(_hook(hook, values, where) for hook in settings.hooks)
    share = settings.concurrency and _concurrency(settings.concurrency, values, where)
    return _Surroundings(Path(world.real(folder)), venv, plain, env_words, secrets, settings, hooks, share)


def _secrets(names: Sequence[str], exports: Mapping[str, str], world: RenderInputs) -> dict[str, str]:
    """Return the values of the secrets that are set. They are to be kept nowhere, so this is no sight to be told."""
    world.repeats = world.repeats and not names
    values = {name: exports.get(name, world.env.get(name)) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _concurrency(wanted: Concurrency, values: Mapping[str, Any], where: str) -> Concurrency:
    key = f"{where}concurrency.group"
    name = template.render(wanted.group or values["job"] or "ad-hoc", values, key)
    return wanted._replace(group=check_label(name, key))


def _hook(hook: Hook, values: Mapping[str, Any], where: str) -> Hook:
    key = f"{where}on_{hook.when}"
    command = template.render_shell(hook.command, values, key)
    if command:
        check_syntax(command, ("bash",), key)
    return hook._replace(command=command)


def _finish(around: _Surroundings, label: str, command: str, shown: str, job: JobSpec | None) -> RenderedJob:
    script, settings = _templates().get_template("job.sh.j2"), around.settings
    text = script.render(
        label=label,
        comments=_comments(shown, job),
        working_dir=shlex.quote(str(around.working_dir)),
        venv=shlex.quote(around.venv) if around.venv else "",
        exports=[(key, shlex.quote(value)) for key, value in around.exports.items()],
        command=command,
        holds_slot=bool(settings.concurrency),
        pauses=[f"{pause:g}" for pause in settings.retry.pauses_s],
        retry_codes=settings.retry.exit_codes,
        success_codes=settings.limits.success_exit_codes,
    )
    made = RenderedJob(
        label=label,
        script=text,
        cmd=shown,
        shell="",
        working_dir=str(around.working_dir),
        venv=around.venv,
        job=job.name if job else "",
        tags=settings.tags,
        limits=settings.limits,
        inhibit_sleep=settings.inhibit_sleep,
        retention=settings.retention,
        secrets=tuple(around.secrets.items()),
        hooks=around.hooks,
        timeout_share=settings.timeout_share,
        concurrency=around.concurrency,
    )
    _keep_secrets_out(made)
    return made


def _keep_secrets_out(job: RenderedJob) -> None:
    """Refuse a job whose script or meta would hold the value of one of its secrets."""
    words = [job.script, job.cmd, job.label, job.working_dir, job.venv, job.junit, *job.tags]
    words += [word for pair in job.params for word in pair]
    words += [hook.command for hook in job.hooks]
    words += [job.concurrency.group] if job.concurrency else []
    ad_hoc.keep_out(dict(job.secrets), *words)


def _comments(shown: str, job: JobSpec | None) -> list[str]:
    if job is None:
        return [shown]
    told = f"Job: {job.name}" + (f" - {job.description}" if job.description else "")
    return [ad_hoc.comment(line) for line in (told, f"Command: {shown}")]


def _command(job: JobSpec, values: Mapping[str, Any], extra: Sequence[str], env_words: str) -> tuple[str, str]:
    """Return the line of the script that runs the command, and the command as a person would type it."""
    where = f"{job.name}: command"
    if not isinstance(job.command, str):
        argv = [template.render(word, values, where) for word in job.command] + list(extra)
        words = f"exec {env_words}{ad_hoc.env_words(argv)}" if env_words else ad_hoc.exec_words(argv)
        return _subshell(words, job.settings), ad_hoc.join(argv)
    shell = _shell_words(job)
    posix = Path(shell[0]).name in quoting.POSIX_SHELLS
    text = (template.render_shell if posix else template.render_raw)(job.command, values, where)
    text = " ".join([text.rstrip(), *map(shlex.quote, extra)])
    if posix:
        check_syntax(text, shell, where)
    return f"{env_words}{shlex.join([*shell, '-c', text])} {_redirections(job.settings)}", text


def _shell_words(job: JobSpec) -> list[str]:
    try:
        words = shlex.split(job.settings.shell)
    except ValueError as error:
        raise UsageError(f"{job.name}: shell {job.settings.shell!r}: {error}") from error
    return words or shlex.split(DEFAULT_SHELL)


def _subshell(words: str, settings: Settings) -> str:
    """A subshell that becomes the program."""
    return f"( {words} {_redirections(settings)} )"


def _redirections(settings: Settings) -> str:
    """Give the command its stderr, and nothing that the job script keeps open for itself."""
    return "2>&3 3>&- 9>&-" if settings.concurrency else "2>&3 3>&-"


@cache
def _templates() -> jinja2.Environment:
    # Shell text, into which only what is quoted for the shell goes: HTML escaping would break it.
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    return jinja2.Environment(  # noqa: S701
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
