"""What a test report and the log of the same run say is combined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgrun.logs.combine import Combined, combined
from bgrun.logs.places import Places
from bgrun.parsers.junit import Report
from bgrun.parsers.recognize import Recognized
from bgrun.parsers.shape import LIKELY, SURE, WRAPPER, Findings, Found, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

NOWHERE = Places("", "", "")


def a_test(name: str, message: str = "") -> Problem:
    return Problem("t.py", None, name, message, test=True)


def call(
    tool: str, certainty: int, *problems: Problem, counts: Mapping[str, int], total: int | None = None
) -> Findings:
    found = tuple(Found(one, at) for at, one in enumerate(problems))
    return Findings(tool, certainty, 0, len(found), found, counts, total)


def together(report: Report | None, *calls: Findings, unclaimed: int = 0) -> Combined:
    return combined(report, Recognized(calls, unclaimed), NOWHERE)


REPORT = Report({"failed": 1, "passed": 3}, (a_test("t.T.test_a", "of the report"),))
LINT = call("ruff", SURE, Problem("x.py", 1, "F401", "unused"), counts={"errors": 1}, total=1)


def test_without_a_report_the_log_is_told() -> None:
    found = together(None, LINT, unclaimed=2)
    assert [one.id for one in found.problems] == ["F401"]
    assert (found.counts, found.tests, found.source, found.unclaimed) == ({"errors": 1}, {}, "log", 2)


def test_what_the_log_says_of_the_tests_of_the_report_is_left_out() -> None:
    runner = call("pytest", SURE, a_test("t.py::T::test_a", "cut…"), counts={"failed": 1, "passed": 3}, total=1)
    same = call("pytest", SURE, a_test("t.T::test_a", "of the log"), counts={"failed": 1, "passed": 3}, total=1)
    for one in (runner, same):
        found = together(REPORT, one)
        assert [problem.message for problem in found.problems] == ["of the report"]
        assert (found.counts, found.source, found.missing) == ({"failed": 1, "passed": 3}, "junit", 0)


def test_other_tools_and_other_tests_of_the_log_are_added() -> None:
    other = call("go", SURE, a_test("TestB"), counts={"failed": 1, "passed": 9}, total=2)
    found = together(REPORT, LINT, other)
    assert [one.id for one in found.problems] == ["t.T.test_a", "F401", "TestB"]
    assert found.counts == {"failed": 2, "errors": 1, "passed": 12}
    assert found.tests == {"failed": 2, "passed": 12}
    assert found.missing == 1


def test_of_an_incomplete_report_the_totals_are_those_of_the_log() -> None:
    runner = call("pytest", SURE, a_test("test_a"), a_test("test_b"), counts={"failed": 2, "passed": 7}, total=2)
    found = together(REPORT._replace(note="cut off"), runner)
    assert found.counts == {"failed": 2, "passed": 7}


def test_a_wrapper_says_nothing_beside_a_report_that_has_failures() -> None:
    wrapper = call("make", WRAPPER, Problem("Makefile", 2, "test", "Error 1"), counts={"errors": 1})
    found = together(REPORT, wrapper)
    assert ([one.id for one in found.problems], found.wrapped) == (["t.T.test_a"], False)
    alone = together(Report({"passed": 3}, ()), wrapper)
    assert ([one.id for one in alone.problems], alone.wrapped, alone.source) == (["test"], True, "log")


def test_warnings_are_listed_only_without_errors_and_counted_always() -> None:
    mild = call("gcc", LIKELY, Problem("a.c", 1, None, "w", "warning"), counts={"warnings": 1})
    assert [one.severity for one in together(None, mild).problems] == ["warning"]
    both = together(None, mild, LINT)
    assert ([one.id for one in both.problems], both.counts) == (["F401"], {"errors": 1, "warnings": 1})


def test_without_anything_there_is_nothing() -> None:
    assert together(None) == ((), {}, {}, 0, "", False, 0, 0)
