"""What the schema says of a document, in words for people."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
from jsonschema.exceptions import relevance

from bgrun.errors import nearest_names
from bgrun.jobfile.schema import schema
from bgrun.jobfile.yaml_source import Document, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = {"object": "a mapping", "array": "a list", "string": "text", "integer": "a whole number",
          "number": "a number", "boolean": "true or false", "null": "nothing"}  # fmt: skip


def by_schema(file: str, document: Document) -> Iterator[Fault]:
    """Give the problems that the schema of the job file finds in a document."""
    validator = jsonschema.Draft7Validator(schema("bgjobs"))
    for error in validator.iter_errors(document.data):
        yield from _explained(file, document, error)


def _explained(file: str, document: Document, error: Any) -> Iterator[Fault]:
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        for key in _unknown_keys(error):
            near = nearest_names(key, error.schema.get("properties", ()))
            known = ", ".join(error.schema.get("properties", ()))
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known keys: {known}"
            yield document.problem(file, (*path, key), "unknown key", hint)
    elif "propertyNames" in error.absolute_schema_path:
        yield document.problem(file, (*path, str(error.instance)), *_name_message(error))
    elif error.validator in ("anyOf", "oneOf") and error.context:
        yield from _explained(file, document, max(error.context, key=lambda one: (_fits_type(one), relevance(one))))
    else:
        yield document.problem(file, path, *_message(error))


def _fits_type(error: Any) -> bool:
    """Of several branches the one is meant whose type the value has."""
    return error.validator not in ("type", "const")


def _unknown_keys(error: Any) -> list[str]:
    patterns = error.schema.get("patternProperties", ())
    return [
        key
        for key in error.instance
        if key not in error.schema.get("properties", ()) and not any(re.search(pattern, key) for pattern in patterns)
    ]


def _name_message(error: Any) -> tuple[str, str]:
    if error.validator_value.startswith("^[A-Za-z_]"):
        return "not a name", "use letters, digits and `_`, and begin with none of the digits"
    return "not a valid name", "use at most 100 letters, digits, `.`, `_` and `-`, and begin with none of `.` and `-`"


def _message(error: Any) -> tuple[str, str]:
    """Return what is wrong and how to mend it."""
    words = _WORDS.get(error.validator)
    return words(error) if words else (error.message, "")


def _missing(error: Any) -> tuple[str, str]:
    missing = [key for key in error.validator_value if key not in error.instance]
    return f"{', '.join(missing)} is missing", f"add `{missing[0]}:`"


def _wrong_type(error: Any) -> tuple[str, str]:
    wanted, found = error.validator_value, error.instance
    kinds = [wanted] if isinstance(wanted, str) else wanted
    return f"must be {' or '.join(_TYPES[kind] for kind in kinds)}, not {_shown(found)}", _type_hint(kinds, found)


def _no_choice(error: Any) -> tuple[str, str]:
    choices = [str(choice) for choice in error.validator_value]
    near = nearest_names(str(error.instance), choices)
    return f"{_shown(error.instance)} is none of {', '.join(choices)}", f"did you mean {near[0]!r}?" if near else ""


def _wrong_form(error: Any) -> tuple[str, str]:
    return f"{_shown(error.instance)} is not of the right form", _pattern_hint(error)


def _beyond_limit(error: Any) -> tuple[str, str]:
    limits = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
    return f"must be {limits[error.validator]} {error.validator_value}, not {_shown(error.instance)}", ""


def _type_hint(kinds: list[str], found: Any) -> str:
    if "string" in kinds and not isinstance(found, (dict, list)) and found is not None:
        return "put it in quotes"
    return "write the value behind the colon" if found is None else ""


def _pattern_hint(error: Any) -> str:
    examples = error.schema.get("examples") or (error.parent and error.parent.schema.get("examples")) or ()
    return f"for example {', '.join(map(str, examples))}" if examples else f"it has to match {error.validator_value}"


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


_WORDS = {
    "required": _missing,
    "type": _wrong_type,
    "enum": _no_choice,
    "const": lambda error: (f"must be {error.validator_value!r}, not {_shown(error.instance)}", ""),
    "pattern": _wrong_form,
    "minItems": lambda _: ("must not be empty", ""),
    "minLength": lambda _: ("must not be empty", ""),
    "uniqueItems": lambda _: ("has an entry twice", "remove one of the two"),
    "minimum": _beyond_limit,
    "maximum": _beyond_limit,
    "exclusiveMinimum": _beyond_limit,
}
