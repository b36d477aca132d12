"""Limit the processor time of a template and the size of the values it produces.

Jinja's sandbox keeps a template from accessing the system, not from `{{ 'x' * 10**9 }}` or nested loops. Here each
operation is checked before it is carried out, and counts against the limits of its template.
"""

from __future__ import annotations

import re
import time
from _thread import _local
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.filters import FILTERS
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import generate_lorem_ipsum
from jinja2.visitor import NodeTransformer

from bgrun.light import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SECONDS = 1.0
"""The processor time of one template. Real templates take a thousandth of it."""
MOST_SIZE = 1 << 20
"""The maximum size of a value: characters of a string, or items of a list and their characters."""
MOST_MADE = 64 * MOST_SIZE
"""The maximum size of all values together that one template produces."""
MOST_BITS = 4096
MOST_TAGS = 2000
"""The maximum number of `{{` and `{%` in a template: compiling so many takes half a second."""
_MOST_DIGITS = 4000
_MOST_WORDS = 100_000


class TooMuchError(BaseException):
    """A template exceeds its limits. Not an `Exception`: Jinja catches some of those."""


_now = _local()


@contextmanager
def limited() -> Iterator[None]:
    """Apply the limits of one template to this thread, inside the block; one within another shares its limits."""
    outer = getattr(_now, "end", None)
    if outer is None:
        _now.end, _now.left = time.thread_time() + SECONDS, MOST_MADE
    try:
        yield
    finally:
        _now.end = outer


def draws() -> int:
    """Return how many random values the templates of this thread have drawn so far."""
    return getattr(_now, "draws", 0)


def _spend(made: object = None) -> None:
    if getattr(_now, "end", None) is None:
        return
    if isinstance(made, (str, bytes, list, tuple)):
        _now.left -= len(made)
    if _now.left < 0:
        raise TooMuchError(f"it produces more than {MOST_MADE >> 20} million characters")
    if time.thread_time() > _now.end:
        raise TooMuchError(f"it takes longer than {SECONDS:g} s")


def check_size(value: object, times: int = 1) -> None:
    """Refuse a value that is too large, or would be if repeated.

    Raises:
        TooMuchError: it is too large.
    """
    if _size(value, MOST_SIZE) * times > MOST_SIZE:
        raise TooMuchError(f"a value is larger than {MOST_SIZE >> 20} million characters")


def _size(value: object, most: int) -> int:
    """Return the size of a value with all its parts, as often as they occur, up to `most`."""
    if isinstance(value, (str, bytes, range)):
        return len(value)
    if isinstance(value, int):
        return value.bit_length() >> 2
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if not isinstance(value, (list, tuple, set, frozenset)):
        return 1
    total = len(value)
    for part in value:
        if total > most:
            break
        total += _size(part, most - total)
    return total


def _check_numbers(values: Iterable[object]) -> None:
    """Refuse a width, a count or another number that is too large."""
    for value in values:
        if isinstance(value, int) and abs(value) > MOST_SIZE:
            raise TooMuchError(f"{value if value.bit_length() < 64 else 'a number'} is too large here")


def _check_operation(operator: str, left: Any, right: Any) -> None:
    numbers = isinstance(left, int) and isinstance(right, int)
    if operator == "+":
        check_size([left, right])
    elif operator == "*" and numbers:
        _check_bits(left.bit_length() + right.bit_length())
    elif operator == "*" and isinstance(right, int):
        check_size(left, max(right, 0))
    elif operator == "*" and isinstance(left, int):
        check_size(right, max(left, 0))
    elif operator == "**" and numbers:
        _check_bits(left.bit_length() * abs(right))
    elif operator == "%" and isinstance(left, str):
        _check_format(left, right if isinstance(right, (tuple, dict)) else (right,))


def _check_bits(bits: int) -> None:
    if bits > MOST_BITS:
        raise TooMuchError(f"a number has more than {MOST_BITS} bits")


def _check_format(text: str, values: Any) -> None:
    """Refuse a format with too large widths, or too large values for their number of uses."""
    given = list(values.values()) if isinstance(values, dict) else list(values)
    if any(len(digits) > len(str(MOST_SIZE)) for digits in re.findall("[0-9]+", text)):
        raise TooMuchError("a width in a format is too large")
    widths = sum(map(int, re.findall("[0-9]+", text)))
    if "*" in text or re.search(r"\{[^}]*\{", text):
        _check_numbers(given)
        widths += sum(one for one in given if isinstance(one, int)) * text.count("%")
    check_size(given)
    if widths + (text.count("%") + text.count("{")) * _size(given, MOST_SIZE) > 4 * MOST_SIZE:
        raise TooMuchError("a format produces too long a text")


def _check_replace(text: Any, old: Any, new: Any) -> None:
    whole, part = str(text), str(old)
    count = whole.count(part) if part else len(whole) + 1
    check_size(str(new), count)


def _check_method(text: Any, name: str, given: tuple[Any, ...]) -> None:
    """Refuse a call of a string method whose result would be too large."""
    _check_numbers(given)
    if name in ("format", "format_map"):
        _check_format(str(text), given[0] if name == "format_map" and given else given)
    elif name == "replace" and len(given) > 1:
        _check_replace(text, *given[:2])
    elif name == "join" and given and hasattr(given[0], "__len__"):
        check_size(text, len(given[0]))
    elif name == "expandtabs":
        check_size("\t" * text.count("\t"), int(given[0]) if given and isinstance(given[0], int) else 8)
    elif name == "translate" and given and isinstance(given[0], dict):
        check_size(text, max((len(one) for one in given[0].values() if isinstance(one, str)), default=1))


def _check_filter(name: str, value: Any, given: list[Any]) -> None:
    """Refuse a filter whose result would be too large."""
    _check_numbers(given)
    if name == "format":
        _check_format(str(value), tuple(given))
    elif name == "replace" and len(given) > 1:
        _check_replace(value, *given[:2])
    elif name == "join" and given:
        check_size(str(given[0]), len(value) if hasattr(value, "__len__") else 1)
    elif name in ("indent", "tojson") and given:
        width = given[0] if isinstance(given[0], int) else len(str(given[0]))
        check_size("x" * (str(value).count("\n") + 2) if name == "indent" else [value], max(width, 1))
    elif name in ("wordwrap", "urlize", "xmlattr") and given:
        check_size(str(value), max(len(one) if isinstance(one, str) else 1 for one in given))
    elif name == "int" and isinstance(value, str) and len(value) > _MOST_DIGITS:
        raise TooMuchError(f"a number has more than {_MOST_DIGITS} digits")


def _bounded_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    first = 1 if hasattr(function, "jinja_pass_arg") else 0

    @wraps(function)
    def bounded(*given: Any, **named: Any) -> Any:
        _spend()
        check_size([*given[first:], *named.values()])
        if name == "join" and hasattr(given[first], "__next__"):
            given = (*given[:first], list(given[first]), *given[first + 1 :])
            check_size(given[first])
        _check_filter(name, given[first], [*given[first + 1 :], *named.values()])
        _now.draws = draws() + (name == "random")
        made = function(*given, **named)
        _spend(made)
        return made

    return bounded


def joined(parts: Iterable[str]) -> str:
    """Return the concatenation of texts.

    Raises:
        TooMuchError: it is too large.
    """
    found, total = [], 0
    for part in parts:
        total += len(part)
        if total > MOST_SIZE:
            raise TooMuchError(f"longer than {MOST_SIZE} characters once rendered")
        found.append(part)
        _spend()
    return "".join(found)


def _each(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        _spend()
        yield value


class _Counted(NodeTransformer):
    """Adds the checks to what Jinja compiles to plain Python: loops and `~`."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - named by the visitor
        self.generic_visit(node)
        return self._filter(nodes.List(node.nodes, lineno=node.lineno), "bgrun_joined")

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.iter = self._filter(node.iter, "bgrun_each")
        return node

    def _filter(self, node: Any, name: str) -> nodes.Filter:
        return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with limits on each operation and on the whole template (`limited`)."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))
    concat = staticmethod(joined)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.filters = dict(_FILTERS)

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        """Carry out an operator within the limits."""
        _check_operation(operator, left, right)
        made = super().call_binop(context, operator, left, right)
        _spend(made)
        return made

    def call(self, __context: jinja2.runtime.Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a value, a macro or a function of Jinja within the limits."""
        _spend()
        name = getattr(__obj, "__name__", "")
        # The sandbox replaces str.format() by a function of its own.
        owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(owner, str) and name == "join" and len(args) == 1 and hasattr(args[0], "__next__"):
            args = (list(args[0]),)
        given = (*args, *kwargs.values())
        check_size(given)
        if isinstance(owner, str):
            _check_method(owner, name, given)
        _now.draws = draws() + (__obj is generate_lorem_ipsum)
        if __obj is generate_lorem_ipsum and any(isinstance(one, int) and one > _MOST_WORDS // 1000 for one in given):
            raise TooMuchError(f"more than {_MOST_WORDS // 1000} words or paragraphs of lipsum")
        made = super().call(__context, __obj, *args, **kwargs)
        _spend(made)
        return made

    def _generate(self, source: nodes.Template, *rest: Any, **named: Any) -> Any:
        _Counted().visit(source)
        source.set_environment(self)
        return super()._generate(source, *rest, **named)


_FILTERS = {
    **{name: _bounded_filter(name, function) for name, function in FILTERS.items()},
    "bgrun_joined": lambda parts: joined(map(str, parts)),
    "bgrun_each": _each,
}
