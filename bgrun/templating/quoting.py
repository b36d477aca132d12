"""A value in a command can't become code: each is made inert for the place it stands in; pure.

Where a value goes, the rendered text holds a hole. What a hole stands in is told by `shell_lexer`.
Where no quoting is safe (in a here-document, in backquotes, in `${…}`, in arithmetic, in a comment,
behind text that shells read in different ways) the template is refused.
"""

from __future__ import annotations

import re
import shlex

from bgrun.errors import UsageError
from bgrun.templating.shell_lexer import find_holes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.templating.shell_lexer import Placeholder

POSIX_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh", "busybox")
# Between single quotes nothing means anything, whatever the locale: in that of GBK a backslash may be half a character.
# bash 3.2 expands the `{a,b}` of a word before it reads the `$(…)` in it, and takes each `"` for the end or the
# beginning of a quote, unless a backslash is before it: one in a value must not turn that around.
_ESCAPED = str.maketrans({"'": r"'\''", '"': r"""'\"'"""})
_MEANS_MORE = re.compile(r"""[\\"$`'{]""")
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


def _refuse(text: str, one: Placeholder) -> None:
    if one.refusal:
        line = text.count("\n", 0, one.start) + 1
        told = f"line {line} of the command has a {{{{ value }}}} {one.refusal}, where it could become code"
        raise UsageError(told, _MEND)


def _inert(value: str, text: str, one: Placeholder) -> str:
    quoted = value.translate(_ESCAPED)
    if one.quote == "'":
        return quoted
    if one.quote == '"':
        return f"\"'{quoted}'\"" if _MEANS_MORE.search(value) else value
    is_plain = shlex.quote(value) == value and _stands_alone(value, text, one)
    return value if is_plain else f"'{quoted}'"


def _stands_alone(value: str, text: str, one: Placeholder) -> bool:
    """Whether a plain word means nothing more here: `2` before `>` is a descriptor, `a=b` an assignment."""
    before, after = text[one.start - 1 : one.start] or " ", text[one.end : one.end + 1] or " "
    return before in " \t\n=" and after in " \t\n;)" and "=" not in value
