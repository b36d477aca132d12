"""Render the command of a declared job: a text for its shell, or a program with its arguments."""

from __future__ import annotations

import re
import shlex

from bgrun.errors import UsageError
from bgrun.render import command as ad_hoc
from bgrun.render import script, shell_text
from bgrun.templating import template
from bgrun.templating.shell_check import check_syntax

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from bgrun.jobfile.specs import JobSpec
    from bgrun.render.settings import RenderedSettings

EXTRA = "extra"
"""The variable with the arguments after `--`, in the templates of a command."""
FAILED, FAILED_FILES = "failed", "failed_files"
"""The variables with the IDs of failed tests and with their files, in the templates of a `rerun`."""


def render_command(
    job: JobSpec, values: Mapping[str, Any], extra: Sequence[str], rendered: RenderedSettings
) -> tuple[str, str]:
    """Return the script line that runs the command, and the command as a person types it.

    The arguments in `extra` go where the command uses its variable, or else to the end.

    Raises:
        UsageError: a template is invalid, or an argument would not arrive.
    """
    texts = (job.command,) if isinstance(job.command, str) else job.command
    if EXTRA not in values and any(template.uses(text, EXTRA) for text in texts):
        values, extra = {**values, EXTRA: template.Arguments(extra)}, ()
    try:
        if isinstance(job.command, str):
            return _shell_command(job, job.command, values, extra, rendered.env_words)
        return _argv_command(job, job.command, values, extra, rendered.env_words)
    except UsageError as error:
        # A shell quotes the command that it cannot parse.
        raise UsageError(ad_hoc.hidden(rendered.secrets, error.message), error.hint) from None


def _argv_command(
    job: JobSpec, command: Sequence[str], values: Mapping[str, Any], extra: Sequence[str], env_words: str
) -> tuple[str, str]:
    argv = [one for word in command for one in _words(word, values, _where(job, values))] + list(extra)
    words = f"exec {env_words}{ad_hoc.env_words(argv)}" if env_words else ad_hoc.exec_words(argv)
    return script.run_program(words, job.settings), ad_hoc.join(argv)


def _where(job: JobSpec, values: Mapping[str, Any]) -> str:
    return f"{job.name}: {'rerun' if FAILED in values else 'command'}"


def _words(text: str, values: Mapping[str, Any], where: str) -> Sequence[str]:
    """Return the words for an item of an argv command: several where it is a variable that holds several."""
    named = re.fullmatch(r"\s*\{\{-?\s*(\w+)\s*-?\}\}\s*", text)
    found = values.get(named[1]) if named else None
    return found if isinstance(found, template.Words) else [template.render(text, values, where)]


def _shell_command(
    job: JobSpec, command: str, values: Mapping[str, Any], extra: Sequence[str], env_words: str
) -> tuple[str, str]:
    where = _where(job, values)
    shell = shell_text.words_of(job.settings.shell, job.name)
    posix = shell_text.is_posix(shell)
    text = (template.render_shell if posix else template.render_raw)(command, values, where)
    text = _checked(text, extra, shell, where) if posix else " ".join([text.rstrip(), *map(shlex.quote, extra)])
    return script.run_shell(f"{env_words}{shlex.join([*shell, '-c', text])}", job.settings), text


def _checked(text: str, extra: Sequence[str], shell: Sequence[str], where: str) -> str:
    """Return a text for a POSIX shell with its extra arguments, if the shell can parse it."""
    if not extra:
        check_syntax(text.rstrip(), shell, where)
        return text.rstrip()
    from bgrun.templating import extra_args

    text = extra_args.placed(text, extra, where)
    try:
        check_syntax(text, shell, where)
    except UsageError as error:
        raise UsageError(error.message, extra_args.HINT) from error
    return text
