"""Tell whether a value fits a JSON Schema, without the library that explains why one does not. Pure.

Importing that takes longer than all else that a start does with a job file, and few job files have errors. Only the
keywords of draft 7 that the schema of the job file has are known here.
"""

from __future__ import annotations

import re
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Schema = bool | Mapping[str, Any]

_ANNOTATIONS = frozenset(("$schema", "$id", "title", "description", "default", "examples", "definitions", "then"))


class _UnknownError(Exception):
    """The schema, or a value to be compared, has something that is not known here."""


def fits(value: Any, schema: Schema) -> bool:
    """Return whether a value surely fits a schema; False as well if that has something that is not known here."""
    try:
        return _Fit(schema).part(value, schema)
    except (_UnknownError, RecursionError):
        return False


class _Fit:
    """Compares values with the parts of a schema."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        # Each keyword with the type that it is about: it says nothing of a value of another one.
        self._keywords: dict[str, tuple[str, Callable[[Any, Any, Any], bool]]] = {
            "type": ("any", lambda kinds, value, _: _is_of_type(kinds, value)),
            "enum": ("any", lambda choices, value, _: any(_is_same(one, value) for one in choices)),
            "const": ("any", lambda one, value, _: _is_same(one, value)),
            "anyOf": ("any", lambda some, value, _: any(self.part(value, one) for one in some)),
            "oneOf": ("any", lambda some, value, _: sum(self.part(value, one) for one in some) == 1),
            "if": ("any", self._condition),
            "pattern": ("string", lambda form, value, _: re.search(form, value) is not None),
            "minLength": ("string", lambda least, value, _: len(value) >= least),
            # Not a number (`.nan`) is beyond no limit.
            "minimum": ("number", lambda least, value, _: not value < least),
            "maximum": ("number", lambda most, value, _: not value > most),
            "exclusiveMinimum": ("number", lambda limit, value, _: not value <= limit),
            "minItems": ("array", lambda least, value, _: len(value) >= least),
            "uniqueItems": ("array", lambda wanted, value, _: not wanted or _are_unique(value)),
            "items": ("array", self._items),
            "minProperties": ("object", lambda least, value, _: len(value) >= least),
            "maxProperties": ("object", lambda most, value, _: len(value) <= most),
            "required": ("object", lambda keys, value, _: all(key in value for key in keys)),
            "dependencies": ("object", self._dependencies),
            "propertyNames": ("object", lambda one, value, _: all(self.part(key, one) for key in value)),
            "properties": ("object", self._properties),
            "patternProperties": ("object", self._pattern_properties),
            "additionalProperties": ("object", self._others),
        }

    def part(self, value: Any, schema: Schema) -> bool:
        """Return whether a value fits a part of the schema."""
        if isinstance(schema, bool):
            return schema
        if "$ref" in schema:
            return self.part(value, self._referred(schema["$ref"]))
        for keyword, given in schema.items():
            if keyword in _ANNOTATIONS:
                continue
            if keyword not in self._keywords:
                raise _UnknownError(keyword)
            kind, fits_it = self._keywords[keyword]
            if _TYPES[kind](value) and not fits_it(given, value, schema):
                return False
        return True

    def _referred(self, name: str) -> Schema:
        where, _, key = name.rpartition("/")
        if isinstance(self._root, bool) or where != "#/definitions":
            raise _UnknownError(name)
        found: Schema = self._root["definitions"][key]
        return found

    def _condition(self, one: Schema, value: Any, schema: Mapping[str, Any]) -> bool:
        return not self.part(value, one) or self.part(value, schema.get("then", True))

    def _items(self, one: Any, value: Any, _: object) -> bool:
        if isinstance(one, list):
            raise _UnknownError("items")
        return all(self.part(item, one) for item in value)

    def _dependencies(self, needed: Mapping[str, Any], value: Any, _: object) -> bool:
        if not all(isinstance(keys, list) for keys in needed.values()):
            raise _UnknownError("dependencies")
        return all(other in value for key, others in needed.items() if key in value for other in others)

    def _properties(self, known: Mapping[str, Schema], value: Any, _: object) -> bool:
        return all(self.part(value[key], one) for key, one in known.items() if key in value)

    def _pattern_properties(self, known: Mapping[str, Schema], value: Any, _: object) -> bool:
        pairs = ((key, one) for form, one in known.items() for key in value if re.search(form, key))
        return all(self.part(value[key], one) for key, one in pairs)

    def _others(self, one: Schema, value: Any, schema: Mapping[str, Any]) -> bool:
        known, forms = schema.get("properties", ()), schema.get("patternProperties", ())
        others = (key for key in value if key not in known and not any(re.search(form, key) for form in forms))
        return all(self.part(value[key], one) for key in others)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "any": lambda _: True,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and (isinstance(value, int) or value.is_integer()),
}


def _is_of_type(kinds: str | list[str], value: object) -> bool:
    return any(_TYPES[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _is_same(one: object, other: object) -> bool:
    """Return whether two values are equal: 1 is 1.0, and not true."""
    if isinstance(one, (dict, list)) and isinstance(other, (dict, list)):
        raise _UnknownError("a collection")
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _are_unique(items: list[Any]) -> bool:
    if all(isinstance(one, str) for one in items):
        return len(set(items)) == len(items)
    return not any(_is_same(one, other) for place, one in enumerate(items) for other in items[:place])
