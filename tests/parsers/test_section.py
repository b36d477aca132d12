"""The lines of a log that are about one problem, and the names by which it is asked for. Pure."""

from __future__ import annotations

import pytest

from bgrun.parsers.section import named, section
from bgrun.parsers.shape import Problem

PYTEST = """\
=================================== FAILURES ===================================
___________________________ TestCart.test_add[1-2] ____________________________

    def test_add(self):
>       assert 1 == 2

tests/test_cart.py:7: AssertionError
__________________ ERROR at setup of test_take __________________
E   KeyError: 'apple'
=========================== short test summary info ============================
FAILED tests/test_cart.py::TestCart::test_add[1-2] - assert 1 == 2
"""
UNITTEST = """\
test_add (t.Cart.test_add) ... FAIL
======================================================================
FAIL: test_add (t.Cart.test_add)
----------------------------------------------------------------------
Traceback (most recent call last):
AssertionError: 2 != 3

======================================================================
ERROR: test_additional (t.Cart.test_additional)
----------------------------------------------------------------------
KeyError: 'x'

----------------------------------------------------------------------
Ran 2 tests in 0.001s
"""
GO = "=== RUN   TestA\n--- FAIL: TestA (0.00s)\n    a_test.go:5: no\n=== RUN   TestB\n--- PASS: TestB (0.00s)\nFAIL\n"
RUST = (
    "---- cart::adds stdout ----\nthread panicked\n\n---- cart::takes stdout ----\nother\n\nfailures:\n    cart::adds\n"
)
JEST = "FAIL ./a.test.js\n  ● cart › adds\n\n    expect(1)\n\n  ● cart › takes\n\n    other\n\nTests: 2 failed\n"
GCC = "make: x\na\nb\nsrc/x.c:3:1: error: expected ;\n    3 | int\n      | ^\nmake: *** 1\n"


@pytest.mark.parametrize(
    ("log", "problem", "first", "last"),
    [
        (
            PYTEST,
            Problem("t.py", 7, "tests/test_cart.py::TestCart::test_add[1-2]", ""),
            "_____",
            "tests/test_cart.py:7: ",
        ),
        (PYTEST, Problem("t.py", 9, "tests/test_cart.py::test_take", ""), "_____", "E   KeyError: 'apple'"),
        (UNITTEST, Problem("t.py", 7, "t.Cart.test_add", "", test=True), "FAIL: test_add ", "AssertionError: 2 != 3"),
        (GO, Problem("a_test.go", 5, "TestA", "no"), "--- FAIL: TestA", "    a_test.go:5: no"),
        (RUST, Problem("c.rs", 5, "cart::adds", "no"), "---- cart::adds", "thread panicked"),
        (JEST, Problem("a.test.js", 5, "cart - adds", "no"), "  \u25cf cart \u203a adds", "    expect(1)"),
        (GCC, Problem("src/x.c", 3, None, "expected ;"), "make: x", "make: *** 1"),
        ("a\nno such thing\n", Problem(None, None, None, "no such thing"), "a", "no such thing"),
    ],
)
def test_a_problem_has_its_own_lines(log: str, problem: Problem, first: str, last: str) -> None:
    found = section(log.splitlines(), problem)
    assert found[0].startswith(first)
    assert found[-1].startswith(last)


def test_a_problem_that_the_log_does_not_name_has_none() -> None:
    assert section(GO.splitlines(), Problem("x.go", 1, "TestC", "yes")) == []
    assert section([], Problem("x.go", 1, "TestC", "yes")) == []


A = Problem("tests/a.py", 7, "tests/a.py::test_one", "assert 1 == 2")
B = Problem("tests/a.py", 7, "tests/a.py::test_two", "boom")
C = Problem("src/x.c", 3, None, "expected ;", column=1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tests/a.py::test_two", B),
        ("test_two", B),
        ("tests/a.py:7", A),
        ("tests/a.py:7 test_two", B),
        ("tests/a.py:7 test_two: boom", B),
        ("./tests/a.py:7:", A),
        ("a.py:7", A),
        ("x.c:3", C),
        ("src/x.c:3:1", C),
        ("expected ;", C),
        ("b.py:7", None),
        ("y.x.c:3", None),
        ("wo", None),
        ("", None),
    ],
)
def test_a_problem_is_asked_for_as_a_summary_names_it(text: str, problem: Problem | None) -> None:
    assert named([A, B, C], text) == problem
