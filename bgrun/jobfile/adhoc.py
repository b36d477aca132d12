"""A command that is declared nowhere: its words put into the blank of a job; pure, and light.

Rendering a job script takes ten times as long as all else in a start. For a command of no job it gives the
same text but for a few words, so that the blank is kept, and filled in without a template engine.
"""

from __future__ import annotations

from bgrun.errors import UsageError
from bgrun.jobfile.labels import check_label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bgrun.model import RenderedJob

LABEL, SHOWN, WORDS, OPERANDS = "\0l\0", "\0s\0", "\0w\0", "\0o\0"
"""What stands in a blank for the label, the comment on the command, and its words: nothing has a NUL.

There are either WORDS, which are a command of the shell, or OPERANDS, which are operands of env(1).
"""
_MOST_SHOWN = 200
_NEEDS_NO_QUOTES = str.maketrans("", "", "@%+=:,./-_")


def fill(blank: RenderedJob, label: str, argv: Sequence[str]) -> RenderedJob:
    """Return the job of a command, from the blank for the folder that it is to run in.

    Raises:
        UsageError: the label is none, or the command holds the value of a secret.
    """
    shown = join(argv)
    script = blank.script
    words = (OPERANDS, env_words(argv)) if OPERANDS in script else (WORDS, exec_words(argv))
    for hole, text in ((LABEL, check_label(label)), (SHOWN, comment(f"Command: {shown}")), words):
        script = script.replace(hole, text)
    keep_out(dict(blank.secrets), script)
    return blank._replace(label=label, script=script, cmd=shown)


def exec_words(argv: Sequence[str]) -> str:
    """Return the command of a subshell that becomes the program of an argv, with just these words.

    `exec` keeps builtins and functions out. A path needs none of that, and bash's `exec` would expand a
    `~` in front of it, and give the program another name than it was called by ($0). Quotes keep a path
    from being an assignment. No builtin begins with a dash, and not every shell knows `exec --`.
    """
    if "/" in argv[0]:
        return " ".join([_in_quotes(argv[0]) if "=" in argv[0] else _quoted(argv[0]), *map(_quoted, argv[1:])])
    return f"command -- {join(argv)}" if argv[0].startswith("-") else f"exec {join(argv)}"


def env_words(argv: Sequence[str]) -> str:
    """Return the words of an argv as operands of env(1), behind assignments.

    Raises:
        UsageError: env(1) would take the name of the program for an assignment.
    """
    if "=" in argv[0]:
        told = f"{argv[0]!r} has a `=` in its name, so that it cannot be run with variables that a shell sets itself"
        raise UsageError(told, "set the variable in a script, and run that")
    return join(argv)


def comment(line: str) -> str:
    """Return a text as one line that is not too long."""
    if not line.isprintable():
        import re

        line = re.sub(r"[\x00-\x1f\x7f]+", " ", line)
    return line[:_MOST_SHOWN]


def keep_out(secrets: Mapping[str, str], text: str) -> None:
    """Refuse a command that would carry a secret into the files of its run.

    Raises:
        UsageError: it does.
    """
    for name, value in secrets.items():
        if len(value) > 3 and value in text:
            hint = f'write "${name}" in the command: the job has it in its environment'
            raise UsageError(f"the value of the secret {name} would stand in the job script", hint)


def join(argv: Iterable[str]) -> str:
    """Return the words as a shell takes them, as shlex.join() does, whose import takes longer than a look at a run."""
    return " ".join(map(_quoted, argv))


def _quoted(word: str) -> str:
    plain = word.translate(_NEEDS_NO_QUOTES)
    if word and word.isascii() and (not plain or plain.isalnum()):
        return word
    return _in_quotes(word)


def _in_quotes(word: str) -> str:
    return "'" + word.replace("'", "'\"'\"'") + "'"
