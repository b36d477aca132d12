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

LABEL, SHOWN, WORDS = "\0l\0", "\0s\0", "\0w\0"
"""What stands in a blank for the label, the comment on the command, and its words: nothing has a NUL."""
_MOST_SHOWN = 200
_NEEDS_NO_QUOTES = str.maketrans("", "", "@%+=:,./-_")


def fill(blank: RenderedJob, label: str, argv: Sequence[str]) -> RenderedJob:
    """Return the job of a command, from the blank for the folder that it is to run in.

    Raises:
        UsageError: the label is none, or the command holds the value of a secret.
    """
    shown = join(argv)
    script = blank.script
    for hole, text in ((LABEL, check_label(label)), (SHOWN, comment(f"Command: {shown}")), (WORDS, exec_words(argv))):
        script = script.replace(hole, text)
    keep_out(dict(blank.secrets), script)
    return blank._replace(label=label, script=script, cmd=shown)


def exec_words(argv: Sequence[str]) -> str:
    """Return what stands behind `exec`: not every shell knows `exec --`, as env(1) does everywhere."""
    return f"env -- {join(argv)}" if argv[0].startswith("-") else join(argv)


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
    return "'" + word.replace("'", "'\"'\"'") + "'"
