"""The architecture: imports go down only, and the engine imports nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bgrun.bytecode import contents
from tests.conftest import TOP

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEVELS = {
    **{"light": 0, "codec": 0, "wording": 0},
    **{"errors": 1, "model": 1, "plan": 1},
    **{"system": 2, "parsers": 2, "templating": 2, "engine": 2},
    **{"store": 3, "bytecode": 3},
    **{"jobfile": 4, "logs": 4},
    **{"render": 5, "local": 5, "slurm": 5, "setup": 5},
    **{"api": 6},
    **{"mcp": 7},
    **{"cli": 8},
    **{"__main__": 9, "": 9},
}
HEAVY = {"click", "jinja2", "jsonschema", "yaml", "dotenv", "psutil", "dataclasses", "asyncio", "pathlib", "shutil"}
MODULES = sorted((TOP / "bgrun").glob("**/*.py"))


FACES = ("cli", "mcp")
FOR_FACES = {"api", "errors", "light", "model", "setup", "wording"}


def imports(path: Path, *, types: bool = False) -> Iterator[str]:
    """Give every module that a module imports, wherever in it; what only type checking needs if `types`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    skipped: set[int] = set() if types else {id(inner) for node in for_types for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room(module: str) -> str:
    """Return the room of a module of bgrun: the part behind `bgrun.`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LEVELS else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TOP / "bgrun")))
def test_imports_go_down_only(path: Path) -> None:
    inside = path.relative_to(TOP / "bgrun").parts
    here = inside[0].removesuffix(".py") if inside[0] != "__init__.py" else ""
    for name in imports(path):
        if name.split(".")[0] != "bgrun" or name == "bgrun.__version__":
            continue
        there = room(name)
        assert LEVELS[there] < LEVELS[here] or there == here, f"{path.name} imports {name}"


def names_in(path: Path) -> Iterator[str]:
    """Give the modules of bgrun that a module names in a string, as for `__import__` or `sys.modules`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("bgrun."):
            yield node.value.partition(":")[0]


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.relative_to(TOP / "bgrun").parts[0] in FACES],
    ids=lambda path: str(path.relative_to(TOP / "bgrun")),
)
def test_a_face_knows_the_rest_of_bgrun_through_api_only(path: Path) -> None:
    face = path.relative_to(TOP / "bgrun").parts[0]
    # One command of the command line is to serve the other face.
    allowed = {face, *FOR_FACES, *(("mcp",) if path.name == "mcp.py" else ())}
    known = {name for name in (*imports(path, types=True), *names_in(path)) if name.split(".")[0] == "bgrun"}
    known -= {"bgrun.__version__", *(f"bgrun.{room}" for room in allowed)}
    assert {name for name in known if name.split(".")[1] not in allowed} == set()


def graph() -> dict[str, set[str]]:
    """Return the modules of bgrun that each module of it imports, wherever in it."""
    names = {".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        needed = {one if one in names else one.rpartition(".")[0] for one in imports(path)}
        found[name] = (needed & set(names)) - {name}
    return found


def test_no_modules_import_each_other_in_a_cycle() -> None:
    left = graph()
    while free := {name for name, needed in left.items() if not needed & set(left)}:
        left = {name: needed for name, needed in left.items() if name not in free}
    assert not left, {name: sorted(needed & set(left)) for name, needed in left.items()}


@pytest.mark.parametrize("path", [p for p in MODULES if "local" in p.parts], ids=lambda path: path.stem)
def test_the_engine_never_imports_what_only_the_command_line_needs(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path)} & {"click", "jinja2", "jsonschema", "yaml", "dotenv"}


def loaded(statement: str) -> set[str]:
    """Return the modules that are loaded by a statement in a bare interpreter, as the supervisor has it."""
    code = f"import sys; sys.path.insert(0, {str(TOP)!r}); {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    return {part for name in done.stdout.split() for part in (name, name.split(".")[0])}


LOOK = (
    "import bgrun.cli.app, bgrun.cli.commands.list, bgrun.cli.commands.status, bgrun.cli.parser, bgrun.api.references"
)


def test_a_look_loads_nothing_that_it_does_not_use() -> None:
    seldom = {"bgrun.api.insight", "bgrun.cli.digest_text", "bgrun.plan", "errno", "itertools"}
    assert not loaded(LOOK) & (HEAVY | seldom)


def test_the_supervisor_loads_nothing_heavy() -> None:
    assert not loaded("import bgrun.local.launch.begin") & HEAVY


def test_finding_the_project_costs_nothing_heavy() -> None:
    assert not loaded("import bgrun.jobfile.project") & (HEAVY - {"pathlib"})


def test_every_module_that_a_supervisor_copies_exists() -> None:
    files = {name: TOP.joinpath(*name.split(".")) for name in contents.ALL}
    assert [name for name, path in files.items() if not path.is_dir() and not path.with_suffix(".py").is_file()] == []


MOST_LINES, MOST_MODULES = 200, 16
"""How long a class is at most, and how many modules a room has: more than that is several things under one name."""


def long_classes(path: Path) -> Iterator[str]:
    """Give the classes of a module that are too long, each with its length in lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES:
            yield f"{node.name}: {lines}"


def test_a_class_is_short_enough_to_be_read_at_once() -> None:
    assert {str(path.relative_to(TOP)): found for path in MODULES if (found := [*long_classes(path)])} == {}


def test_a_long_class_is_found(tmp_path: Path) -> None:
    made = tmp_path / "made.py"
    body = "    a = 1\n" * (MOST_LINES - 1)
    made.write_text(f"class Short:\n{body}\n\nclass Long:\n{body}    b = 1\n")
    assert [*long_classes(made)] == [f"Long: {MOST_LINES + 1}"]


def test_a_room_has_no_more_modules_than_one_can_remember() -> None:
    rooms = Counter(str(path.parent.relative_to(TOP)) for path in MODULES if path.name != "__init__.py")
    assert rooms.total() > 100
    assert {room: count for room, count in rooms.items() if count > MOST_MODULES} == {}
