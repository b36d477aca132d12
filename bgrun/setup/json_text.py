"""Change a JSON document as text: comments, order, indentation and line ends of what stays are kept. Pure.

Also reads JSON with comments and trailing commas, as editors write it (JSONC).
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SCALAR = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null')
_DEEPEST = 200


class Node(NamedTuple):
    """A value in a text. parts: the values in an object by key, or in an array by index, in their order."""

    value: Any
    start: int
    end: int
    parts: dict[Any, Node]


class _Splice(NamedTuple):
    """New text for a part of the old one."""

    start: int
    end: int
    text: str


def parse(text: str) -> Node:
    """Return the value of a text.

    Raises:
        ValueError: it is not JSON, even with comments.
    """
    place = _skip(text, 1 if text.startswith("\ufeff") else 0)
    node = _node(text, place, 0)
    if _skip(text, node.end) < len(text):
        raise _error(text, _skip(text, node.end))
    return node


def _skip(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _node(text: str, place: int, depth: int) -> Node:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    opened = text[place : place + 1]
    if opened in ("{", "["):
        return _collection(text, place, depth)
    scalar = _SCALAR.match(text, place)
    if not scalar:
        raise _error(text, place)
    return Node(json.loads(scalar[0]), place, scalar.end(), {})


def _collection(text: str, start: int, depth: int) -> Node:
    is_object = text[start] == "{"
    close = "}" if is_object else "]"
    parts: dict[Any, Node] = {}
    place = _skip(text, start + 1)
    while text[place : place + 1] != close:
        key: Any = len(parts)
        if is_object:
            name = _node(text, place, depth)
            place = _skip(text, name.end)
            key = name.value
            if not isinstance(key, str) or key in parts or text[place : place + 1] != ":":
                raise _error(text, name.start)
            place = _skip(text, place + 1)
        parts[key] = _node(text, place, depth + 1)
        place = _skip(text, parts[key].end)
        if text[place : place + 1] == ",":
            place = _skip(text, place + 1)
        elif text[place : place + 1] != close:
            raise _error(text, place)
    values = {key: node.value for key, node in parts.items()}
    return Node(values if is_object else list(values.values()), start, place + 1, parts)


def _error(text: str, place: int) -> ValueError:
    line = text.count("\n", 0, place) + 1
    return ValueError(f"not JSON: unexpected text at line {line}")


def changed(text: str, node: Node, new: Any) -> str:
    """Return a text with another value in place of its own; what both have in common keeps its text."""
    for splice in sorted(_splices(text, node, new), reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def _splices(text: str, node: Node, new: Any) -> Iterator[_Splice]:
    old = node.value
    if type(old) is type(new) and isinstance(old, (dict, list)) and _is_grown(old, new):
        wanted = new if isinstance(new, dict) else dict(enumerate(new))
        for key, part in node.parts.items():
            yield from _splices(text, part, wanted[key])
        if more := {key: value for key, value in wanted.items() if key not in node.parts}:
            yield from _added(text, node, more)
    elif type(old) is not type(new) or old != new:
        yield _Splice(node.start, node.end, _written(text, new, _indent_at(text, node.start)))


def _is_grown(old: Any, new: Any) -> bool:
    """Return whether a collection still has all members that it had."""
    return set(old) <= set(new) if isinstance(old, dict) else len(old) <= len(new)


def _added(text: str, node: Node, more: dict[Any, Any]) -> Iterator[_Splice]:
    """Yield what adds members to the end of an object or array, as the others are written there."""
    close = node.end - 1
    kept = len(text[:close].rstrip(" \t\r\n"))
    outer = _indent_at(text, node.start)
    is_empty = not node.parts
    inline = not is_empty and "\n" not in text[node.start : close]
    inner = outer + _unit(text)
    line_end = "\r\n" if "\r\n" in text else "\n"
    members = []
    for key, value in more.items():
        name = f"{json.dumps(key, ensure_ascii=False)}: " if isinstance(node.value, dict) else ""
        members.append(name + _written(text, value, inner, is_inline=inline))
    if inline:
        yield _Splice(kept, kept, ("" if text[kept - 1] == "," else ",") + " " + ", ".join(members))
        return
    if not is_empty:
        inner = _indent_at(text, list(node.parts.values())[-1].start)
        last = list(node.parts.values())[-1].end
        after = _skip(text, last)
        has_comma = text[after : after + 1] == ","
        if not has_comma:
            yield _Splice(last, last, ",")
    body = ("," + line_end).join(inner + member for member in members)
    yield _Splice(kept, close, f"{line_end}{body}{line_end}{outer}")


def _indent_at(text: str, place: int) -> str:
    """Return the indentation of the line of a place."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """Return one step of indentation: that of the first indented line, or two spaces."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found[1] if found else "  "


def _written(text: str, value: Any, indent: str, *, is_inline: bool = False) -> str:
    if is_inline:
        return json.dumps(value, ensure_ascii=False)
    lines = json.dumps(value, indent=_unit(text), ensure_ascii=False).split("\n")
    return ("\r\n" if "\r\n" in text else "\n").join([lines[0], *(indent + line for line in lines[1:])])
