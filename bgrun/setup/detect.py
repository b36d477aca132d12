"""Detect the long commands of a project from the configuration files of its tools. Pure, given their texts."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bgrun.system.reading import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMES = (
    *("pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini", "noxfile.py", "mypy.ini", "ruff.toml", ".ruff.toml"),
    *("package.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb", "Makefile", "makefile", "GNUmakefile"),
    *("justfile", "Justfile", "Taskfile.yml", "Taskfile.yaml", "Cargo.toml", "go.mod"),
)
"""The files that are read."""
WELL_KNOWN = ("test", "tests", "check", "checks", "lint", "typecheck", "types", "build", "docs", "e2e", "bench", "all")
"""Names of scripts and targets that become jobs."""
_TABLE = re.compile(r"^\[tool\.(\w+)", re.MULTILINE)
_TARGET = re.compile(r"^([A-Za-z][\w.-]*)[ \t]*:(?!=)", re.MULTILINE)
_RECIPE = re.compile(r"^@?([A-Za-z][\w-]*)(?: [^:=\n]*)?:(?!=)", re.MULTILINE)
_TASK = re.compile(r"^  ([A-Za-z][\w:-]*):", re.MULTILINE)
_MOST = 1 << 20


class Found(NamedTuple):
    """A detected job.

    more: further lines of YAML.
    check: whether it belongs in the group `checks`.
    """

    name: str
    command: str
    description: str
    more: tuple[str, ...] = ()
    check: bool = False


def texts(directory: Path) -> dict[str, str]:
    """Read the known configuration files, by name; skip unreadable ones."""
    found: dict[str, str] = {}
    for name in NAMES:
        path = directory / name
        with suppress(OSError):
            found[name] = read_bounded(str(path), _MOST).decode("utf-8", "replace")
    return found


def has_tests(directory: Path) -> bool:
    """Return whether there is a directory of Python tests."""
    tests = directory / "tests"
    return tests.is_dir() and any((*tests.glob("test_*.py"), *tests.glob("*/test_*.py"), *tests.glob("conftest.py")))


def jobs(known: Mapping[str, str], *, tests: bool) -> list[Found]:
    """Return the jobs of a project, each name once.

    Args:
        known: the texts of its files by name.
        tests: whether it has a directory of Python tests.
    """
    every = (*_python(known, tests=tests), *_node(known), *_runners(known), *_compiled(known))
    return list({one.name: one for one in reversed(every)}.values())[::-1]


def _python(known: Mapping[str, str], *, tests: bool) -> Iterator[Found]:
    tools = set(_TABLE.findall(known.get("pyproject.toml", "")))
    config = known.get("setup.cfg", "") + known.get("tox.ini", "")
    if tests or "pytest" in tools or "pytest.ini" in known or "[tool:pytest]" in config or "[pytest]" in config:
        where = "tests" if tests else "."
        more = (
            f"params: {{path: {{type: path, default: {where}, description: a directory or file of tests}}}}",
            "timeout: 1h",
        )
        yield Found(
            "pytest_full", "pytest {{ path }}", "The whole test suite, or the part under `path`", more, check=True
        )
    if "ruff" in tools or "ruff.toml" in known or ".ruff.toml" in known:
        yield Found("lint", "ruff check .", "The linter", ("timeout: 10m",), check=True)
    if "mypy" in tools or "mypy.ini" in known or "[mypy]" in config:
        yield Found("types", "mypy .", "The type checker", ("timeout: 20m",), check=True)
    if "tox" in tools or "[tox]" in known.get("tox.ini", "") or "[testenv]" in known.get("tox.ini", ""):
        yield Found("tox", "tox", "All tox environments", ("timeout: 2h",))
    if "noxfile.py" in known:
        yield Found("nox", "nox", "All nox sessions", ("timeout: 2h",))


def _node(known: Mapping[str, str]) -> Iterator[Found]:
    locks = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun", "bun.lockb": "bun"}
    manager = next((name for lock, name in locks.items() if lock in known), "npm")
    try:
        scripts = json.loads(known.get("package.json", "{}")).get("scripts", {})
    except (ValueError, AttributeError):
        return
    for name in scripts if isinstance(scripts, dict) else ():
        if name.split(":")[0] in WELL_KNOWN and re.fullmatch(r"[\w:.-]+", name):
            label = f"{manager}_{name.replace(':', '_')}"
            description = f"The script `{name}` of package.json"
            yield Found(label, f"{manager} run {name}", description, ("timeout: 1h",), check=_checks(name))


def _runners(known: Mapping[str, str]) -> Iterator[Found]:
    makefile = next((known[name] for name in ("GNUmakefile", "makefile", "Makefile") if name in known), "")
    just = next((known[name] for name in ("justfile", "Justfile") if name in known), "")
    task = next((known[name] for name in ("Taskfile.yml", "Taskfile.yaml") if name in known), "")
    tasks = task.partition("\ntasks:")[2] or task.partition("tasks:")[2]
    for tool, names in (
        ("make", _TARGET.findall(makefile)),
        ("just", _RECIPE.findall(just)),
        ("task", _TASK.findall(tasks)),
    ):
        for name in dict.fromkeys(names):
            if name in WELL_KNOWN:
                description = f"The target `{name}` of {tool}"
                yield Found(f"{tool}_{name}", f"{tool} {name}", description, ("timeout: 1h",), check=_checks(name))


def _compiled(known: Mapping[str, str]) -> Iterator[Found]:
    if "Cargo.toml" in known:
        yield Found("cargo_test", "cargo test", "All tests of the crate or workspace", ("timeout: 1h",), check=True)
    if "go.mod" in known:
        yield Found("go_test", "go test ./...", "All tests of the module", ("timeout: 1h",), check=True)


def _checks(name: str) -> bool:
    return name.split(":", maxsplit=1)[0] in ("test", "tests", "check", "checks", "lint", "typecheck", "types")


def job_file(found: list[Found], *, schema: str = "") -> str:
    """Return the text of a first job file. schema: the path of a JSON Schema for editors, or ''."""
    head = [f"# yaml-language-server: $schema={schema}"] if schema else []
    head += [
        "# Jobs for bgrun: `bgrun jobs` lists them, `bgrun start NAME --wait -t 50s` runs one and reports what failed.",
        "defaults:",
        "  retention: {max_runs: 20, max_age: 30d}",
        "",
        "jobs:",
    ]
    body = [line for one in found or [_EXAMPLE] for line in _lines(one)]
    checks = [one.name for one in found if one.check]
    group = ["groups:", f"  checks: {{jobs: [{', '.join(checks)}], max_parallel: 2}}", ""] if len(checks) > 1 else []
    return "\n".join([*head, *body, *group]).rstrip("\n") + "\n"


_EXAMPLE = Found("example", "sleep 5; echo done", "Replace this with a command that takes long", ("timeout: 10m",))


def _lines(one: Found) -> list[str]:
    return [
        f"  {one.name}:",
        f"    description: {json.dumps(one.description)}",
        f"    command: {json.dumps(one.command)}",
        *(f"    {line}" for line in one.more),
        "",
    ]
