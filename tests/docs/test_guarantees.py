"""Every row of the promises names tests and modules that exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import TOP

TEXT = (TOP / "docs" / "explanation" / "guarantees.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and line != "| event | result | mechanism | test |"]


def cells(row: str) -> list[str]:
    """Return the cells of a table row; a bar in one of them is escaped."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def has_tests(path: str) -> bool:
    tree = ast.parse((TOP / path).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: cells(row)[0][:40])
def test_a_promise_has_a_result_a_mechanism_and_a_test(row: str) -> None:
    event, result, mechanism, tests = cells(row)
    assert event and result and mechanism
    named = re.findall(r"`([^`]+)`", tests)
    assert named
    assert ", ".join(f"`{name}`" for name in named) == tests
    assert [name for name in named if not has_tests(name)] == []


def test_there_are_promises() -> None:
    assert len(ROWS) > 50
    assert len({cells(row)[0] for row in ROWS}) == len(ROWS)


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:bgrun|tests|benchmarks)/[\w/.]+)`", TEXT))
    assert len(named) > 30
    assert sorted(name for name in named if not (TOP / name).exists()) == []
