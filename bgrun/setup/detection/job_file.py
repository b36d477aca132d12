"""Write the jobs that were detected as the text of a first job file. Pure."""

from __future__ import annotations

import json

from bgrun.setup.detection import choice
from bgrun.setup.detection.found import Found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgrun.setup.detection.services import Service

GROUP = "checks"
EXAMPLE = Found("example", "sleep 5; echo done", "Replace this with a command that takes long", "", ("timeout: 10m",))


def text(found: Sequence[Found], *, schema: str = "", venv: str = "", services: Sequence[Service] = ()) -> str:
    """Return the text of a first job file.

    Args:
        found: the jobs.
        schema: the path of a JSON Schema for editors, or ''.
        venv: the path of a Python virtual environment that is in another directory, or ''.
        services: the servers.
    """
    head = [f"# yaml-language-server: $schema={schema}"] if schema else []
    head += [
        "# Jobs for bgrun: `bgrun jobs` lists them, `bgrun start NAME --wait -t 50s` runs one and reports what failed.",
        "defaults:",
        "  retention: {max_runs: 20, max_age: 30d}",
        *([f"  venv: {json.dumps(venv)}"] if venv else []),
        "",
    ]
    names = {one.name for one in found}
    served = [line for one in services if one.name not in names for line in _service_lines(one)]
    body = [line for one in found or [EXAMPLE] for line in _lines(one)]
    checks = choice.checks(found)
    group = ["groups:", f"  {GROUP}: {{jobs: [{', '.join(checks)}], max_parallel: 2}}", ""] if len(checks) > 1 else []
    before = ["services:", *served] if served else []
    return "\n".join([*head, *before, "jobs:", *body, *group]).rstrip("\n") + "\n"


def _service_lines(one: Service) -> list[str]:
    return [
        f"  {one.name}:",
        f"    description: {json.dumps(one.description, ensure_ascii=False)}",
        f"    command: {json.dumps(one.command)}",
        *([f"    port: {one.port}"] if one.port else []),
        f"    ready: {one.ready}",
        "",
    ]


def _lines(one: Found) -> list[str]:
    return [
        f"  {one.name}:",
        f"    description: {json.dumps(one.description, ensure_ascii=False)}",
        f"    command: {json.dumps(one.command)}",
        *(f"    {line}" for line in one.more),
        "",
    ]
