"""A value in a command can't become code: each is made inert for the place it stands in; pure.

Where a value goes, the rendered text holds a hole. What a hole stands in is told by `shelltext`.
Where no quoting is safe (in a here-document, in backquotes, in `${…}`, in arithmetic, in a comment,
behind text that shells read in different ways) the template is refused.
"""

from __future__ import annotations

import re
import shlex

from bgrun.errors import UsageError
from bgrun.jobfile.shelltext import find_holes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.jobfile.shelltext import Hole

POSIX_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh", "busybox")
_MEND = 'pass the value through `env:` and write "$NAME", or say `| raw` if it is meant to be code'


def fill_in(text: str, values: Sequence[str]) -> str:
    """Return the shell text with each hole filled with its value, inert in its place.

    Raises:
        UsageError: a value stands where nothing makes it inert.
    """
    holes = find_holes(text)
    parts, done = [], 0
    for one in holes.found:
        _refuse(text, one)
        parts += [text[done : one.start], _inert(values[one.value], text, one)]
        done = one.end
    if holes.found and not holes.closed:
        raise UsageError("a quote or a bracket of the command is not closed, so no value can be put into it")
    return "".join([*parts, text[done:]])


def check(text: str) -> None:
    """Raise what `fill_in` would raise for a place that no value may stand in."""
    for one in find_holes(text).found:
        _refuse(text, one)


def _refuse(text: str, one: Hole) -> None:
    if one.refusal:
        line = text.count("\n", 0, one.start) + 1
        told = f"line {line} of the command has a {{{{ value }}}} {one.refusal}, where it could become code"
        raise UsageError(told, _MEND)


def _inert(value: str, text: str, one: Hole) -> str:
    if one.quote == "'":
        return value.replace("'", "'\\''")
    if one.quote == '"':
        return re.sub(r'([\\"$`])', r"\\\1", value)
    quoted = shlex.quote(value)
    return quoted if quoted != value or _stands_alone(value, text, one) else f"'{value}'"


def _stands_alone(value: str, text: str, one: Hole) -> bool:
    """Whether a plain word means nothing more here: `2` before `>` is a descriptor, `a=b` an assignment."""
    before, after = text[one.start - 1 : one.start] or " ", text[one.end : one.end + 1] or " "
    return before in " \t\n=" and after in " \t\n;)" and "=" not in value
