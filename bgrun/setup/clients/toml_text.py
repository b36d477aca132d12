"""Change a table of a TOML document as text: all else is kept, with comments and formatting. Pure."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_NEXT = re.compile(r"^[ \t]*\[", re.MULTILINE)


def with_table(text: str | None, name: tuple[str, ...], values: Mapping[str, Any]) -> str:
    """Return a document in which a table has these values; its other keys stay.

    values: texts, truth values and lists of texts, which TOML writes as JSON does.

    Raises:
        ValueError: it is not TOML, or the table is written in a way that cannot be changed safely.
    """
    text = text or ""
    document = _parsed(text)
    table: Any = document
    for part in name:
        table = table.get(part) if isinstance(table, dict) else None
    if isinstance(table, dict) and all(table.get(key) == value for key, value in values.items()):
        return text
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = {key: f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()}
    header = f"[{'.'.join(name)}]"
    found = re.search(rf"^[ \t]*{re.escape(header)}[^\n]*(?:\n|$)", text, re.MULTILINE)
    if found is None:
        before = f"{text.rstrip()}{line_end}{line_end}" if text.strip() else ""
        changed = before + line_end.join([header, *lines.values()]) + line_end
    else:
        changed = text[: found.end()] + _block(text[found.end() :], lines, line_end)
    _check(document, changed, name, values)
    return changed


def _block(rest: str, lines: Mapping[str, str], line_end: str) -> str:
    """Return what follows the header of a table, with its lines changed."""
    following = _NEXT.search(rest)
    end = following.start() if following else len(rest)
    body, tail = rest[:end], rest[end:]
    missing = []
    for key, line in lines.items():
        own = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*=[^\r\n]*", re.MULTILINE)
        if own.search(body):
            body = own.sub(lambda _, line=line: line, body, count=1)  # type: ignore[misc]
        else:
            missing.append(line + line_end)
    return "".join(missing) + body + tail


def _check(before: dict[str, Any], changed: str, name: tuple[str, ...], values: Mapping[str, Any]) -> None:
    wanted: dict[str, Any] = json.loads(json.dumps(before, default=str))
    table = wanted
    try:
        for part in name:
            table = table.setdefault(part, {})
        table.update(values)
    except AttributeError as error:
        raise ValueError(f"{'.'.join(name)} is not a table") from error
    if json.loads(json.dumps(_parsed(changed), default=str)) != wanted:
        raise ValueError(f"the table {'.'.join(name)} cannot be changed safely")


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
