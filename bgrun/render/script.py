"""Render the job script from its Jinja template."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

import jinja2

from bgrun.render import command as ad_hoc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.jobfile.specs import JobSpec, Settings
    from bgrun.render.settings import RenderedSettings

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def job_script(rendered: RenderedSettings, label: str, command: str, comments: Sequence[str]) -> str:
    """Return the text of a job script that runs a command with rendered settings."""
    settings = rendered.settings
    return (
        _templates()
        .get_template("job.sh.j2")
        .render(
            label=label,
            comments=comments,
            working_dir=shlex.quote(str(rendered.working_dir)),
            venv=shlex.quote(rendered.venv) if rendered.venv else "",
            exports=[(key, shlex.quote(value)) for key, value in rendered.exports.items()],
            unset=rendered.unset,
            command=command,
            holds_slot=bool(settings.concurrency),
            pauses=[f"{pause:g}" for pause in settings.retry.pauses_s],
            retry_codes=settings.retry.exit_codes,
            success_codes=settings.limits.success_exit_codes,
        )
    )


def check_script(rendered: RenderedSettings, command: str) -> str:
    """Return a bash text that runs a command where, and with the environment that, the job's own command has."""
    return (
        _templates()
        .get_template("check.sh.j2")
        .render(
            working_dir=shlex.quote(str(rendered.working_dir)),
            venv=shlex.quote(rendered.venv) if rendered.venv else "",
            exports=[(key, shlex.quote(value)) for key, value in rendered.exports.items()],
            unset=rendered.unset,
            command=command,
        )
    )


def comments(job: JobSpec, shown: str) -> list[str]:
    """Return the comment lines on a declared job: its name, its description and its command."""
    title = f"Job: {job.name}" + (f" - {job.description}" if job.description else "")
    return [ad_hoc.comment(line) for line in (title, f"Command: {shown}")]


def run_program(words: str, settings: Settings) -> str:
    """Return the line of the script that runs a program: a subshell that becomes it."""
    return f"( {words} {_redirections(settings)} )"


def run_shell(words: str, settings: Settings) -> str:
    """Return the line of the script that runs a shell."""
    return f"{words} {_redirections(settings)}"


def _redirections(settings: Settings) -> str:
    """Return redirections that give the command its stderr and no descriptor of the script."""
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
