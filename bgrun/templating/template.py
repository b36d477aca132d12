"""Filling in templates: Jinja in its sandbox, where an undefined name is an error, never an empty text."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from jinja2 import meta, nodes

from bgrun.errors import UsageError
from bgrun.templating import limits, quoting, shell_lexer
from bgrun.templating.inputs import Variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CHARACTERS = limits.MOST_SIZE
"""A rendered text is at most this long: a command longer than this is a mistake."""


_SIMPLER = "write it into a script, and let the command run that"
_FAULTS = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    AttributeError,
    AssertionError,
    MemoryError,
    SyntaxError,  # Python's own, of what Jinja makes of something that is nested too deeply
)


class _Undefined(jinja2.StrictUndefined):
    """A value that is not there, told in the words of a job file."""

    @property
    def _undefined_message(self) -> str:
        """The message of the error that any use of it raises."""
        name, owner = self._undefined_name, self._undefined_obj
        if isinstance(owner, Variables):
            return f"the variable {name} is not set"
        if isinstance(owner, dict):
            return f"there is no {name!r} here; there is {', '.join(map(repr, owner)) or 'nothing'}"
        return super()._undefined_message


class _Raw(str):
    """A value that is meant to be shell text."""

    __slots__ = ()


def _text(value: object) -> str:
    limits.check_size(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def _plain() -> jinja2.Environment:
    """Values go in as they are: for names, paths, variables and the words of an argv."""
    return _environment(_text)


def _environment(finalize: Any) -> jinja2.Environment:
    environment = limits.BoundedEnvironment(
        undefined=_Undefined, finalize=finalize, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["raw"] = lambda value: _Raw(_text(value))
    return environment


def render(text: str, values: Mapping[str, Any], where: str) -> str:
    """Return a template with its values filled in as they are.

    Raises:
        UsageError: the template is broken or uses a value that is not there; `where` is named in it.
    """
    return _render(_plain(), text, values, where)


def render_shell(text: str, values: Mapping[str, Any], where: str) -> str:
    """Return a template of a shell command, each value in it made inert unless it is `| raw`.

    Raises:
        UsageError: as `render`, and where a value stands in a place where nothing makes it inert.
    """
    put: list[str] = []

    def finalize(value: object) -> str:
        if isinstance(value, _Raw):
            return value
        shown = _text(value)
        put.append(shown)
        return shell_lexer.hole(len(put) - 1)

    with_holes = _render(_environment(_delayed(finalize)), text, values, where)
    try:
        return _bounded(quoting.fill_in(with_holes, put), where)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from error


def render_raw(text: str, values: Mapping[str, Any], where: str) -> str:
    """Return a template of a command for a shell whose quoting is not known: each value has to be `| raw`.

    Raises:
        UsageError: as `render`, and for a value that is not `| raw`.
    """

    def finalize(value: object) -> str:
        if isinstance(value, _Raw):
            return value
        hint = "write {{ value | raw }} and quote it yourself, or pass it through `env:`"
        raise UsageError(f"{where}: bgrun cannot quote a value for this shell", hint)

    return _render(_environment(_delayed(finalize)), text, values, where)


def _delayed(finalize: Any) -> Any:
    """Keep Jinja from calling `finalize` on constants while it compiles: it must see each value once."""

    @jinja2.pass_context
    def late(_: jinja2.runtime.Context, value: object) -> str:
        if isinstance(value, jinja2.Undefined):
            str(value)  # StrictUndefined raises here, naming what is undefined
        return str(finalize(value))

    return late


def _render(environment: jinja2.Environment, text: str, values: Mapping[str, Any], where: str) -> str:
    if shell_lexer.OPEN in text or shell_lexer.CLOSE in text:
        raise UsageError(f"{where}: it holds the private characters U+E0F0 or U+E0F1")
    _check_tags(text, where)
    try:
        with limits.limited():
            rendered = environment.from_string(text).render(values)
    except limits.TooMuchError as error:
        raise UsageError(f"{where}: the template costs too much: {error}", _SIMPLER) from error
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"{where}: line {error.lineno} of the template: {error.message}") from error
    except jinja2.UndefinedError as error:
        known = ", ".join(name for name in values if name not in ("env", "job", "matrix")) or "none"
        raise UsageError(f"{where}: {error.message}", _hint(error) or f"declared parameters: {known}") from error
    except _FAULTS as error:
        raise UsageError(f"{where}: {type(error).__name__}: {error}") from error
    return _bounded(rendered, where)


def evaluate(expression: str, values: Mapping[str, Any], where: str) -> bool:
    """Return whether an expression holds.

    Raises:
        UsageError: it is broken or uses a value that is not there; `where` is named in it.
    """
    _check_tags(expression, where)
    try:
        with limits.limited():
            return bool(_plain().compile_expression(expression, undefined_to_none=False)(**values))
    except limits.TooMuchError as error:
        raise UsageError(f"{where}: the expression costs too much: {error}", _SIMPLER) from error
    except jinja2.UndefinedError as error:
        raise UsageError(f"{where}: {error.message}", _hint(error)) from error
    except _FAULTS as error:
        raise UsageError(f"{where}: {type(error).__name__}: {error}") from error


def _check_tags(text: str, where: str) -> None:
    if len(text) > MOST_CHARACTERS or _tags(text) > limits.MOST_TAGS:
        told = f"{where}: a template has at most {MOST_CHARACTERS} characters and {limits.MOST_TAGS} places to fill in"
        raise UsageError(told, "put the text into a file")


def _tags(text: str) -> int:
    return text.count("{{") + text.count("{%")


def _hint(error: jinja2.UndefinedError) -> str:
    message = error.message or ""
    if message.startswith("the variable "):
        return "one that may be missing: env.get('NAME', 'default'), or `env.NAME is defined` in an `if`"
    return "mend the name" if message.startswith("there is no ") else ""


def _bounded(rendered: str, where: str) -> str:
    if len(rendered) > MOST_CHARACTERS:
        raise UsageError(f"{where}: longer than {MOST_CHARACTERS} characters once it is rendered")
    if "\0" in rendered:
        raise UsageError(f"{where}: it holds a NUL, which no argument can")
    return rendered


def with_placeholders(text: str) -> str:
    """Return a template's text with a placeholder for each value that is not `| raw`; pure."""
    outputs = (part for part in _plain().parse(text).body if isinstance(part, nodes.Output))
    parts = (node for part in outputs for node in part.nodes)
    return "".join(node.data if isinstance(node, nodes.TemplateData) else _stand_in(node) for node in parts)


def _stand_in(node: nodes.Expr) -> str:
    is_raw = isinstance(node, nodes.Filter) and node.name == "raw"
    return "" if is_raw else shell_lexer.hole(0)


def faults(text: str, known: set[str]) -> list[tuple[int, str]]:
    """Return what can be told to be wrong with a template before it is rendered: line in it and message."""
    if _tags(text) > limits.MOST_TAGS:
        return [(1, f"a template has at most {limits.MOST_TAGS} places to fill in")]
    try:
        tree = _plain().parse(text)
    except jinja2.TemplateSyntaxError as error:
        return [(error.lineno, f"broken template: {error.message}")]
    except RecursionError:
        return [(1, "broken template: nested too deeply")]
    unknown = meta.find_undeclared_variables(tree) - known
    return [(_line_of(tree, name), f"the template uses {name!r}, which is not declared") for name in sorted(unknown)]


def _line_of(tree: nodes.Template, name: str) -> int:
    return next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), 1)
