"""Find the jobs of a Python project: tests, linters, type checkers, tox, nox, hatch. Pure."""

from __future__ import annotations

import re
from typing import Any

from bgrun.setup.detection.found import Found, purpose
from bgrun.setup.detection.tree import get

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgrun.setup.detection.tree import Tree

RUNNERS = {
    "uv.lock": "uv run ",
    "poetry.lock": "poetry run ",
    "pdm.lock": "pdm run ",
    "Pipfile.lock": "pipenv run ",
    "pixi.lock": "pixi run ",
}
"""How each tool runs a command in the project's environment, by its lock file."""


def jobs(tree: Tree) -> Iterator[Found]:
    """Yield the jobs of the Python tools that are configured."""
    project = tree.toml("pyproject.toml")
    run = _runner(tree, project)
    hatch = list(_hatch(tree.toml("hatch.toml") or get(project, "tool", "hatch")))
    if not any(one.purpose == "test" for one in hatch):
        yield from _pytest(tree, project, run)
    yield from hatch
    yield from _linters(tree, project, run)
    yield from _types(tree, project, run)
    yield from _environments(tree, project, run)


def _runner(tree: Tree, project: dict[str, Any]) -> str:
    """Return what stands before a command to run it in the project's environment; '' where that is a venv, or none."""
    of_lock = next((run for lock, run in RUNNERS.items() if lock in tree.locks), "")
    tools = get(project, "tool") or {}
    of_table = next((f"{name} run " for name in ("uv", "poetry", "pdm") if name in tools), "")
    return (of_lock or of_table) if tree.has("pyproject.toml", "Pipfile") else ""


def _sections(tree: Tree) -> set[str]:
    """Return the names of the sections of INI files."""
    texts = "\n".join(tree.texts.get(name, "") for name in ("setup.cfg", "tox.ini"))
    return set(re.findall(r"^\[([^\]\n]+)\]", texts, re.MULTILINE))


def _pytest(tree: Tree, project: dict[str, Any], run: str) -> Iterator[Found]:
    sections = _sections(tree)
    configured = get(project, "tool", "pytest") is not None or sections & {"tool:pytest", "pytest"}
    if not (tree.tests or configured or tree.has("pytest.ini")):
        return
    named = _test_paths(tree, project)
    more = ["timeout: 1h", f"rerun: {run}pytest {{{{ failed }}}}"]
    where = named[0] if len(named) == 1 else "" if named else tree.tests or "."
    if where:
        described = "description: a directory or file of tests"
        more.insert(0, f"params: {{path: {{type: path, default: {_scalar(where)}, {described}}}}}")
    description = "The whole test suite, or the part under `path`" if where else "The whole test suite"
    command = f"{run}pytest {{{{ path }}}}" if where else f"{run}pytest"
    yield Found("pytest_full", command, description, "test", tuple(more), r"\bpytest\b|\bpy\.test\b")


def _test_paths(tree: Tree, project: dict[str, Any]) -> list[str]:
    """Return the `testpaths` of pytest's configuration."""
    named = get(project, "tool", "pytest", "ini_options", "testpaths") or get(project, "tool", "pytest", "testpaths")
    if named is None:
        texts = "\n".join(tree.texts.get(name, "") for name in ("pytest.ini", "tox.ini", "setup.cfg"))
        found = re.search(r"^testpaths[ \t]*=[ \t]*(.*(?:\n[ \t]+.+)*)", texts, re.MULTILINE)
        named = found[1] if found else ""
    return named.split() if isinstance(named, str) else [str(one) for one in named]


def _scalar(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z_./][\w./-]*", text) else f"'{text}'"


def _linters(tree: Tree, project: dict[str, Any], run: str) -> Iterator[Found]:
    tools = get(project, "tool") or {}
    short = ("timeout: 10m",)
    if "ruff" in tools or tree.has("ruff.toml", ".ruff.toml"):
        yield Found("lint", f"{run}ruff check .", "The linter", "lint", short, r"\bruff (check|\.)")
        ruff = tree.toml(".ruff.toml") or tree.toml("ruff.toml") or tools.get("ruff")
        if get(ruff, "format") is not None:
            called = r"\bruff format\b"
            yield Found("format", f"{run}ruff format --check .", "Whether all code is formatted", "lint", short, called)
    elif tree.has(".flake8") or "flake8" in _sections(tree):
        yield Found("lint", f"{run}flake8", "The linter", "lint", short, r"\bflake8\b")
    if "black" in tools:
        yield Found("format", f"{run}black --check .", "Whether all code is formatted", "lint", short, r"\bblack\b")


def _types(tree: Tree, project: dict[str, Any], run: str) -> Iterator[Found]:
    mypy = get(project, "tool", "mypy")
    ini = tree.first("mypy.ini") or (tree.texts.get("setup.cfg", "") if "mypy" in _sections(tree) else "")
    if mypy is not None or ini or tree.has("mypy.ini"):
        named = {"files", "packages", "modules"} & set(mypy or ()) or re.search(
            r"^(files|packages|modules)\s*=", ini, re.M
        )
        command = f"{run}mypy" if named else f"{run}mypy ."
        yield Found("types", command, "The type checker", "types", ("timeout: 20m",), r"\bmypy\b")
    elif get(project, "tool", "pyright") is not None or tree.has("pyrightconfig.json"):
        yield Found("types", f"{run}pyright", "The type checker", "types", ("timeout: 20m",), r"\bpyright\b")


def _environments(tree: Tree, project: dict[str, Any], run: str) -> Iterator[Found]:
    """Yield the jobs of tools that make environments of their own."""
    long = ("timeout: 2h",)
    declared = tree.texts.get("pyproject.toml", "") + tree.texts.get("Pipfile", "")

    def own(tool: str) -> str:
        return f"{run}{tool}" if re.search(rf"""["']?\b{tool}\b["' ]*([=<>~!\[,"'\]]|$)""", declared, re.M) else tool

    sections = _sections(tree)
    if get(project, "tool", "tox") is not None or tree.has("tox.toml") or sections & {"tox", "testenv"}:
        yield Found("tox", own("tox"), "All tox environments", "", long, r"\btox\b")
    if tree.has("noxfile.py"):
        yield Found("nox", own("nox"), "All nox sessions", "", long, r"\bnox\b")
    if tree.has(".pre-commit-config.yaml"):
        command = f"{own('pre-commit')} run --all-files"
        yield Found(
            "pre_commit", command, "All pre-commit hooks, on all files", "", ("timeout: 20m",), r"\bpre-commit run\b"
        )


def _hatch(hatch: Any) -> Iterator[Found]:
    """Yield the scripts of hatch's environments whose names are well known."""
    environments = get(hatch, "envs")
    for name, environment in (environments or {}).items() if isinstance(environments, dict) else ():
        scripts = get(environment, "scripts")
        for script in scripts if isinstance(scripts, dict) else ():
            if re.fullmatch(r"[\w.-]+", script) and (meant := purpose(script)):
                full = script if name == "default" else f"{name}:{script}"
                label = re.sub(r"\W", "_", f"hatch_{full}")
                description = f"The script `{script}` of hatch's environment {name}"
                yield Found(label, f"hatch run {full}", description, meant, ("timeout: 1h",), rf"\bhatch run {full}\b")
    if isinstance(environments, dict) and "hatch-test" in environments:
        yield Found("hatch_test", "hatch test", "The test suite", "test", ("timeout: 1h",), r"\bhatch test\b")
