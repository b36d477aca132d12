"""Read the arguments of a call as they were meant: models write "30" for 30 and "x" for ["x"]. Pure.

A refused call costs a model a round trip, so whatever has one meaning is taken. What has none is refused with the
valid choices, in a message that stays short whatever was sent.
"""

from __future__ import annotations

import json
import math
import shlex

from bgrun.errors import UsageError
from bgrun.wording import short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from bgrun.mcp.tools import Tool

MOST_TEXT, MOST_WORD, MOST_WORDS, MOST_PATTERN = 200, 4096, 100, 1000
"""The longest name and the longest word, in characters; the most words; the longest regular expression."""
MOST_LINES = 1000
_LONGEST_SHOWN = 60
_SAME = {
    "timeout_s": "wait_s",
    "timeout": "wait_s",
    "pattern": "match",
    "grep": "match",
    "lines": "max_lines",
    "engine": "on",
}
"""Other names of arguments: the first was the name of one, the others are what models guess."""
_FLAGS = {"failed": ("only", "failed")}
"""Arguments that were a flag: what they mean if they are true."""
_SINGULAR = {"run": "runs", "runs": "run"}
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0", "")


def read(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call in the types that its tool declares; absent and null ones are left out.

    Raises:
        UsageError: one is unknown, missing, or cannot be meant.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in _FLAGS and _FLAGS[name][0] in tool.properties:
            found |= dict([_FLAGS[name]]) if _truth(value) else {}
            continue
        key = _key(tool, name)
        if key is None:
            raise _refused(tool, f"unknown argument {short(name, _LONGEST_SHOWN)!r}")
        try:
            found[key] = _read(tool, key, value)
        except UsageError as error:
            raise _refused(tool, f"{key}: {error.message}") from error
    for name in tool.required:
        if found.get(name) in (None, "", []):
            raise _refused(tool, f"missing argument {name!r}")
    return found


def _key(tool: Tool, name: str) -> str | None:
    known = (name, _SAME.get(name), _SINGULAR.get(name))
    return next((one for one in known if one in tool.properties), None)


def _refused(tool: Tool, message: str) -> UsageError:
    return UsageError(f"{tool.name}: {message}", f"arguments: {', '.join(tool.properties)}")


def _read(tool: Tool, key: str, value: Any) -> Any:
    schema = tool.properties[key]
    kind = "choice" if "enum" in schema else schema["type"]
    if kind == "choice":
        return _choice(value, schema["enum"])
    if isinstance(kind, list):
        return _words(value, split=key == "args")
    if kind == "string":
        return _text(value, MOST_PATTERN if key == "match" else MOST_TEXT)
    return {"number": _seconds, "integer": _lines, "boolean": _truth}[kind](value)


def _text(value: Any, most: int = MOST_TEXT) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise UsageError(f"expected a string, got {_shown(value)}")
    if len(value) > most:
        raise UsageError(f"too long, at most {most} characters")
    return value if most == MOST_PATTERN else value.strip()


def _words(value: Any, *, split: bool) -> list[str]:
    """Return a list of words: of a string what a shell would make of it, of an object KEY=VALUE."""
    if isinstance(value, str):
        value = _words_of(value, split=split)
    elif isinstance(value, dict):
        value = [f"{key}={one if isinstance(one, str) else json.dumps(one)}" for key, one in value.items()]
    if not isinstance(value, list):
        raise UsageError(f"expected a list of strings, got {_shown(value)}")
    if len(value) > MOST_WORDS:
        raise UsageError(f"too many, at most {MOST_WORDS}")
    return [_word(one) for one in value]


def _words_of(text: str, *, split: bool) -> Any:
    if len(text) > MOST_WORD:
        raise UsageError(f"too long, at most {MOST_WORD} characters")
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            pass
    if not split:
        return text.replace(",", " ").split()
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if not isinstance(value, str):
        raise UsageError(f"expected strings, got {_shown(value)}")
    if len(value) > MOST_WORD:
        raise UsageError(f"too long, at most {MOST_WORD} characters")
    return value


def _seconds(value: Any) -> float:
    from bgrun import api

    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise UsageError(f"expected seconds, got {_shown(value)}")
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            raise UsageError("expected seconds, got a long string")
        value = api.duration(value)
    if not 0 <= value < math.inf:
        raise UsageError(f"expected seconds from 0, got {_shown(value)}")
    return float(value)


def _lines(value: Any) -> int:
    try:
        found = None if isinstance(value, bool) else int(value if isinstance(value, int) else float(value))
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or not found >= 1:
        raise UsageError(f"expected a number from 1 to {MOST_LINES}, got {_shown(value)}")
    return min(found, MOST_LINES)


def _truth(value: Any) -> bool:
    word = str(value).lower() if isinstance(value, (str, bool, int)) else ""
    if word not in (*_TRUE, *_FALSE) or not isinstance(value, (str, bool, int)):
        raise UsageError(f"expected true or false, got {_shown(value)}")
    return word in _TRUE


def _choice(value: Any, valid: Sequence[str]) -> str:
    word = value.strip().lower() if isinstance(value, str) else value
    if word not in valid:
        raise UsageError(f"expected {' or '.join(valid)}, got {_shown(value)}")
    return str(word)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return short(repr(value[:99] if isinstance(value, str) else value), _LONGEST_SHOWN)
