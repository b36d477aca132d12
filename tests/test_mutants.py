"""The mutants that the tests themselves are tested with: benchmarks/mutants.py."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import TOP

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '''"""Words."""
from contextlib import suppress

TYPE_CHECKING = False
LEAST: int = 3


def first(numbers: list[int], most: int = 0) -> int:
    """More words."""
    for number in numbers:
        if number < LEAST and not most:
            continue
        with suppress(OSError):
            remove(number)
            numbers.append(f"é {number + 1}")
        raise ValueError(f"no {number + 1}")
    return min(numbers)
'''


@pytest.fixture
def mutation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOP / "benchmarks"))
    return importlib.import_module("mutation")


@pytest.fixture
def mutants(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOP / "benchmarks"))
    return importlib.import_module("mutants")


def test_each_mutant_is_one_change_that_compiles(mutation: Any) -> None:
    made = mutation.mutants("a/b", SOURCE)
    assert len({one.name for one in made}) == len(made) > 12
    for one in made:
        assert ast.dump(ast.parse(one.applied(SOURCE))) != ast.dump(ast.parse(SOURCE)), one
        assert SOURCE.splitlines()[one.line - 1].strip() == one.before or one.kind == "guard"
    assert {one.kind for one in made} == {
        "and/or", "call", "compare", "condition", "constant", "guard", "left out", "loop", "operand", "result", "unary",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("LEAST: int = 3", "LEAST: int = (4)"),
        ("if number < LEAST and not most:", "if (number <= LEAST) and not most:"),
        ("if number < LEAST and not most:", "if number < LEAST and (most):"),
        ("continue", "break"),
        ("remove(number)", "pass"),
        ("with suppress(OSError):", "if True:"),
        ("return min(numbers)", "return (max(numbers))"),
    ],
)
def test_what_is_changed(mutation: Any, before: str, after: str) -> None:
    assert (before, after) in {(one.before, one.after) for one in mutation.mutants("a/b", SOURCE)}


def test_what_only_a_reader_sees_is_left_alone(mutation: Any) -> None:
    lines = {one.before for one in mutation.mutants("a/b", SOURCE)}
    assert not {line for line in lines if "words" in line.lower() or "TYPE_CHECKING" in line}
    assert not {one.after for one in mutation.mutants("a/b", SOURCE) if "number + 2" in one.after}


def test_the_diff_shows_the_change(mutation: Any) -> None:
    one = next(one for one in mutation.mutants("a/b", SOURCE) if one.kind == "loop")
    assert one.diff(SOURCE).splitlines()[1:] == ["-            continue", "+            break"]


def test_the_table_names_what_there_is(mutants: Any) -> None:
    """Whoever moves a module or a file of tests changes AREAS in benchmarks/mutants.py."""
    for area in mutants.AREAS.values():
        assert [module for module in area.modules if not mutants.path_of(module).is_file()] == []
        assert [pattern for pattern in area.tests if not list((TOP / "tests").glob(pattern))] == []
        assert all(mutants.tests_of(area, module) for module in area.modules)


def test_a_sample_is_the_same_for_the_same_seed_and_takes_from_every_area(mutants: Any) -> None:
    one, same, other = (mutants.sample(21, seed, []) for seed in (1, 1, 2))
    assert one == same != other
    assert {task.area for task in one} == set(mutants.AREAS)
    assert {task.mutant.module for task in mutants.sample(9, 1, ["system/lock"])} == {"system/lock"}


def test_every_judgement_has_a_reason_and_is_of_a_line_that_is_there(mutants: Any) -> None:
    for (module, _, before, _), reason in mutants.judged().items():
        assert len(reason) > 20, (module, before)
        text = mutants.path_of(module).read_text(encoding="utf-8")
        assert before in {line.strip() for line in text.splitlines()}, f"{module} no longer has: {before}"


@pytest.mark.timeout(300)
def test_a_mutant_is_killed_in_a_copy_and_the_checkout_is_left_alone(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sorted((TOP / "bgrun").rglob("*.py"))}
    words = ["--sample", "3", "--only", "store/state", "--tests", "tests/store/test_state.py", "--at-once", "1"]
    command = [sys.executable, str(TOP / "benchmarks" / "mutants.py"), *words, "--results", str(tmp_path / "r.jsonl")]
    for _ in range(2):  # the second time they are known already
        done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "3 of 3 tried" in done.stdout
        assert "killed: 0" not in done.stdout
    assert {path: path.read_bytes() for path in before} == before
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 3
