"""Check the fields that templates take of values: a string has none, a matrix those of its axes."""

from __future__ import annotations

from bgrun.jobfile.checks.template_texts import default_texts, line_offset, template_texts
from bgrun.templating import template
from bgrun.wording import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.jobfile.yaml_source import Document, Fault
    from bgrun.jobfile.yaml_source import Path as DocumentPath

READY_TEMPLATES = ("http", "command")
"""The checks of a service whose value is a template."""
_TYPES = {"integer": int, "number": float, "boolean": bool}
"""The types of parameters that are no strings."""
_NAMES = {str: "a string", int: "an integer", float: "a number", bool: "a boolean"}
_OS = ("name", "arch")
"""The fields of `os` in an `if`, which are strings."""


def faults(file: str, document: Document, own: JobFile, defaults: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the errors of fields that do not exist: only a start would find them."""
    for job in own.jobs.values():
        for path, text in (*template_texts(document.data, job), *_ready(document, job)):
            for line, message, hint in _wrong(text, job):
                fault = document.fault(file, path, message, hint)
                yield fault._replace(line=fault.line + line_offset(text, line))
        for _, message, hint in _wrong(f"{{{{ ({job.condition}) }}}}" if job.condition else "", job):
            yield document.fault(file, (job.part, job.name, "if"), message, hint)
    for path, text in default_texts(defaults):
        for line, message, hint in _wrong_scalar(text, "job", str):
            fault = document.fault(file, path, message, hint)
            yield fault._replace(line=fault.line + line_offset(text, line))


def _ready(document: Document, job: JobSpec) -> Iterator[tuple[DocumentPath, str]]:
    """Yield the template of the check of a service."""
    check = job.service.ready if job.service else None
    if check and check.kind in READY_TEMPLATES:
        base: DocumentPath = (job.part, job.name, "ready")
        yield (*base, check.kind) if (*base, check.kind) in document.places else base, check.value


def _wrong(text: str, job: JobSpec) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the message and the fix of each field that a template of a job cannot take."""
    params = {param.name: _TYPES.get(param.type, str) for param in job.params}
    for name, kind in {"job": str, **params}.items():
        yield from _wrong_scalar(text, name, kind)
    if job.matrix:
        yield from _wrong_axis(text, job)
    for name in ("env", *(("os",) if job.condition else ())):
        for used in template.keys_used(text, name) if name not in params else ():
            if used.is_optional:
                continue
            if name == "os" and used.key not in _OS:
                yield used.line, *_unknown("os", used.key, _OS)
            elif used.field and not _has(str, used.field) and not hasattr(dict, used.key):
                yield used.line, *_message(f"{name}.{used.key}", str, used.field)


def _wrong_scalar(text: str, name: str, kind: type) -> Iterator[tuple[int, str, str]]:
    for used in template.keys_used(text, name):
        if not used.is_optional and not _has(kind, used.key):
            yield used.line, *_message(name, kind, used.key)


def _wrong_axis(text: str, job: JobSpec) -> Iterator[tuple[int, str, str]]:
    axes = {name: type(value) for one in job.matrix for name, value in one.items()}
    for used in template.keys_used(text, "matrix"):
        kind = axes.get(used.key)
        if used.is_optional or hasattr(dict, used.key):
            continue
        if kind is None:
            yield used.line, *_unknown("matrix", used.key, [*axes])
        elif used.field and not _has(kind, used.field):
            yield used.line, *_message(f"matrix.{used.key}", kind, used.field)


def _unknown(name: str, key: str, known: Sequence[str]) -> tuple[str, str]:
    """Return the message and the fix for a key that is none, in the words of a start that finds it."""
    ways = [f"{name}.{one}" for one in known]
    return f"`{name}.{key}`: no {key!r} here, only {', '.join(map(repr, known))}", f"use {names(ways)}"


def _has(kind: type, field: str) -> bool:
    """Return whether values of a type have a field: a method, or a character of a string."""
    return hasattr(kind, field) or (kind is str and field.isdecimal())


def _message(name: str, kind: type, field: str) -> tuple[str, str]:
    return f"`{name}` is {_NAMES.get(kind, 'a value')} and has no {field!r}", f"write `{name}` alone"
