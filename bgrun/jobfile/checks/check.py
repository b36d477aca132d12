"""Check a job file against its schema and the rules beyond it, and report every error."""

from __future__ import annotations

import shlex
from itertools import islice
from pathlib import Path
from typing import Any

from bgrun.errors import UsageError
from bgrun.jobfile import env_names, matrix, params, problem_matchers, specs
from bgrun.jobfile.checks import advice, fields, references, services, slurm_options
from bgrun.jobfile.checks.references import Around
from bgrun.jobfile.checks.schema_errors import schema_faults
from bgrun.jobfile.checks.template_texts import default_texts, line_offset, template_texts
from bgrun.jobfile.include import specs_of
from bgrun.jobfile.yaml_source import Document, Fault, in_order
from bgrun.parsers import bounded_regex, progress
from bgrun.templating import quoting, shell_syntax, template
from bgrun.templating.inputs import RenderInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bgrun.jobfile.include import Source
    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.jobfile.yaml_source import Path as DocumentPath

MOST_FAULTS = 100
"""How many errors of each kind are collected: finding the nearest names for thousands would take minutes."""
_NOTHING = Around()
_ALWAYS_DEFINED = {"env", "job"}
_SERVICES = {"services"}
_FAILED, _EXTRA = {"failed", "failed_files"}, {"extra"}
"""What the templates of a `rerun` and of a command know besides: see `render.job_command`."""


def all_faults(source: Source, around: Source | None = None) -> list[Fault]:
    """Return all errors of a job file, and of those that it includes; `around` is the file that includes it."""
    inner = [all_faults(one.source, source) for one in source.included]
    pairs = list(zip(source.included, inner, strict=True))
    known = Around(
        tuple((one.name, specs_of(one.source)) for one, found in pairs if not found),
        frozenset(name for one, found in pairs if found for name in one.names()),
    )
    own = [*faults(source.file, source.document, known), *source.faults]
    if around and isinstance(source.document.data, dict) and "log_dir" in source.document.data:
        message = f"the runs are kept in the log_dir of {around.file}, which includes this file"
        own.append(source.document.fault(source.file, ("log_dir",), message, "remove it"))
    return list(dict.fromkeys([*in_order(own), *(fault for found in inner for fault in found)]))


def warnings(source: Source) -> list[Fault]:
    """Return the warnings about a job file without errors."""
    return list(advice.warnings(source))


def faults(file: str, document: Document, around: Around = _NOTHING) -> list[Fault]:
    """Return all errors of a document, in the order of the file."""
    found = list(document.faults)
    if isinstance(document.data, dict):
        found += islice(schema_faults(file, document), MOST_FAULTS)
        if len(found) < MOST_FAULTS:
            found += islice(_beyond_schema(file, document, _valid_part(document.data, found), around), MOST_FAULTS)
    return in_order(found)


def _valid_part(data: Mapping[str, Any], found: list[Fault]) -> dict[str, Any]:
    """Return the jobs, groups and defaults without an error so far.

    Only these can be checked further.
    """
    paths = [fault.path for fault in found]
    valid: dict[str, Any] = {} if _has_fault("defaults", paths) else {"defaults": data.get("defaults")}
    for part in ("jobs", "services", "groups"):
        named = data.get(part)
        whole = named if isinstance(named, dict) and part not in paths else {}
        valid[part] = {name: one for name, one in whole.items() if not _has_fault(f"{part}.{name}", paths)}
    return valid


def _has_fault(path: str, paths: list[str]) -> bool:
    return any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in paths)


# --- beyond the schema ------------------------------------------------------------------------


def _beyond_schema(file: str, document: Document, valid: Mapping[str, Any], around: Around) -> Iterator[Fault]:
    broken = {path[1]: found for path, found in _matrices(file, document, valid)}
    yield from broken.values()
    jobs = {name: raw for name, raw in valid["jobs"].items() if name not in broken}
    own = specs.of_document(Path(file), {**valid, "jobs": jobs})
    yield from _variables(file, document, ("defaults",), own.defaults)
    yield from _for_slurm(file, document, ("defaults",), own.defaults)
    for job in own.jobs.values():
        yield from _variables(file, document, (job.part, job.name), job.settings)
        yield from _for_slurm(file, document, (job.part, job.name), job.settings)
    yield from references.faults(file, document, own, around)
    yield from services.faults(file, document, own, around)
    yield from fields.faults(file, document, own, valid.get("defaults") or {})
    yield from _default_templates(file, document, own, valid.get("defaults") or {})
    for job in own.jobs.values():
        yield from _params(file, document, job)
        yield from _condition(file, document, job)
        yield from _progress(file, document, job)
        yield from _matchers(file, document, job)
        found = list(_templates(file, document, job))
        shell = (_shell(file, document, job, *one) for one in (("command", job.command), ("rerun", job.rerun)))
        yield from found or dict.fromkeys(fault for faults in shell for fault in faults)
        yield from found or _rerun(file, document, job)


def _matrices(file: str, document: Document, valid: Mapping[str, Any]) -> Iterator[tuple[DocumentPath, Fault]]:
    for name, raw in valid["jobs"].items():
        path: DocumentPath = ("jobs", name, "matrix")
        try:
            matrix.combinations(raw.get("matrix", {"one": [1]}))
        except UsageError as error:
            where = (*path, "exclude", error.place) if isinstance(error, matrix.UselessExcludeError) else path
            yield path, document.fault(file, where, error.message, error.hint)


def _variables(file: str, document: Document, path: DocumentPath, settings: specs.Settings) -> Iterator[Fault]:
    """Find variables that a job must not set.

    One of the defaults is reported there, not again for each job.
    """
    for key, names, refusal in (
        ("env", settings.env, env_names.refusal),
        ("secrets", settings.secrets, env_names.secret_refusal),
    ):
        for place, name in enumerate(names):
            where: DocumentPath = (*path, key, name if key == "env" else place)
            message, hint = refusal(name)
            if message and where in document.places:
                yield document.fault(file, where, message, hint)


def _for_slurm(file: str, document: Document, path: DocumentPath, settings: specs.Settings) -> Iterator[Fault]:
    """Find options of sbatch that bgrun sets itself; as above."""
    for place, option in enumerate(settings.slurm.options):
        where: DocumentPath = (*path, "slurm", "options", place)
        message, hint = slurm_options.refusal(option)
        if message and where in document.places:
            yield document.fault(file, where, message, hint)


def _params(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    for param in job.params:
        path: DocumentPath = (job.part, job.name, "params", param.name)
        if param.name in _reserved(job):
            yield document.fault(file, path, f"templates already define {param.name!r}", "rename the parameter")
        try:
            if param.pattern:
                bounded_regex.compiled(param.pattern)
            if param.default is not None:
                params.convert(param, param.default)
        except UsageError as error:
            hint = error.hint or "fix the expression, or remove `pattern:`"
            yield document.fault(file, (*path, "pattern"), error.message, hint)
        except ValueError as error:
            message = f"invalid value {param.default!r}: {error}"
            yield document.fault(file, (*path, "default"), message, "change the default or its type")


def _templates(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    known = _predefined(job) | _SERVICES | {param.name for param in job.params}
    for path, text in template_texts(document.data, job):
        for found in template.faults(text, known | {"rerun": _FAILED, "command": _EXTRA}.get(str(path[2]), set())):
            fault = document.fault(file, path, found.message, _template_hint(found))
            yield fault._replace(line=fault.line + line_offset(text, found.line))


def _default_templates(file: str, document: Document, own: JobFile, defaults: Mapping[str, Any]) -> Iterator[Fault]:
    """Find errors in templates of the defaults, which may use what any job knows: each renders them."""
    known = _ALWAYS_DEFINED | _SERVICES
    known = known.union(*(_predefined(job) | {param.name for param in job.params} for job in own.jobs.values()))
    for path, text in default_texts(defaults):
        for found in template.faults(text, known):
            hint = "declare it under `params:` of the jobs" if found.undefined else found.hint
            fault = document.fault(file, path, found.message, hint)
            yield fault._replace(line=fault.line + line_offset(text, found.line))


def _template_hint(found: template.TemplateFault) -> str:
    """Return the fix of an error in a template."""
    if found.undefined == "port":
        return "declare it under `params:`, or give a service its `port:`"
    return "declare it under `params:`" if found.undefined else found.hint


def _predefined(job: JobSpec) -> set[str]:
    """Return the names that templates of a job know besides its parameters."""
    has_port = bool(job.service and job.service.port)
    return _ALWAYS_DEFINED | ({"matrix"} if job.matrix else set()) | ({"port"} if has_port else set())


def _reserved(job: JobSpec) -> set[str]:
    """Return the names that no parameter of a job can have."""
    return _predefined(job) | (_FAILED if job.rerun else set())


def _condition(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    known = _predefined(job) | {"os"} | {param.name for param in job.params}
    if job.condition:
        for found in template.faults(f"{{{{ ({job.condition}) }}}}", known):
            hint = f"available variables: {', '.join(sorted(known))}" if found.undefined else "fix the expression"
            yield document.fault(file, (job.part, job.name, "if"), found.message, hint)


def _progress(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    single = isinstance(document.data[job.part][job.name].get("progress"), str)
    for place, one in enumerate(job.progress):
        if error := _error_of(progress.patterns, [one]):
            path: DocumentPath = (job.part, job.name, "progress", *(() if single else (place,)))
            yield document.fault(file, path, error.message, error.hint or "fix the expression")


def _matchers(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    for place, named in enumerate(job.problems):
        if error := _error_of(problem_matchers.resolve, job.root, named, RenderInputs({})):
            path: DocumentPath = (job.part, job.name, "problems", place)
            yield document.fault(file, path, error.message, error.hint or "fix the matcher")


def _error_of(check: Callable[..., object], *args: object) -> UsageError | None:
    try:
        check(*args)
    except UsageError as error:
        return error
    return None


def _rerun(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    texts = (job.rerun,) if isinstance(job.rerun, str) else job.rerun
    used = {fault.undefined for text in texts for fault in template.faults(text, set())}
    if job.rerun and not used & _FAILED:
        message = "uses neither {{ failed }} nor {{ failed_files }}, so that it would run every test"
        yield document.fault(
            file,
            (job.part, job.name, "rerun"),
            message,
            "add {{ failed }} where the test IDs go, or {{ failed_files }} where files do",
        )


def _shell(file: str, document: Document, job: JobSpec, key: str, command: str | tuple[str, ...]) -> Iterator[Fault]:
    if not isinstance(command, str) or not command:
        return
    path: DocumentPath = (job.part, job.name, key)
    try:
        shell = shlex.split(job.settings.shell)
        # A template with `if` or `for` is checked by the start, when it is rendered; a plain one now.
        posix = bool(shell) and Path(shell[0]).name in quoting.POSIX_SHELLS
        if posix and not shell_syntax.has_statement(command):
            quoting.check(template.with_placeholders(command))
    except ValueError as error:
        message = f"invalid value {job.settings.shell!r}: {str(error).lower()}"
        yield document.fault(file, (job.part, job.name, "shell"), message, "close the quote")
    except UsageError as error:
        yield document.fault(file, path, error.message, error.hint)
