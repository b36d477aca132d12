"""Render templates with Jinja in a sandbox, where an undefined name is an error."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, cast

import jinja2
from jinja2 import meta, nodes
from jinja2.utils import missing

from bgrun.errors import UsageError
from bgrun.model import as_text
from bgrun.templating import limits, placeholders, quoting, shell_syntax
from bgrun.templating.inputs import Variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_CHARACTERS = limits.MOST_SIZE
"""The maximum length of a template and of a rendered text: a longer command is a mistake."""

_TOO_COSTLY_HINT = "move the logic to a script, and let the command run that"
_JINJA_ERRORS = (
    jinja2.TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    AttributeError,
    AssertionError,
    MemoryError,
    SyntaxError,  # Python's own, for the code that Jinja generates from a template that is nested too deeply
)


class _MissingValueError(jinja2.UndefinedError):
    """A use of a value that does not exist, with a hint."""

    hint = ""


class _UnsetVariableError(_MissingValueError):
    hint = "for an optional variable use env.get('NAME', 'default'), or `env.NAME is defined` in an `if`"


class _UnknownKeyError(_MissingValueError):
    hint = "fix the name"


class _Undefined(jinja2.StrictUndefined):
    """A value that does not exist. Any use of it raises an error in the terms of the job file."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[jinja2.TemplateRuntimeError] = jinja2.UndefinedError,
    ) -> None:
        if exc is jinja2.UndefinedError and isinstance(obj, Variables):
            exc = _UnsetVariableError
        elif exc is jinja2.UndefinedError and isinstance(obj, dict):
            exc = _UnknownKeyError
        super().__init__(hint, obj, name, exc)

    @property
    def _undefined_message(self) -> str:
        """The message of the error that any use raises."""
        name, owner = self._undefined_name, self._undefined_obj
        if self._undefined_exception is _UnsetVariableError:
            return f"environment variable {name} is not set"
        if self._undefined_exception is _UnknownKeyError:
            return f"no {name!r} here, only {', '.join(map(repr, owner)) or 'an empty object'}"
        return super()._undefined_message


class _Raw(str):
    """A value that is shell code on purpose (`| raw`)."""

    __slots__ = ()


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


_OPTIONAL = frozenset(("default", "d", "defined", "undefined"))
"""The filters and tests of Jinja for a value that may be undefined."""


class KeyUsed(NamedTuple):
    """A use of `NAME.key.field`, or of `NAME.key` alone, in a template.

    line: where it is in the template, from 1.
    is_optional: whether it may be undefined there: `| default(…)`, `is defined`.
    """

    line: int
    key: str
    field: str = ""
    is_optional: bool = False


def _checked_text(value: object) -> str:
    limits.check_size(value)
    return " ".join(value) if isinstance(value, Words) else as_text(value)


@cache
def _plain() -> jinja2.Environment:
    """Return the environment for names, paths, variables and argv words: values go in as is."""
    return _environment(_checked_text)


def _environment(finalize: Any) -> jinja2.Environment:
    environment = limits.BoundedEnvironment(
        undefined=_Undefined,
        finalize=finalize,
        keep_trailing_newline=True,
        autoescape=False,
        comment_start_string=shell_syntax.COMMENT_BEGIN,
        comment_end_string=shell_syntax.COMMENT_END,
        extensions=cast(Any, [shell_syntax.ShellSyntax]),
    )
    environment.filters["raw"] = lambda value: _Raw(_checked_text(value))
    return environment


def render(text: str, values: Mapping[str, Any], where: str) -> str:
    """Render a template, inserting values as they are.

    Raises:
        UsageError: the template is invalid or uses an undefined value; the message begins with `where`.
    """
    return _render(_plain(), text, values, where)


def render_shell(text: str, values: Mapping[str, Any], where: str) -> str:
    """Render the template of a shell command, quoting each value unless it is `| raw`.

    If some values are `Words` (`Arguments` aside), only values that are given as they are can be `| raw`: nothing made
    of words is code.

    Raises:
        UsageError: as `render`, and for a value in a place where no quoting is safe.
    """
    inserted: list[str] = []

    def finalize(value: object) -> str:
        if isinstance(value, _Raw):
            return value
        texts = value if isinstance(value, Words) else (value,)
        first = len(inserted)
        inserted.extend(map(_checked_text, texts))
        return " ".join(placeholders.placeholder(place) for place in range(first, len(inserted)))

    with_placeholders = _render(_shell_environment(finalize, values, where), text, values, where)
    try:
        return _bounded(quoting.fill_in(with_placeholders, inserted), where)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", error.hint) from error


def _shell_environment(finalize: Callable[[object], str], values: Mapping[str, Any], where: str) -> jinja2.Environment:
    environment = _environment(_delayed(finalize))
    if any(type(value) is Words for value in values.values()):
        environment.filters["raw"] = _raw_of(values, where)
    return environment


def _raw_of(values: Mapping[str, Any], where: str) -> Callable[[object], _Raw]:
    """Return the filter `raw` for these values alone: whatever else a template makes may be made of words."""
    plain = [value for value in values.values() if isinstance(value, (str, int, float))]
    plain += [one for value in values.values() if type(value) is dict for one in value.values()]
    code = {_checked_text(value) for value in plain}

    def raw(value: object) -> _Raw:
        text = _checked_text(value)
        if text not in code:
            hint = "only a parameter can be `| raw` here: test IDs come from the log of the run"
            raise UsageError(f"{where}: no test ID can be shell code", hint)
        return _Raw(text)

    return raw


def render_raw(text: str, values: Mapping[str, Any], where: str) -> str:
    """Render the command of a shell with unknown quoting: each value must be `| raw`.

    Raises:
        UsageError: as `render`, and for a value that is not `| raw`.
    """

    def finalize(value: object) -> str:
        if isinstance(value, _Raw):
            return value
        hint = "write {{ value | raw }} and quote it yourself, or pass it through `env:`"
        raise UsageError(f"{where}: cannot quote a value for this shell", hint)

    return _render(_shell_environment(finalize, values, where), text, values, where)


def _delayed(finalize: Any) -> Any:
    """Keep Jinja from calling `finalize` on constants during compilation.

    It must see each value exactly once.
    """

    @jinja2.pass_context
    def late(_: jinja2.runtime.Context, value: object) -> str:
        if isinstance(value, jinja2.Undefined):
            str(value)  # StrictUndefined raises here, naming what is undefined
        return str(finalize(value))

    return late


def _render(environment: jinja2.Environment, text: str, values: Mapping[str, Any], where: str) -> str:
    if placeholders.OPEN in text or placeholders.CLOSE in text:
        raise UsageError(f"{where}: contains a private-use character, U+E0F0 or U+E0F1", "remove it")
    if shell_syntax.is_plain(text):
        return _bounded(text, where)
    _check_tags(text, where)
    try:
        with limits.limited():
            rendered = environment.from_string(text).render(values)
    except limits.TooMuchError as error:
        raise UsageError(f"{where}: the template exceeds its limits: {error}", _TOO_COSTLY_HINT) from error
    except jinja2.TemplateSyntaxError as error:
        message = f"{where}: line {error.lineno} of the template: {error.message}"
        raise UsageError(message, _syntax_hint(text, message)) from error
    except jinja2.UndefinedError as error:
        known = ", ".join(name for name in values if name not in ("env", "job", "matrix")) or "none"
        raise UsageError(f"{where}: {error.message}", _hint(error) or f"declared parameters: {known}") from error
    except _JINJA_ERRORS as error:
        raise UsageError(f"{where}: {type(error).__name__}: {error}") from error
    return _bounded(rendered, where)


def evaluate(expression: str, values: Mapping[str, Any], where: str) -> bool:
    """Return whether an expression is true.

    Raises:
        UsageError: it is invalid or uses an undefined value; the message begins with `where`.
    """
    _check_tags(expression, where)
    try:
        with limits.limited():
            return bool(_plain().compile_expression(expression, undefined_to_none=False)(**values))
    except limits.TooMuchError as error:
        raise UsageError(f"{where}: the expression exceeds its limits: {error}", _TOO_COSTLY_HINT) from error
    except jinja2.UndefinedError as error:
        raise UsageError(f"{where}: {error.message}", _hint(error)) from error
    except _JINJA_ERRORS as error:
        raise UsageError(f"{where}: {type(error).__name__}: {error}") from error


def _check_tags(text: str, where: str) -> None:
    if len(text) > MOST_CHARACTERS or _tags(text) > limits.MOST_TAGS:
        most = f"{MOST_CHARACTERS} characters and {limits.MOST_TAGS} tags (`{{{{` or `{{%`)"
        raise UsageError(f"{where}: the template has more than {most}", "put the text into a file")


def _tags(text: str) -> int:
    return text.count("{{") + text.count("{%")


def _hint(error: jinja2.UndefinedError) -> str:
    if isinstance(error, _MissingValueError):
        return error.hint
    is_of_text = str(error.message).startswith("'str object' has no attribute")
    return "this value is a string; write its name alone, such as {{ job }}" if is_of_text else ""


def _syntax_hint(text: str, message: str) -> str:
    """Return how to keep text that is no expression, unless a template is just not finished."""
    return shell_syntax.LITERAL_HINT if "{{" in text and "end of template" not in message else ""


def _bounded(rendered: str, where: str) -> str:
    if len(rendered) > MOST_CHARACTERS:
        raise UsageError(f"{where}: longer than {MOST_CHARACTERS} characters once rendered", "put the text into a file")
    if "\0" in rendered:
        raise UsageError(f"{where}: contains a NUL, which no argument can hold")
    return rendered


def _is_literal(text: str) -> bool:
    """Return whether a template is text that Jinja would return as it is; parsing it takes a hundred times as long."""
    return shell_syntax.is_plain(text) and placeholders.OPEN not in text and placeholders.CLOSE not in text


def with_placeholders(text: str) -> str:
    """Return the text of a template with a placeholder for each value that is not `| raw`."""
    if _is_literal(text):
        return text
    outputs = (part for part in _plain().parse(text).body if isinstance(part, nodes.Output))
    parts = (node for part in outputs for node in part.nodes)
    return "".join(node.data if isinstance(node, nodes.TemplateData) else _stand_in(node) for node in parts)


def _stand_in(node: nodes.Expr) -> str:
    is_raw = isinstance(node, nodes.Filter) and node.name == "raw"
    return "" if is_raw else placeholders.placeholder(0)


def faults(text: str, known: set[str]) -> list[TemplateFault]:
    """Return the errors that are known before rendering; `known` names may be used."""
    if _is_literal(text):
        return []
    if _tags(text) > limits.MOST_TAGS:
        return [TemplateFault(1, f"the template has more than {limits.MOST_TAGS} tags (`{{{{` or `{{%`)")]
    try:
        tree = _plain().parse(text)
    except jinja2.TemplateSyntaxError as error:
        message = f"invalid template: {str(error.message).rstrip('.')}"
        return [TemplateFault(error.lineno, message, hint=_syntax_hint(text, message) or "fix the template")]
    except RecursionError:
        return [TemplateFault(1, "invalid template: nested too deeply")]
    undefined = meta.find_undeclared_variables(tree) - known
    return [TemplateFault(_line_of(tree, name), f"undefined variable {name!r}", name) for name in sorted(undefined)]


def uses(text: str, name: str) -> bool:
    """Return whether a template uses a variable; an invalid one uses none."""
    try:
        return name in text and not _is_literal(text) and name in meta.find_undeclared_variables(_plain().parse(text))
    except (jinja2.TemplateSyntaxError, RecursionError):
        return False


def keys_used(text: str, name: str) -> list[KeyUsed]:
    """Return which keys of a variable a template uses, as far as they are written in it.

    An invalid template uses none, nor does one with a variable of its own of this name.
    """
    try:
        if name not in text or _is_literal(text):
            return []
        tree = _plain().parse(text)
    except (jinja2.TemplateSyntaxError, RecursionError):
        return []
    if any(node.name == name and node.ctx != "load" for node in tree.find_all(nodes.Name)):
        return []
    found: list[KeyUsed] = []
    fields: dict[int, str] = {}
    optional = {id(one.node) for one in tree.find_all((nodes.Filter, nodes.Test)) if one.name in _OPTIONAL}
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):  # an outer one before that which it is made of
        assert isinstance(node, (nodes.Getattr, nodes.Getitem))  # noqa: S101 - for mypy
        key = _key_of(node)
        if id(node) in optional:
            optional.add(id(node.node))
        if isinstance(node.node, nodes.Name) and node.node.name == name and key:
            found.append(KeyUsed(node.lineno, key, fields.get(id(node), ""), id(node) in optional))
        fields[id(node.node)] = key
    return found


def _key_of(node: nodes.Getattr | nodes.Getitem) -> str:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return str(node.arg.value) if isinstance(node.arg, nodes.Const) else ""


def _line_of(tree: nodes.Template, name: str) -> int:
    return next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), 1)
