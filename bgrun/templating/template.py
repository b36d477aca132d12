"""Render templates: text here, all else with Jinja, which takes longer to import than most plans take to render.

An undefined name is an error, and nothing that a template asks for may exceed the limits.
"""

from __future__ import annotations

from typing import Any

from bgrun.errors import UsageError
from bgrun.templating import placeholders, shell_syntax
from bgrun.templating.terms import bounded, filled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgrun.templating.terms import KeyUsed, TemplateFault


def render(text: str, values: Mapping[str, Any], where: str) -> str:
    """Render a template, inserting values as they are.

    Raises:
        UsageError: the template is invalid or uses an undefined value; the message begins with `where`.
    """
    if _is_result(text, where):
        return bounded(text, where)
    from bgrun.templating import jinja

    return jinja.render(text, values, where)


def render_shell(text: str, values: Mapping[str, Any], where: str) -> str:
    """Render the template of a shell command, quoting each value unless it is `| raw`.

    If some values are `Words` (`Arguments` aside), only values that are given as they are can be `| raw`: nothing made
    of words is code.

    Raises:
        UsageError: as `render`, and for a value in a place where no quoting is safe.
    """
    if _is_result(text, where):
        return filled(bounded(text, where), (), where)
    from bgrun.templating import jinja

    return jinja.render_shell(text, values, where)


def render_raw(text: str, values: Mapping[str, Any], where: str) -> str:
    """Render the command of a shell with unknown quoting: each value must be `| raw`.

    Raises:
        UsageError: as `render`, and for a value that is not `| raw`.
    """
    if _is_result(text, where):
        return bounded(text, where)
    from bgrun.templating import jinja

    return jinja.render_raw(text, values, where)


def evaluate(expression: str, values: Mapping[str, Any], where: str) -> bool:
    """Return whether an expression is true.

    Raises:
        UsageError: it is invalid or uses an undefined value; the message begins with `where`.
    """
    from bgrun.templating import jinja

    return jinja.evaluate(expression, values, where)


def with_placeholders(text: str) -> str:
    """Return the text of a template with a placeholder for each value that is not `| raw`."""
    if _is_literal(text):
        return text
    from bgrun.templating import jinja

    return jinja.with_placeholders(text)


def faults(text: str, known: set[str]) -> list[TemplateFault]:
    """Return the errors that are known before rendering; `known` names may be used."""
    if _is_literal(text):
        return []
    from bgrun.templating import jinja

    return jinja.faults(text, known)


def uses(text: str, name: str) -> bool:
    """Return whether a template uses a variable; an invalid one uses none."""
    if name not in text or _is_literal(text):
        return False
    from bgrun.templating import jinja

    return jinja.uses(text, name)


def keys_used(text: str, name: str) -> list[KeyUsed]:
    """Return which keys of a variable a template uses, as far as they are written in it.

    An invalid template uses none, nor does one with a variable of its own of this name.
    """
    if name not in text or _is_literal(text):
        return []
    from bgrun.templating import jinja

    return jinja.keys_used(text, name)


def _is_literal(text: str) -> bool:
    """Return whether a template is text that Jinja would return as it is."""
    return shell_syntax.is_plain(text) and placeholders.OPEN not in text and placeholders.CLOSE not in text


def _is_result(text: str, where: str) -> bool:
    """Return whether a template is its own result; refuse one with a character that values are marked with."""
    if placeholders.OPEN in text or placeholders.CLOSE in text:
        raise UsageError(f"{where}: contains a private-use character, U+E0F0 or U+E0F1", "remove it")
    return shell_syntax.is_plain(text)
