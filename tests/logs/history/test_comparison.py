"""What a comparison of two digests claims, and where it claims nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgrun.logs.digest import Digest
from bgrun.logs.history import comparison
from bgrun.logs.history.comparison import Comparison, ToolRun
from bgrun.model import Run
from bgrun.parsers.shape import Problem

PYTEST, RUFF, GCC = ToolRun("pytest", True, 60, 60), ToolRun("ruff"), ToolRun("gcc")


def digest(*problems: Problem, tools: tuple[ToolRun, ...] = (PYTEST,), ok: bool = False, **more: object) -> Digest:
    known = dict.fromkeys(Run._fields[:19]) | {"run_id": "x_1", "state": "succeeded" if ok else "failed"}
    kept = {"silent" if ok else "problems": problems, "complete": True, "tools": tools, **more}
    return Digest(Run(**known), **kept)  # type: ignore[arg-type]


def failed(name: str, message: str = "no", **more: object) -> Problem:
    return Problem("test_a.py", 3, f"test_a.py::{name}", message, tool="pytest", test=True)._replace(**more)  # type: ignore[arg-type]


def finding(rule: str, line: int = 1, tool: str = "ruff", message: str = "bad") -> Problem:
    return Problem("a.py", line, rule, message, tool=tool)


def test_a_test_is_new_whatever_its_message_and_line_were() -> None:
    now = digest(failed("a", "other", line=9), failed("b"), failed("a", phase="teardown"))
    assert comparison.compare(now, digest(failed("a"), failed("c"))) == Comparison("x_1", (1, 2), 1)


def test_a_finding_is_known_by_rule_and_message_on_another_line_too() -> None:
    now = digest(finding("F1", 7), finding("F1", 9), finding("F2"), tools=(RUFF,))
    assert comparison.compare(now, digest(finding("F1"), finding("F3"), tools=(RUFF,))) == Comparison("x_1", (1, 2), 1)


def test_after_a_success_everything_is_new_and_before_one_everything_fixed() -> None:
    good = digest(ok=True)
    assert comparison.compare(digest(failed("a")), good) == Comparison("x_1", (0,), 0)
    assert comparison.compare(good, digest(failed("a"), failed("b"))) == Comparison("x_1", (), 2)
    quiet = digest(ok=True, tools=())
    assert comparison.compare(digest(finding("e", tool="gcc"), tools=(GCC,)), quiet) == Comparison("x_1", (0,), 0)


def test_a_failure_that_a_success_hides_is_not_new_afterwards() -> None:
    """A job such as `pytest || true` succeeds although tests fail."""
    hidden = digest(failed("a"), ok=True)
    assert comparison.compare(digest(failed("a")), hidden) == Comparison("x_1", (), 0)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (digest(failed("a")), digest(complete=False)),
        (digest(failed("a"), complete=False), digest(ok=True)),
        (digest(failed("a")), digest(ok=True, made_by="other code")),
        (digest(failed("a")), digest(ok=True, tools=())),
        (digest(failed("a")), digest(failed("b"), tools=(ToolRun("pytest", True),))),
        (digest(failed("a")), digest(finding("F1"), tools=(RUFF,))),
        (digest(finding("e", tool="gcc"), tools=(GCC,)), digest(failed("a"))),
        (digest(failed("a"), tools=(PYTEST, ToolRun("junit", True, 60, 60))), digest(ok=True)),
        (digest(finding("w")._replace(severity="warning"), tools=(RUFF,)), digest(finding("F1"), tools=(RUFF,))),
        (digest(failed("a"), wrapped=True), digest(ok=True)),
        (digest(), digest(failed("a"))),
    ],
    ids=[
        "earlier log not searched whole", "log not searched whole", "other parsers", "no test ran before", "no total before",
        "another tool failed before", "tool may not have run before", "report only now", "warnings left out before",
        "only make's error", "nothing recognized",
    ],
)  # fmt: skip
def test_no_claim_is_made_where_the_digests_do_not_show_it(now: Digest, before: Digest) -> None:
    assert comparison.compare(now, before) is None


@pytest.mark.parametrize(
    ("tools", "fixed"),
    [
        ((ToolRun("pytest", True, 60, 60),), 1),
        ((ToolRun("pytest", True, 61, 61),), 1),
        ((ToolRun("pytest", True, 12, 12),), None),
    ],
)
def test_what_a_run_may_not_have_reached_is_not_fixed(tools: tuple[ToolRun, ...], fixed: int | None) -> None:
    """Pytest -x stops at the first failure."""
    found = comparison.compare(digest(failed("b"), tools=tools), digest(failed("a")))
    assert found == Comparison("x_1", (0,), fixed)


def test_a_compiler_that_stopped_earlier_has_fixed_nothing() -> None:
    now, before = (digest(finding(rule, tool="gcc"), tools=(GCC,)) for rule in ("a", "b"))
    assert comparison.compare(now, before) == Comparison("x_1", (0,), None)
    assert comparison.compare(now, now) == Comparison("x_1", (), None)


@pytest.mark.parametrize(
    ("tests", "fixed"), [((2, 1), (None, None)), ((5, 5), (0, 1))], ids=["only the failed ones are counted", "with -v"]
)
def test_of_go_nothing_is_fixed_unless_it_counts_what_passed(tests: tuple[int, int], fixed: tuple[object, ...]) -> None:
    """The words are the same whether a test was fixed or not."""
    before, now = (
        digest(*(failed(name, tool="go") for name in names), tools=(ToolRun("go", True, number, number),))
        for names, number in zip(("ab", "a"), tests, strict=True)
    )
    assert comparison.compare(before, before) == Comparison("x_1", (), fixed[0])
    assert comparison.compare(now, before) == Comparison("x_1", (), fixed[1])


PROBLEMS = st.lists(st.builds(failed, st.sampled_from("abc")) | st.builds(finding, st.sampled_from("abc")), max_size=5)


@given(PROBLEMS, PROBLEMS)
def test_numbers_agree(ours: list[Problem], theirs: list[Problem]) -> None:
    now, before = (digest(*every, tools=(PYTEST, RUFF)) for every in (ours, theirs))
    found = comparison.compare(now, before)
    assert (found is None) == (not ours)
    if found and found.fixed is not None:
        assert len(ours) - len(found.new) + found.fixed == len(theirs)


def test_a_test_passed_where_as_many_ran_and_it_is_not_named() -> None:
    now = digest(failed("a"), failed("b"), failed("c", phase="setup"), finding("F1"))
    assert list(comparison.passed_in(now, digest(ok=True))) == [0, 1]
    assert list(comparison.passed_in(now, digest(failed("a")))) == [1]
    for other in (
        digest(ok=True, complete=False),
        digest(ok=True, tools=(ToolRun("pytest", True, 60, 59),)),
        digest(tools=()),
    ):
        assert list(comparison.passed_in(now, other)) == []
