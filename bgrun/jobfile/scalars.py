"""Decide by the schema what a scalar without quotes means: its own text, or what YAML 1.1 reads in it.

YAML 1.1 reads `NO` as false, `1.10` as 1.1, `0755` as 493 and `1:30` as 90. Where the schema takes text the text of
the file counts; a value that is written in no other way (`20`, `1.5`, `true`) keeps its type for templates.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

from bgrun.jobfile.schema import schema
from bgrun.model import as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Schema = dict[str, Any]

_TWO_READINGS = re.compile(r"[+-]?0[0-9_]|.*:")
"""Octal or decimal, base 60 or a time: nobody knows which one is meant."""


class AmbiguousError(ValueError):
    """A number that YAML 1.1 reads in another way than people do, where no text is possible; `parsed`: that reading."""

    def __init__(self, text: str, parsed: float) -> None:
        super().__init__(f"ambiguous number {text!r}, which YAML reads as {parsed}")
        self.parsed = parsed


def takes_text(path: tuple[str | int, ...]) -> bool:
    """Return whether the schema allows a string at a path of the job file."""
    return any("string" in _kinds(one) for one in _at(path))


def meant(path: tuple[str | int, ...], text: str, parsed: Any) -> Any:
    """Return the value of a scalar at a path of the job file: `parsed`, or its text.

    Raises:
        AmbiguousError: a number must stand there, and this one has two readings.
    """
    branches = _at(path)
    kinds = {kind for one in branches for kind in _kinds(one)}
    if not kinds or parsed is None:
        return parsed
    if not _fits(parsed, kinds):
        return text if "string" in kinds else parsed
    if any(isinstance(one.get("type"), list) and "string" in one["type"] for one in branches):
        return parsed if as_text(parsed) == text else text
    if not isinstance(parsed, bool) and _has_two_readings(text, parsed):
        if "string" in kinds:
            return text  # which is of no valid form, and reported as such
        raise AmbiguousError(text, parsed)
    return parsed


def _has_two_readings(text: str, parsed: float) -> bool:
    return bool(_TWO_READINGS.match(text)) or not math.isfinite(parsed)


def _fits(parsed: Any, kinds: set[str]) -> bool:
    if isinstance(parsed, bool):
        return "boolean" in kinds
    if isinstance(parsed, int):
        return bool(kinds & {"integer", "number"})
    return isinstance(parsed, float) and "number" in kinds


# --- the schema at a path -------------------------------------------------------------------------


@cache
def _schema() -> Schema:
    return schema("bgjobs")


def _at(path: tuple[str | int, ...]) -> list[Schema]:
    """Return all alternatives of the schema for a path."""
    found = list(_branches(_schema()))
    for part in path:
        found = [branch for one in found for branch in _branches(_child(one, part))]
    return found


def _branches(one: Schema) -> Iterator[Schema]:
    if "$ref" in one:
        one = _schema()["definitions"][one["$ref"].rpartition("/")[2]]
    yield one
    for other in one.get("anyOf", ()):
        yield from _branches(other)


def _child(one: Schema, part: str | int) -> Schema:
    """Return the schema of a key or an item; an empty one allows anything."""
    if isinstance(part, int):
        return _object(one.get("items"))
    if part in one.get("properties", ()):
        return _object(one["properties"][part])
    return _object(None if part.startswith("x-") else one.get("additionalProperties"))


def _object(one: Any) -> Schema:
    return one if isinstance(one, dict) else {}


def _kinds(one: Schema) -> set[str]:
    if "type" in one:
        return {one["type"]} if isinstance(one["type"], str) else set(one["type"])
    values = one.get("enum", [one["const"]] if "const" in one else ())
    return {"string" if isinstance(value, str) else "boolean" for value in values}
