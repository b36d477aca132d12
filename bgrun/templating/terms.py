"""Name what goes into a template, what is said of one, and what may come of it. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bgrun.errors import UsageError
from bgrun.templating import quoting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CHARACTERS = 1 << 20
"""The maximum length of a template and of a rendered text: a longer command is a mistake."""


class Words(tuple[str, ...]):
    """Values that are a word each. They come from outside, so that none of them can be `| raw`."""

    __slots__ = ()


class Arguments(Words):
    """The arguments of a start. Like its parameters they can be `| raw`, if the job file says so."""

    __slots__ = ()


class TemplateFault(NamedTuple):
    """An error that is known before a template is rendered.

    line: where it is in the template, from 1.
    undefined: the name of an undefined variable, or '' for any other error.
    hint: the fix of any other error.
    """

    line: int
    message: str
    undefined: str = ""
    hint: str = "fix the template"


class KeyUsed(NamedTuple):
    """A use of `NAME.key.field`, or of `NAME.key` alone, in a template.

    line: where it is in the template, from 1.
    is_optional: whether it may be undefined there: `| default(…)`, `is defined`.
    """

    line: int
    key: str
    field: str = ""
    is_optional: bool = False


def filled(text: str, inserted: Sequence[str], where: str) -> str:
    """Return a shell command with quoted values in the place of placeholders.

    Raises:
        UsageError: as `render_shell`.
    """
    try:
        return bounded(quoting.fill_in(text, inserted), where)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from error


def bounded(rendered: str, where: str) -> str:
    """Return a rendered text.

    Raises:
        UsageError: it is too long, or no argument can hold it.
    """
    if len(rendered) > MOST_CHARACTERS:
        raise UsageError(f"{where}: longer than {MOST_CHARACTERS} characters once rendered", "put the text into a file")
    if "\0" in rendered:
        raise UsageError(f"{where}: contains a NUL, which no argument can hold")
    return rendered
