"""Whose finding a line is, and what counts of it."""

from __future__ import annotations

from bgrun.parsers.recognize import Recognizer, merged, settle
from bgrun.parsers.shape import LIKELY, MOST_FOUND, SURE, WEAK, WRAPPER, Findings, Found, Problem


def call(tool: str, certainty: int, *at: int, severity: str = "error", **more: object) -> Findings:
    """Return findings with a problem at each of these positions."""
    found = tuple(Found(Problem("f", place, None, tool, severity), place) for place in at)
    start, end = (min(at), max(at)) if at else (0, 0)
    known = {"start": start, "end": end, "counts": {"errors": len(at)}} | more
    return Findings(tool, certainty, found=found, **known)  # type: ignore[arg-type]


def settled(*calls: Findings) -> list[tuple[str, list[int]]]:
    return [(one.tool, [found.at for found in one.found]) for one in settle(calls)]


def test_a_line_is_that_of_the_most_certain_and_else_of_the_first() -> None:
    assert settled(call("a", LIKELY, 1, 2), call("b", SURE, 2, 3)) == [("a", [1]), ("b", [2, 3])]
    assert settled(call("a", LIKELY, 1, 2), call("b", LIKELY, 2)) == [("a", [1, 2])]


def test_what_is_left_of_findings_is_counted_anew() -> None:
    first, _ = settle([call("a", LIKELY, 1, 2, counts={"errors": 9}, total=9), call("b", SURE, 2)])
    assert (first.counts, first.total, first.missing) == ({"errors": 1}, None, 0)
    whole, _ = settle([call("a", LIKELY, 1, 2, total=9), call("b", SURE, 3)])
    assert (whole.counts, whole.missing) == ({"errors": 2}, 7)


def test_what_a_tool_prints_is_its_own() -> None:
    outer = call("tests", SURE, 5, start=1, end=9, owns=True)
    assert settled(outer, call("lint", SURE, 3, 4)) == [("tests", [5])]
    assert settled(outer, call("lint", SURE, 3, 12)) == [("tests", [5]), ("lint", [12])]
    # Its heading alone does not make a tool sure.
    assert settled(outer._replace(certainty=LIKELY), call("lint", LIKELY, 3)) == [("tests", [5]), ("lint", [3])]


def test_of_two_that_overlap_the_one_that_began_first_is_the_outer_one() -> None:
    outer, inner = call("a", SURE, 9, start=1, end=9, owns=True), call("b", SURE, 4, start=2, end=5, owns=True)
    assert settled(inner, outer) == [("a", [9])]


def test_the_totals_of_a_tool_within_another_do_not_count() -> None:
    outer = call("a", SURE, 9, start=1, end=9, owns=True)
    inner = call("b", SURE, start=2, end=5, counts={"passed": 7})
    assert settled(outer, inner) == [("a", [9])]
    assert settled(outer, inner._replace(start=11, end=12)) == [("a", [9]), ("b", [])]


def test_what_a_tool_finds_twice_in_a_line_is_listed_twice_and_what_it_repeats_once() -> None:
    lines = "".join(f"  1:{column}  error  Expected '==='  eqeqeq\n" for column in (3, 9))
    log = f"/a.js\n{lines}\n✖ 2 problems (2 errors, 0 warnings)\n"
    for text in (log, log * 2):
        recognizer = Recognizer(lambda raw: raw.decode())
        recognizer.feed(text.encode())
        assert [one.problem.column for one in recognizer.result().found] == [3, 9]


def test_a_wrapper_counts_only_if_nothing_else_failed() -> None:
    wrapper = call("make", WRAPPER, 9)
    assert settled(wrapper) == [("make", [9])]
    assert settled(wrapper, call("gcc", LIKELY, 1)) == [("gcc", [1])]
    assert settled(wrapper, call("gcc", LIKELY, 1, severity="warning")) == [("gcc", [1]), ("make", [9])]
    assert settled(wrapper, call("python", WEAK, 1)) == [("python", [1])]


def test_a_traceback_counts_if_nothing_surer_follows() -> None:
    assert settled(call("python", WEAK, 1), call("pytest", SURE, 5)) == [("pytest", [5])]
    assert settled(call("ruff", LIKELY, 1), call("python", WEAK, 5)) == [("ruff", [1]), ("python", [5])]
    assert settled(call("python", WEAK, 1), call("gcc", LIKELY, 5, severity="warning")) == [
        ("python", [1]),
        ("gcc", [5]),
    ]


def test_of_very_many_problems_the_first_are_kept_and_all_are_counted() -> None:
    recognizer = Recognizer(lambda raw: raw.decode())
    for number in range(MOST_FOUND + 20):
        recognizer.feed(f"a{number % 7}.c:{number + 1}:1: error: bad\nb.py:{number + 1}:1: F401 `os` unused\n".encode())
    seen = recognizer.result()
    assert (len(seen.found), seen.dropped, seen.missing) == (2 * MOST_FOUND, 40, 0)
    assert seen.counts == {"errors": 2 * MOST_FOUND + 40}


def test_counts_add_up_with_failures_first() -> None:
    found = merged([{"passed": 2, "warnings": 1}, {"failed": 1, "passed": 3, "skipped": 0}, {"errors": 1}])
    assert list(found.items()) == [("failed", 1), ("errors", 1), ("passed", 5), ("warnings", 1)]
