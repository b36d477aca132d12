"""List the templates of a job, each with its place in the job file."""

from __future__ import annotations

from typing import Any

from bgrun.jobfile import specs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bgrun.jobfile.specs import JobSpec
    from bgrun.jobfile.yaml_source import Path as DocumentPath


def line_offset(text: str, line: int) -> int:
    """Return how far below its key a line is: several lines are a block below the key."""
    return line if "\n" in text else 0


def template_texts(data: Mapping[str, Any], job: JobSpec) -> Iterator[tuple[DocumentPath, str]]:
    """Yield each template of a job, with its path in the document; that of `ready` knows other names."""
    raw = data[job.part][job.name]
    base: DocumentPath = (job.part, job.name)
    for key, command in (("command", job.command), ("rerun", job.rerun)):
        if isinstance(command, str):
            yield (*base, key), command
        else:
            yield from (((*base, key, place), word) for place, word in enumerate(command))
    if "label" in raw:
        yield (*base, "label"), raw["label"]
    if job.junit:
        yield (*base, "reports", "junit"), job.junit
    yield from (((*base, "outputs", one.name, one.kind), one.path) for one in job.outputs)
    yield from _of_settings(base, raw)


def default_texts(defaults: Mapping[str, Any]) -> Iterator[tuple[DocumentPath, str]]:
    """Yield each template of the defaults, with its path in the document."""
    yield from _of_settings(("defaults",), defaults)


def _of_settings(base: DocumentPath, raw: Mapping[str, Any]) -> Iterator[tuple[DocumentPath, str]]:
    if "working_dir" in raw:
        yield (*base, "working_dir"), raw["working_dir"]
    for name, value in raw.get("env", {}).items():
        if isinstance(value, str):
            yield (*base, "env", name), value
    yield from _of_env_file((*base, "env_file"), raw.get("env_file", ()))
    concurrency = raw.get("concurrency")
    if isinstance(concurrency, str):
        yield (*base, "concurrency"), concurrency
    elif isinstance(concurrency, dict) and "group" in concurrency:
        yield (*base, "concurrency", "group"), concurrency["group"]
    for when in specs.HOOK_KEYS:
        yield from _of_hooks((*base, f"on_{when}"), raw.get(f"on_{when}", ()))


def _of_env_file(path: DocumentPath, raw: Any) -> Iterator[tuple[DocumentPath, str]]:
    if isinstance(raw, str):
        yield path, raw
    elif isinstance(raw, dict):
        yield (*path, "path"), raw["path"]
    else:
        for place, one in enumerate(raw):
            yield from _of_env_file((*path, place), one)


def _of_hooks(path: DocumentPath, raw: Any) -> Iterator[tuple[DocumentPath, str]]:
    if isinstance(raw, str):
        yield path, raw
    elif isinstance(raw, dict) and "command" in raw:
        yield (*path, "command"), raw["command"]
    elif isinstance(raw, list):
        for place, one in enumerate(raw):
            yield from _of_hooks((*path, place), one)
