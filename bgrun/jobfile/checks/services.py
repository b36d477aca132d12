"""Check services: how they become ready, and how templates name them."""

from __future__ import annotations

from bgrun.errors import UsageError, nearest_names
from bgrun.jobfile import specs
from bgrun.jobfile.checks import fields
from bgrun.jobfile.checks.template_texts import line_offset, template_texts
from bgrun.parsers import bounded_regex
from bgrun.templating import template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.jobfile.checks.references import Around
    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.jobfile.yaml_source import Document, Fault
    from bgrun.jobfile.yaml_source import Path as DocumentPath

_SCHEMES = ("http://", "https://", "{")
"""How the URL of a check begins; a placeholder may stand for all of it."""
_FIELDS = ("port", "url")


def faults(file: str, document: Document, own: JobFile, around: Around) -> Iterator[Fault]:
    """Yield the errors of services, and of templates that name one."""
    every = own
    for name, other in around.files:
        every = specs.with_included(every, name, other)
    known = {name: job for name, job in every.jobs.items() if job.service}
    unsure = around.unsure | set(document.names_in("services"))
    for job in own.jobs.values():
        yield from _ready(file, document, job)
        if not any(param.name == "services" for param in job.params):
            for path, text in template_texts(document.data, job):
                for used in template.keys_used(text, "services"):
                    if found := _wrong_use(used, known, unsure):
                        fault = document.fault(file, path, *found)
                        yield fault._replace(line=fault.line + line_offset(text, used.line))


def _wrong_use(used: template.KeyUsed, known: Mapping[str, JobSpec], unsure: frozenset[str]) -> tuple[str, str] | None:
    """Return what is wrong with `services.NAME.FIELD` in a template, and the fix."""
    spec = known[used.key].service if used.key in known else None
    if not spec:
        near = nearest_names(used.key, known)
        hint = f"did you mean {near[0]!r}?" if near else "declare it under `services:`"
        return None if used.key in unsure else (f"no service named {used.key!r}", hint)
    if used.field not in _FIELDS:
        is_whole = not used.field
        message = f"{used.key!r} is a service" if is_whole else f"a service has no {used.field!r}"
        return message, f"use services.{used.key}.url or services.{used.key}.port"
    if not spec.port and not (used.field == "url" and spec.ready and spec.ready.kind == "http"):
        return f"the service {used.key!r} has no {used.field}", "give it a `port:`"
    return None


def _ready(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    """Find errors in how a service is found to be ready."""
    check = job.service.ready if job.service else None
    if not job.service or not check:
        return
    base: DocumentPath = ("services", job.name, "ready")
    path = (*base, check.kind) if (*base, check.kind) in document.places else base
    if check.kind == "port" and not check.value and not job.service.port:
        yield document.fault(file, path, "the service has no port", "write the number, or give the service a `port:`")
    if check.kind == "http" and not check.value.lower().startswith(_SCHEMES):
        hint = "write it in full, for example `http://127.0.0.1:{{ port }}/health`"
        yield document.fault(file, path, f"expected a URL, got {check.value!r}", hint)
    if check.kind == "log":
        try:
            bounded_regex.compiled(check.value)
        except UsageError as error:
            yield document.fault(file, path, error.message, error.hint or "fix the expression")
    names = {"env", "job", *(param.name for param in job.params), *(["port"] if job.service.port else [])}
    for found in template.faults(check.value, names) if check.kind in fields.READY_TEMPLATES else ():
        hint = (
            "give the service a `port:`"
            if found.undefined == "port"
            else f"available variables: {', '.join(sorted(names))}"
        )
        fault = document.fault(file, path, found.message, hint if found.undefined else found.hint)
        yield fault._replace(line=fault.line + line_offset(check.value, found.line))
