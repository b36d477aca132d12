"""Everything that is wrong with a job file, in one go: by its schema, and beyond what a schema can say."""

from __future__ import annotations

import shlex
from itertools import islice
from pathlib import Path
from typing import Any

from bgrun.errors import UsageError, nearest_names
from bgrun.jobfile import dependencies, env_names, matrix, params, problem_matchers, specs
from bgrun.jobfile.dependencies import needs_in
from bgrun.jobfile.schema_errors import by_schema
from bgrun.jobfile.yaml_source import Document, Fault, in_order
from bgrun.parsers import bounded_regex, progress
from bgrun.templating import quoting, template
from bgrun.templating.inputs import RenderInputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.jobfile.specs import JobFile, JobSpec
    from bgrun.jobfile.yaml_source import Path as DocumentPath

MOST_TOLD = 100
"""How many problems of each kind are looked for: to find the nearest names for thousands would take minutes."""
_ALWAYS_KNOWN = {"env", "job"}


def problems(file: str, document: Document) -> list[Fault]:
    """Return all problems of a document, in the order of the file."""
    found = list(document.problems)
    if isinstance(document.data, dict):
        found += islice(by_schema(file, document), MOST_TOLD)
        if len(found) < MOST_TOLD:
            found += islice(_beyond_schema(file, document, _sound_part(document.data, found)), MOST_TOLD)
    return in_order(found)


def _sound_part(data: Mapping[str, Any], found: list[Fault]) -> dict[str, Any]:
    """Return the jobs, groups and defaults that nothing was found in yet, which alone can be looked at further."""
    paths = [problem.path for problem in found]
    kept: dict[str, Any] = {} if _is_faulty("defaults", paths) else {"defaults": data.get("defaults")}
    for part in ("jobs", "groups"):
        named = data.get(part)
        whole = named if isinstance(named, dict) and part not in paths else {}
        kept[part] = {name: one for name, one in whole.items() if not _is_faulty(f"{part}.{name}", paths)}
    return kept


def _is_faulty(path: str, paths: list[str]) -> bool:
    return any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in paths)


# --- beyond the schema ------------------------------------------------------------------------


def _beyond_schema(file: str, document: Document, sound: Mapping[str, Any]) -> Iterator[Fault]:
    broken = {path[1]: found for path, found in _matrices(file, document, sound)}
    yield from broken.values()
    jobs = {name: raw for name, raw in sound["jobs"].items() if name not in broken}
    job_file = specs.of_document(Path(file), {**sound, "jobs": jobs})
    yield from _variables(file, document, ("defaults",), job_file.defaults)
    for job in job_file.jobs.values():
        yield from _variables(file, document, ("jobs", job.name), job.settings)
    yield from _groups(file, document, job_file)
    yield from _needs(file, document, job_file)
    for job in job_file.jobs.values():
        yield from _params(file, document, job)
        yield from _conditions(file, document, job)
        yield from _progress(file, document, job)
        yield from _matchers(file, document, job, job_file.root)
        faults = list(_templates(file, document, job))
        yield from faults or _shell(file, document, job)


def _matrices(file: str, document: Document, sound: Mapping[str, Any]) -> Iterator[tuple[DocumentPath, Fault]]:
    for name, raw in sound["jobs"].items():
        path: DocumentPath = ("jobs", name, "matrix")
        try:
            matrix.combinations(raw.get("matrix", {"one": [1]}))
        except UsageError as error:
            yield path, document.problem(file, path, error.message, error.hint)


def _variables(file: str, document: Document, path: DocumentPath, settings: specs.Settings) -> Iterator[Fault]:
    """Variables that may not be set for a job; those of the defaults are told there, and not for each job once more."""
    for key, names, why in (
        ("env", settings.env, env_names.refusal),
        ("secrets", settings.secrets, env_names.secret_refusal),
    ):
        for place, name in enumerate(names):
            where: DocumentPath = (*path, key, name if key == "env" else place)
            if where in document.places and why(name)[0]:
                yield document.problem(file, where, *why(name))


def _groups(file: str, document: Document, job_file: JobFile) -> Iterator[Fault]:
    declared = document.data.get("jobs") or {}
    for group in job_file.groups.values():
        path: DocumentPath = ("groups", group.name)
        if group.name in declared:
            yield document.problem(file, path, "a job has the same name", "rename one of the two")
        yield from _named(file, document, job_file, (*path, "jobs"), group.jobs)
        yield from _named(file, document, job_file, (*path, "depends_on"), group.before)
        for name, needs in group.edges.items():
            where: DocumentPath = (*path, "depends_on", name)
            if name not in group.jobs:
                yield document.problem(file, where, f"{name!r} is no job of this group", "add it to `jobs:`")
            yield from _named(file, document, job_file, where, needs)


def _needs(file: str, document: Document, job_file: JobFile) -> Iterator[Fault]:
    """Unknown names and circles in what jobs need; a circle of a group is told only if the jobs alone have none."""
    for job in job_file.jobs.values():
        yield from _named(file, document, job_file, ("jobs", job.name, "depends_on"), job.depends_on)
    needs = {name: job.depends_on for name, job in job_file.jobs.items()}
    if circle := dependencies.cycle(needs):
        yield _circle(file, document, ("jobs", circle[0], "depends_on"), circle)
        return
    for group in job_file.groups.values():
        if circle := dependencies.cycle(needs_in(job_file, group)):
            yield _circle(file, document, ("groups", group.name, "depends_on"), circle)


def _circle(file: str, document: Document, path: DocumentPath, circle: tuple[str, ...]) -> Fault:
    hint = "take one of these dependencies out"
    return document.problem(file, path, f"jobs that wait for each other: {' -> '.join(circle)}", hint)


def _named(
    file: str, document: Document, job_file: JobFile, path: DocumentPath, names: tuple[str, ...]
) -> Iterator[Fault]:
    """What is wrong with names of jobs that are to run without being asked for each with its parameters."""
    declared = document.data.get("jobs") or {}
    for place, name in enumerate(names):
        params_of = job_file.jobs[name].params if name in job_file.jobs else ()
        if name not in declared:
            near = nearest_names(name, declared)
            hint = f"did you mean {near[0]!r}?" if near else "declare it under `jobs:`"
            yield document.problem(file, (*path, place), f"no job named {name!r}", hint)
        elif missing := [param.name for param in params_of if param.required]:
            told = f"the job {name!r} needs the parameter {missing[0]!r}, which it is not given here"
            yield document.problem(file, (*path, place), told, "give the parameter a default")


def _params(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    for param in job.params:
        path: DocumentPath = ("jobs", job.name, "params", param.name)
        if param.name in _known(job):
            yield document.problem(file, path, "the name is taken: templates know it already", "rename it")
        try:
            bounded_regex.compiled(param.pattern)
            if param.default is not None:
                params.convert(param, param.default)
        except UsageError as error:
            yield document.problem(file, (*path, "pattern"), error.message, error.hint)
        except ValueError as error:
            yield document.problem(file, (*path, "default"), str(error), f"its type is {param.type}")


def _templates(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    known = _known(job) | {param.name for param in job.params}
    for path, text in _template_texts(document.data, job):
        for line, message in template.faults(text, known):
            hint = "declare it under `params:`" if "not declared" in message else ""
            found = document.problem(file, path, message, hint)
            yield found._replace(line=found.line + _line_offset(text, line))


def _known(job: JobSpec) -> set[str]:
    return _ALWAYS_KNOWN | ({"matrix"} if job.matrix else set())


def _conditions(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    known = _known(job) | {"os"} | {param.name for param in job.params}
    if job.condition:
        for _, message in template.faults(f"{{{{ ({job.condition}) }}}}", known):
            hint = "it knows env, os, job and the parameters" if "not declared" in message else ""
            yield document.problem(file, ("jobs", job.name, "if"), message, hint)


def _progress(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    single = isinstance(document.data["jobs"][job.name].get("progress"), str)
    for place, one in enumerate(job.progress):
        if fault := _fault(one):
            yield document.problem(file, ("jobs", job.name, "progress", *(() if single else (place,))), fault)


def _matchers(file: str, document: Document, job: JobSpec, root: Path) -> Iterator[Fault]:
    for place, named in enumerate(job.problems):
        if error := _matcher_fault(root, named):
            path: DocumentPath = ("jobs", job.name, "problems", place)
            yield document.problem(file, path, error.message, error.hint)


def _matcher_fault(root: Path, named: object) -> UsageError | None:
    try:
        problem_matchers.resolve(root, named, RenderInputs({}))
    except UsageError as error:
        return error
    return None


def _fault(expression: str) -> str:
    """Return what is wrong with an expression for progress, or ''."""
    try:
        progress.patterns([expression])
    except UsageError as error:
        return error.message
    return ""


def _line_offset(text: str, line: int) -> int:
    """A text of several lines is a block, which begins on the line behind its key."""
    return line if "\n" in text else 0


def _template_texts(data: Mapping[str, Any], job: JobSpec) -> Iterator[tuple[DocumentPath, str]]:
    raw = data["jobs"][job.name]
    base: DocumentPath = ("jobs", job.name)
    if isinstance(job.command, str):
        yield (*base, "command"), job.command
    else:
        yield from (((*base, "command", place), word) for place, word in enumerate(job.command))
    for key in ("label", "working_dir"):
        if key in raw:
            yield (*base, key), raw[key]
    for name, value in raw.get("env", {}).items():
        if isinstance(value, str):
            yield (*base, "env", name), value
    if job.junit:
        yield (*base, "reports", "junit"), job.junit
    if job.settings.concurrency and "concurrency" in raw:
        shorthand = isinstance(raw["concurrency"], str)
        yield (*base, "concurrency", *(() if shorthand else ("group",))), job.settings.concurrency.group
    for when in specs.HOOK_KEYS:
        yield from _hook_texts((*base, f"on_{when}"), raw.get(f"on_{when}", ()))


def _hook_texts(path: DocumentPath, raw: Any) -> Iterator[tuple[DocumentPath, str]]:
    if isinstance(raw, str):
        yield path, raw
    elif isinstance(raw, dict) and "command" in raw:
        yield (*path, "command"), raw["command"]
    elif isinstance(raw, list):
        for place, one in enumerate(raw):
            yield from _hook_texts((*path, place), one)


def _shell(file: str, document: Document, job: JobSpec) -> Iterator[Fault]:
    if not isinstance(job.command, str):
        return
    path: DocumentPath = ("jobs", job.name, "command")
    try:
        shell = shlex.split(job.settings.shell)
        # What only a start can tell (`if`, `for`) is checked then; a plain template now.
        if shell and Path(shell[0]).name in quoting.POSIX_SHELLS and "{%" not in job.command:
            quoting.check(template.with_placeholders(job.command))
    except ValueError as error:
        yield document.problem(file, ("jobs", job.name, "shell"), f"{job.settings.shell!r}: {error}")
    except UsageError as error:
        yield document.problem(file, path, error.message, error.hint)
