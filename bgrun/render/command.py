"""A command that is declared nowhere: its words put into the blank of a job; pure, and light.

Rendering a job script takes ten times as long as all else in a start. For a command of no job it gives the
same text but for a few words, so that the blank is kept, and filled in without a template engine.
"""

from __future__ import annotations

from bgrun.errors import UsageError
from bgrun.jobfile.label import check_label

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
    keep_out(dict(blank.secrets), script, label, shown)
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


def keep_out(secrets: Mapping[str, str], *texts: str) -> None:
    """Refuse a command that would carry a secret into the files of its run, or a secret that cannot be masked.

    However a value is quoted in the texts that go into the files, it is found: neither side keeps its quotes.

    Raises:
        UsageError: one of the texts has a secret in it, or one is so short that it stands in any text.
    """
    if not secrets:
        return
    text = "\n".join(texts)
    bare = text.translate(_QUOTES)
    for name, value in secrets.items():
        if value and not any(len(line) >= _SHORTEST for line in _lines(value)):
            told = f"the value of the secret {name} is too short to be masked: it has fewer than {_SHORTEST} characters"
            raise UsageError(told, f"give it a longer value, or take {name} out of `secrets`")
        if any(one in text or _is_in(one.translate(_QUOTES), bare) for one in _telling(value)):
            hint = f'write "${name}" in the command: the job has it in its environment'
            raise UsageError(f"the value of the secret {name} would stand in the job script", hint)


def hidden(secrets: Mapping[str, str], text: str) -> str:
    """Return a message with the values of these secrets, and their words, replaced by `***`."""
    found = [part for value in secrets.values() for line in _lines(value) for part in (line, *line.split())]
    for part in sorted(found, key=len, reverse=True):
        text = text.replace(part, "***") if len(part) >= _SHORTEST else text
    return text


_QUOTES = str.maketrans("", "", "'\"\\")
_SHORTEST, _LONG = 4, 8
"""Of how many characters a secret is at least, and a line of one that gives all of it away."""


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines()]


def _telling(value: str) -> list[str]:
    """Return the texts that give a secret away: all of it, and of one of many lines each that is long."""
    return [value, *(line for line in _lines(value) if len(line) >= _LONG)] if value else []


def _is_in(bare: str, text: str) -> bool:
    return len(bare) >= _SHORTEST and bare in text


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
