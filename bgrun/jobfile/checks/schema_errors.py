"""Turn the errors of the JSON Schema validator into messages with a fix."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import jsonschema
from jsonschema.exceptions import relevance

from bgrun.errors import nearest_names
from bgrun.jobfile.schema import schema
from bgrun.jobfile.yaml_source import Document, Fault
from bgrun.model import as_text
from bgrun.wording import either, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TYPES = {"object": "an object", "array": "an array", "string": "a string", "integer": "an integer",
          "number": "a number", "boolean": "a boolean", "null": "null"}  # fmt: skip
_EXAMPLES = {"object": "write it as `KEY: VALUE`", "array": "write it as `[A, B]`", "boolean": "write true or false"}
_LONGEST_VALUE = 60
_PLAIN = re.compile(r"[A-Za-z./_][A-Za-z0-9./_=+ -]*[A-Za-z0-9./_]|[A-Za-z./_]")
"""Text that needs no quotes in a list of YAML."""
_ELSEWHERE = {
    "working_dir": "cwd dir directory workdir working_directory chdir",
    "command": "cmd cmds run script exec",
    "depends_on": "needs deps dependencies requires after",
    "env": "environment envs",
    "env_file": "dotenv envfile env_files",
    "params": "args arguments inputs parameters vars",
    "description": "desc summary help",
    "if": "when condition",
    "retry": "retries attempts",
    "outputs": "artifacts",
    "max_parallel": "parallel jobs_at_once",
    "jobs": "tasks",
    "include": "includes imports",
    "ready": "healthcheck readiness_probe readiness ready_log_line health wait_for",
}
"""What other tools call a key."""
_OURS = {word: key for key, words in _ELSEWHERE.items() for word in words.split()}


def schema_faults(file: str, document: Document) -> Iterator[Fault]:
    """Yield the errors of a document against the schema of the job file."""
    validator = jsonschema.Draft7Validator(schema("bgjobs"))
    for error in validator.iter_errors(document.data):
        yield from _explained(file, document, error)


def _explained(file: str, document: Document, error: Any) -> Iterator[Fault]:
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        for key in _unknown_keys(error):
            yield document.fault(file, (*path, key), "unknown key", _key_hint(key, error.schema.get("properties", {})))
    elif "propertyNames" in error.absolute_schema_path:
        yield document.fault(file, (*path, str(error.instance)), *_invalid_name(error))
    elif error.validator == "anyOf" and error.context:
        meant = max(error.context, key=lambda one: (_fits_type(one), _known_keys(error, one), relevance(one)))
        for one in error.context:
            if one is meant or (_fits_type(meant) and _branch(one) == _branch(meant)):
                yield from _explained(file, document, one)
    elif error.validator != "oneOf" or isinstance(error.instance, dict):  # else its type is the error
        yield document.fault(file, path, *_message(error))


def _fits_type(error: Any) -> bool:
    """Return whether the value has the type of a branch, which then is the intended one: what is wrong lies in it."""
    if error.validator == "anyOf" and not error.path:
        return any(map(_fits_type, error.context))
    return bool(error.path) or error.validator not in ("type", "const")


def _branch(error: Any) -> Any:
    """Return the place of the alternative that an error is of."""
    return error.relative_schema_path[0]


def _known_keys(error: Any, one: Any) -> int:
    """Return how many keys of the value an alternative knows, or nearly so, one of whose errors is given."""
    known = _resolved(error.validator_value[_branch(one)]).get("properties", ())
    keys = error.instance if known and isinstance(error.instance, dict) else ()
    return sum(key in known or bool(nearest_names(key, known)) for key in keys)


def _unknown_keys(error: Any) -> list[str]:
    patterns = error.schema.get("patternProperties", ())
    return [
        key
        for key in error.instance
        if key not in error.schema.get("properties", ()) and not any(re.search(pattern, key) for pattern in patterns)
    ]


def _key_hint(key: str, known: Mapping[str, Any]) -> str:
    """Return the key that is meant, or the first of all."""
    ours = _OURS.get(key, "")
    if ours in known:
        example = _example(known[ours])
        return f"did you mean {ours!r}?" + (f" For example `{ours}: {example}`" if example else "")
    near = nearest_names(key, known)
    return f"did you mean {either(near)}?" if near else f"available keys: {names(known)}; see 'bgrun schema'"


def _example(one: Mapping[str, Any]) -> str:
    examples = _resolved(one).get("examples", ())
    return next((text if isinstance(text, str) else json.dumps(text) for text in examples), "")


def _resolved(one: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema, or the one that it refers to."""
    while "$ref" in one:
        one = schema("bgjobs")["definitions"][one["$ref"].rpartition("/")[2]]
    return one


def _message(error: Any) -> tuple[str, str]:
    """Return what is wrong and how to fix it."""
    explain = _MESSAGES.get(error.validator)
    return explain(error) if explain else (error.message, "see 'bgrun schema'")


def _invalid_name(error: Any) -> tuple[str, str]:
    if error.validator_value.startswith("^[A-Za-z_]"):
        return "invalid name", "use letters, digits and '_', not starting with a digit"
    return "invalid name", "use at most 100 letters, digits, '.', '_' and '-', not starting with '.' or '-'"


def _missing_keys(error: Any) -> tuple[str, str]:
    missing = [key for key in error.validator_value if key not in error.instance]
    return f"missing key{'' if len(missing) == 1 else 's'} {', '.join(map(repr, missing))}", f"add `{missing[0]}:`"


def _not_one_key(error: Any) -> tuple[str, str]:
    """Explain a `oneOf` of required keys."""
    keys = [key for branch in error.validator_value for key in branch["required"]]
    given = [key for key in keys if key in error.instance]
    if len(given) > 1 and len(keys) > 2:
        return f"{' and '.join(map(repr, given))} cannot be combined", "keep one of them"
    return f"expected either {_alternatives(list(map(repr, keys)))}", "give one of them"


def _needs_key(error: Any) -> tuple[str, str]:
    key, needed = next((key, needed[0]) for key, needed in error.validator_value.items() if key in error.instance)
    return f"{key!r} requires {needed!r}", f"add `{needed}:`, or remove `{key}:`"


def _wrong_type(error: Any) -> tuple[str, str]:
    expected, found = error.validator_value, error.instance
    kinds = [expected] if isinstance(expected, str) else expected
    path = tuple(error.absolute_path)
    hint = _short_form(path, found) or _type_hint(kinds, found, is_item=bool(path) and isinstance(path[-1], int))
    return f"expected {_alternatives([_TYPES[kind] for kind in kinds])}, got {_shown(found)}", hint


def _short_form(path: tuple[str | int, ...], found: Any) -> str:
    """Return how a job that is only its command is written, or a group that is only its jobs; '' for all else."""
    key = {"jobs": "command", "services": "command", "groups": "jobs"}.get(str(path[0])) if len(path) == 2 else None
    listed = isinstance(found, list) and found and all(isinstance(one, str) for one in found)
    if not key or not (listed or (isinstance(found, str) and found)):
        return ""
    words = found if isinstance(found, list) else [found]
    text = ", ".join(word if _PLAIN.fullmatch(word) else json.dumps(word, ensure_ascii=False) for word in words)
    value = text if isinstance(found, str) and key == "command" else f"[{text}]"
    return f"write it as `{{{key}: {value}}}`" if len(value) <= _LONGEST_VALUE else f"write it below `{key}:`"


def _type_hint(kinds: list[str], found: Any, *, is_item: bool) -> str:
    if found is None:
        return "write a value, or remove the item" if is_item else "write a value after the colon"
    if "string" in kinds:
        return "write a single value" if isinstance(found, (dict, list)) else "quote the value"
    if kinds[0] == "array" and not isinstance(found, (dict, list)) and len(as_text(found)) <= _LONGEST_VALUE:
        return f"write it as `[{as_text(found)}]`"
    return _EXAMPLES.get(kinds[0], "write it without quotes")


def _not_a_choice(error: Any) -> tuple[str, str]:
    choices = [str(choice) for choice in error.validator_value]
    near = nearest_names(str(error.instance), choices)
    hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(choices)}"
    return f"invalid value {_shown(error.instance)}", hint


def _wrong_pattern(error: Any) -> tuple[str, str]:
    examples = error.schema.get("examples") or (error.parent and error.parent.schema.get("examples"))
    form = f"use a form such as {_alternatives([*map(str, examples)])}" if examples else ""
    return f"invalid value {_shown(error.instance)}", form or f"it must match {error.validator_value}"


def _beyond_limit(error: Any) -> tuple[str, str]:
    limit, number = error.validator_value, _shown(error.instance)
    return {
        "minimum": (f"expected at least {limit}, got {number}", f"use {limit} or more"),
        "maximum": (f"expected at most {limit}, got {number}", f"use {limit} or less"),
        "exclusiveMinimum": (f"expected more than {limit}, got {number}", f"use a number above {limit}"),
    }[str(error.validator)]


def _alternatives(texts: list[str]) -> str:
    """Return texts as alternatives: `a, b or c`."""
    return " or ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value) if isinstance(value, datetime.date) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}…"


_MESSAGES = {
    "required": _missing_keys,
    "oneOf": _not_one_key,
    "dependencies": _needs_key,
    "type": _wrong_type,
    "enum": _not_a_choice,
    "const": lambda error: (
        f"expected {as_text(error.validator_value)}, got {_shown(error.instance)}",
        f"write {as_text(error.validator_value)}",
    ),
    "pattern": _wrong_pattern,
    "minItems": lambda _: ("must not be empty", "add an item, or remove the key"),
    "maxProperties": lambda error: (
        f"expected at most {error.validator_value} keys, got {len(error.instance)}",
        "remove some",
    ),
    "minLength": lambda _: ("must not be empty", "write a value, or remove the key"),
    "uniqueItems": lambda _: ("duplicate item", "remove one of them"),
    "minimum": _beyond_limit,
    "maximum": _beyond_limit,
    "exclusiveMinimum": _beyond_limit,
}
