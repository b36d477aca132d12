"""Parse the documents of a project: TOML, JSON, YAML; a broken one has a place and a reason. Pure."""

from __future__ import annotations

import json
import re
import sys
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from bgrun.wording import short

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MOST_YAML = 1 << 17
"""How many characters of YAML are parsed, at some 50 per millisecond."""
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class Broken(NamedTuple):
    """A file that cannot be read: its path in the project, LINE:COLUMN or '', and why."""

    name: str
    place: str
    why: str


class _BrokenError(Exception):
    """A text cannot be parsed; place: LINE:COLUMN, or ''."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(why)
        self.place = place


@lru_cache(64)
def read(name: str, text: str) -> tuple[dict[str, Any], Broken | None]:
    """Return the mapping in a file, or {} and why it is broken; one of another format has neither."""
    parse = _PARSERS.get(name.rpartition(".")[2])
    try:
        found = parse(text) if parse else {}
    except _BrokenError as error:
        return {}, Broken(name, error.place, lower(str(error)))
    except RecursionError:
        return {}, Broken(name, "", "nested too deeply")
    return (found, None) if isinstance(found, dict) else ({}, Broken(name, "1:1", "expected an object"))


def lower(message: str) -> str:
    """Return a message of a library as ours begin."""
    return short(message[:1].lower() + message[1:])


def _json(text: str) -> Any:
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        before = error.doc[: error.pos].rstrip()
        if before.endswith(",") and error.doc[error.pos : error.pos + 1] in ("}", "]"):
            # Python says so itself from version 3.13 on, at the comma.
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n") - 1
            raise _BrokenError(f"{line}:{column}", "invalid JSON: trailing comma") from error
        raise _BrokenError(f"{error.lineno}:{error.colno}", f"invalid JSON: {lower(error.msg)}") from error
    except ValueError as error:  # a number of too many digits
        raise _BrokenError("", f"invalid JSON: {lower(str(error))}") from error


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.search(str(error))
        lines = text.splitlines() or [""]
        place = (found[1], found[2]) if found and found[1] else (len(lines), len(lines[-1]) + 1)
        why = lower(_TOML_PLACE.sub("", str(error)))
        raise _BrokenError(f"{place[0]}:{place[1]}", f"invalid TOML: {why}") from error
    except ValueError as error:
        raise _BrokenError("", f"invalid TOML: {lower(str(error))}") from error


def _yaml(text: str) -> Any:
    if len(text) > _MOST_YAML:
        raise _BrokenError("", f"longer than {_MOST_YAML} characters")
    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise _BrokenError(place, f"invalid YAML: {lower(getattr(error, 'problem', '') or str(error))}") from error
    except (ValueError, LookupError, AttributeError) as error:  # `!!bool maybe` and `!!timestamp x`
        raise _BrokenError("", "invalid YAML: a value does not fit its tag") from error


_PARSERS = {"json": _json, "toml": _toml, "yml": _yaml, "yaml": _yaml}
