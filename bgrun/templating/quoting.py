"""Quote each value for its place, so that no value of a command can become code.

The rendered text holds a placeholder for each value; `shell_lexer` says what it stands in. Where no quoting
is safe (in a here-document, in backquotes, in `${…}`, in arithmetic, in a comment, after text that shells
parse differently) the template is refused. Pure.
"""

from __future__ import annotations

import re
import shlex

from bgrun.errors import UsageError
from bgrun.templating.placeholders import OPEN
from bgrun.templating.shell_lexer import find_placeholders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.templating.placeholders import Placeholder

POSIX_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "zsh", "busybox")
# Between single quotes nothing means anything, whatever the locale: in that of GBK a backslash may be half a character.
# bash 3.2 expands the `{a,b}` of a word before it reads the `$(…)` in it, and takes each `"` for the end or the
# beginning of a quote, unless a backslash is before it: one in a value must not turn that around.
_ESCAPED = str.maketrans({"'": r"'\''", '"': r"""'\"'"""})
_SPECIAL_IN_DOUBLE_QUOTES = re.compile(r"""[\\"$`'{]""")
_UNSAFE_HINT = 'pass the value through `env:` and write "$NAME", or mark it `| raw` if it is code'


def fill_in(text: str, values: Sequence[str]) -> str:
    """Return the shell text with each placeholder replaced by its value, quoted for its place.

    Raises:
        UsageError: a value stands in a place where no quoting is safe.
    """
    if OPEN not in text:
        return text  # most commands have no values, and reading them as a shell does takes a while
    placeholders = find_placeholders(text)
    parts, done = [], 0
    for one in placeholders.found:
        _refuse_unsafe(text, one)
        parts += [text[done : one.start], _quoted(values[one.value], text, one)]
        done = one.end
    if placeholders.found and not placeholders.closed:
        raise UsageError("unclosed quote or bracket in a command with values", "close it")
    return "".join([*parts, text[done:]])


def check(text: str) -> None:
    """Refuse a text with a placeholder in an unsafe place.

    Raises:
        UsageError: as `fill_in`.
    """
    for one in find_placeholders(text).found if OPEN in text else ():
        _refuse_unsafe(text, one)


def _refuse_unsafe(text: str, one: Placeholder) -> None:
    if one.refusal:
        line = text.count("\n", 0, one.start) + 1
        raise UsageError(f"line {line} of the command: unsafe {{{{ value }}}} {one.refusal}", _UNSAFE_HINT)


def _quoted(value: str, text: str, one: Placeholder) -> str:
    escaped = value.translate(_ESCAPED)
    if one.quote == "'":
        return escaped
    if one.quote == '"':
        return f"\"'{escaped}'\"" if _SPECIAL_IN_DOUBLE_QUOTES.search(value) else value
    needs_no_quotes = shlex.quote(value) == value and _stands_alone(value, text, one)
    return value if needs_no_quotes else f"'{escaped}'"


def _stands_alone(value: str, text: str, one: Placeholder) -> bool:
    """Return whether a plain word has no other meaning here.

    `2` before `>` is a descriptor, `a=b` an assignment.
    """
    before, after = text[one.start - 1 : one.start] or " ", text[one.end : one.end + 1] or " "
    return before in " \t\n=" and after in " \t\n;)" and "=" not in value
