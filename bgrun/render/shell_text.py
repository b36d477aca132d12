"""Shell text as an argv: what a declared `command:` and `bgrun run` have in common."""

from __future__ import annotations

import shlex
from pathlib import Path

from bgrun.errors import UsageError
from bgrun.jobfile.specs import DEFAULT_SHELL
from bgrun.templating import quoting
from bgrun.templating.shell_check import check_syntax


def argv(text: str, shell: str) -> tuple[str, ...]:
    """Return the argv of a shell that runs a text.

    Raises:
        UsageError: the shell cannot parse it.
    """
    words = words_of(shell, "defaults")
    if is_posix(words):
        check_syntax(text, words, "command")
    return (*words, "-c", text)


def words_of(shell: str, where: str) -> list[str]:
    """Return the words of `shell:`, or of the default shell if there are none.

    Raises:
        UsageError: a quote is not closed; the message begins with `where`.
    """
    try:
        words = shlex.split(shell)
    except ValueError as error:
        raise UsageError(f"{where}: invalid shell {shell!r}: {str(error).lower()}", "close the quote") from error
    return words or shlex.split(DEFAULT_SHELL)


def is_posix(words: list[str]) -> bool:
    """Return whether a shell reads POSIX shell syntax."""
    return Path(words[0]).name in quoting.POSIX_SHELLS
