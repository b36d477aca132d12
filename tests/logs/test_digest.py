"""What is told of a run at one look, from a log of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.api import documents
from bgrun.cli import digest_text
from bgrun.logs import digest as digests
from bgrun.logs import excerpt, reader, search
from bgrun.logs.deadline import NEVER, Deadline
from bgrun.logs.history.comparison import Comparison
from bgrun.model import Run
from bgrun.parsers import recognize
from bgrun.plan import RenderedJob
from bgrun.store.paths import RunPaths

if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.logs.digest import Digest

PROBLEM = "x.py:3:1: F401 unused\n"
RUN_ID = "x_20260101_000000"


def a_run(state: str = "failed") -> Run:
    known = dict.fromkeys(Run._fields[:19]) | {
        "run_id": RUN_ID,
        "label": "x",
        "state": state,
        "exit_code": 1,
        "cmd": "ruff",
    }
    return Run(**known)  # type: ignore[arg-type]


def digest_of(folder: Path, log: str, state: str = "failed", *, deadline: Deadline = NEVER, **job: object) -> Digest:
    (folder / f"{RUN_ID}.log").write_text(log)
    made = RenderedJob("x", "", **{"cmd": "ruff check", "shell": "", "working_dir": str(folder), **job})  # type: ignore[arg-type]
    return digests.of_run(RunPaths(str(folder), RUN_ID), a_run(state), made, {"repo_dir": str(folder)}, deadline)


LINE = "y" * 63 + "\n"
MATCHER = {"owner": "o", "pattern": [{"regexp": "^at (\\d+): (.*)$", "line": 1, "message": 2}]}


def test_a_log_of_many_mebibytes_is_searched_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    more = search.END_BYTES // len(LINE)
    found = digest_of(tmp_path, PROBLEM.replace("3:1", "1:1") + LINE * more + PROBLEM)
    assert [(one.file, one.line) for one in found.problems] == [("x.py", 1), ("x.py", 3)]
    assert (found.note, found.head) == (None, ())


def test_a_search_that_takes_too_long_continues_at_the_end_of_the_log_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SEARCH_S", 0.0)
    monkeypatch.setattr(search, "END_BYTES", 1000)
    monkeypatch.setattr(search, "LAST_BYTES", 1000)
    middle = PROBLEM.replace("3:1", "2:1") + LINE * 4000
    found = digest_of(tmp_path, PROBLEM.replace("3:1", "1:1") + LINE * 1500 + middle + PROBLEM)
    assert [one.line for one in found.problems] == [1, 3]
    assert found.note == "1 MiB in the middle of the log was not searched"
    # A short log is searched whole, however late it is.
    assert digest_of(tmp_path, PROBLEM).note is None


@pytest.fixture
def slow_clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let each block of a log take half a second of processor time; return that clock, which shows twice as much."""
    at = [0.0]

    def tick() -> float:
        at[0] += 0.5  # it is read before and after each block
        return at[0]

    monkeypatch.setattr(recognize, "thread_time", tick)
    return at


def test_the_end_of_a_log_is_searched_for_a_limited_time_too(tmp_path: Path, slow_clock: list[float]) -> None:
    first, last = PROBLEM.replace("3:1", "1:1"), PROBLEM
    found = digest_of(tmp_path, first + LINE * ((12 << 20) // len(LINE)) + last)
    assert [one.line for one in found.problems] == [1, 3]
    assert found.note == "11 MiB in the middle of the log were not searched"
    blocks = search.LAST_BYTES // reader.BLOCK + 1
    assert slow_clock[0] / 2 <= search.SEARCH_S + search.END_S + blocks / 2 + 2
    assert (found.complete, found.hurried) == (False, False)


def test_a_caller_in_a_hurry_gets_what_the_end_of_the_log_has(tmp_path: Path) -> None:
    first, last = PROBLEM.replace("3:1", "1:1"), "3 failed, 2 passed in 0.1s\n"
    failed = "FAILED t.py::test_a - no\n"
    log = first + LINE * ((1 << 20) // len(LINE)) + failed + last
    found = digest_of(tmp_path, log, deadline=Deadline(0.0))
    assert [one.id for one in found.problems] == ["t.py::test_a"]
    assert (found.counts, found.unrecognized) == ({"failed": 3, "passed": 2}, 2)
    assert found.note == f"1 MiB in the middle of the log was not searched; for more of it: 'bgrun report {RUN_ID}'"
    assert (found.complete, found.hurried) == (False, True)
    # One who has time gets all of it.
    whole = digest_of(tmp_path, log)
    assert (len(whole.problems), whole.note, whole.hurried) == (2, None, False)


def test_what_is_short_enough_is_searched_whole_in_any_hurry(tmp_path: Path) -> None:
    found = digest_of(tmp_path, PROBLEM + LINE * ((search.LAST_BYTES - 100) // len(LINE)), deadline=Deadline(0.0))
    assert ([one.line for one in found.problems], found.note, found.hurried) == ([3], None, False)


def test_of_a_run_that_succeeded_it_says_that_its_counts_are_not_whole(tmp_path: Path) -> None:
    log = "3 passed in 0.1s\n" + LINE * ((1 << 20) // len(LINE)) + "4 passed in 0.1s\n"
    found = digest_of(tmp_path, log, "succeeded", cmd="make", deadline=Deadline(0.0))
    assert (found.counts, (found.note or "")[:5]) == ({"passed": 4}, "1 MiB")
    assert digest_of(tmp_path, LINE * (1 << 14), "succeeded", deadline=Deadline(0.0)).note is None


def test_matchers_of_the_job_have_less_time_in_a_hurry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LEAST_MATCH_S", 0.0)
    found = digest_of(tmp_path, "at 1: a\n", problems=(MATCHER,), deadline=Deadline(0.0))
    assert (found.problems, found.hurried) == ((), True)
    assert found.note == f"the search for problems stopped after 0s; for more of it: 'bgrun report {RUN_ID}'"
    assert len(digest_of(tmp_path, "at 1: a\n", problems=(MATCHER,)).problems) == 1


def test_of_a_log_with_matchers_of_the_job_the_end_is_searched_and_the_rest_said_to_be_unread(tmp_path: Path) -> None:
    log = "at 1: a\n" + LINE * (search.END_BYTES // len(LINE)) + "at 2: b\n"
    found = digest_of(tmp_path, log, problems=(MATCHER,))
    assert [one.line for one in found.problems] == [2]
    assert found.note == "only the last 8 MiB of the log were searched"
    # A log of just that size is searched whole; one byte more, and the line that begins before is no line.
    filler = "y" * (search.END_BYTES - 9)
    assert digest_of(tmp_path, f"at 1: a\n{filler}\n", problems=(MATCHER,)).problems[0].line == 1
    assert digest_of(tmp_path, f"at 1: a\n{filler}y\n", problems=(MATCHER,)).problems == ()


def test_only_the_last_attempt_counts(tmp_path: Path) -> None:
    again = "--- bgrun: attempt 2 of 2 in 0 s; the one before ended with exit code 1 ---\n"
    log = PROBLEM + again + PROBLEM.replace("x.py", "y.py")
    (tmp_path / f"{RUN_ID}.log").write_text(log)
    at, job = RunPaths(str(tmp_path), RUN_ID), RenderedJob("x", "", "ruff", "", str(tmp_path))
    found = digests.of_run(at, a_run(), job, {"attempts": "2"})
    assert [one.file for one in found.problems] == ["y.py"]
    assert found.note == "attempt 2 of 2"
    # Without attempts it is a line like any other.
    assert len(digests.of_run(at, a_run(), job, {}).problems) == 2


@pytest.mark.parametrize(("lines", "head", "tail"), [(4, 0, 4), (40, 3, 12), (excerpt.BYTES, 0, 12)])
def test_the_first_and_last_lines_are_those_of_the_last_attempt(
    tmp_path: Path, lines: int, head: int, tail: int
) -> None:
    again = "--- bgrun: attempt {} of 3 in 0.5 s; the one before ended with exit code 1 ---\n"
    log = "a\n" * 20 + again.format(2) + "b\n" * 20 + again.format(3) + "c\n" * lines
    (tmp_path / f"{RUN_ID}.log").write_text(log)
    at, job = RunPaths(str(tmp_path), RUN_ID), RenderedJob("x", "", "x", "", str(tmp_path))
    found = digests.of_run(at, a_run(), job, {"attempts": "3"})
    assert (found.head, found.tail) == (("c",) * head, ("c",) * tail)
    assert found.note == "attempt 3 of 3"
    ended = digests.of_run(at, a_run("succeeded"), job, {"attempts": "3"})
    assert (ended.note, ended.tail) == (found.note, ("c",) * 3)


def test_a_problem_beyond_the_head_of_a_log_is_found(tmp_path: Path) -> None:
    found = digest_of(tmp_path, "y\n" * excerpt.BYTES + PROBLEM)
    assert ([one.line for one in found.problems], found.note) == ([3], None)
    assert found.counts == {"errors": 1}


def test_no_more_of_a_log_is_read_for_its_head_and_its_tail_than_that(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    for size in (excerpt.BYTES * 3, excerpt.BYTES, 10):
        path.write_text("y\n" * (size // 2))
        assert len(excerpt.head(str(path), ())) == min(size, excerpt.BYTES) // 2
        assert len(excerpt.tail(str(path), ())) == min(size, excerpt.BYTES) // 2 - (size > excerpt.BYTES)
    path.write_text("z" * (excerpt.BYTES + 1))
    assert [len(line) for line in excerpt.tail(str(path), ())] == [excerpt.BYTES - 1]


def test_head_and_tail_keep_their_indentation(tmp_path: Path) -> None:
    found = digest_of(tmp_path, "    x = (1\n        ^\n" + "y\n" * 20 + "  \tz\n")
    assert found.head[:2] == ("    x = (1", "        ^")
    assert found.tail[-1] == "        z"


@pytest.mark.parametrize(("lines", "head", "tail"), [(12, 0, 12), (13, 3, 12), (40, 3, 12), (1, 0, 1), (0, 0, 0)])
def test_where_no_tool_is_known_the_first_and_last_lines_are_reported(
    tmp_path: Path, lines: int, head: int, tail: int
) -> None:
    written = [f"line {number}" for number in range(lines)]
    found = digest_of(tmp_path, "".join(f"{line}\n" for line in written))
    assert found.head == tuple(written[:head])
    assert found.tail == tuple(written[len(written) - tail :])
    assert found.counts is None
    assert (documents.digest_fields(found)["counts"], documents.digest_fields(found)["source"]) == (None, None)


def test_of_a_run_that_succeeded_only_its_last_lines_are_reported(tmp_path: Path) -> None:
    found = digest_of(tmp_path, "a\n" * 50 + PROBLEM, "succeeded")
    assert (found.problems, found.more, found.head, len(found.tail)) == ((), 0, (), 3)


def test_errors_are_reported_before_warnings_and_each_is_counted(tmp_path: Path) -> None:
    pattern = {"regexp": "^(warning|error): (.*)$", "severity": 1, "message": 2}
    matcher = {"owner": "o", "pattern": pattern}  # one object, as well as a list of them
    found = digest_of(tmp_path, "warning: a\nerror: b\nwarning: c\n", problems=(matcher,))
    assert [one.message for one in found.problems] == ["b"]
    assert documents.digest_fields(found)["counts"] == {"errors": 1, "warnings": 2}
    only = digest_of(tmp_path, "warning: a\nwarning: c\n", problems=(matcher,))
    assert [one.message for one in only.problems] == ["a", "c"]
    assert documents.digest_fields(only)["counts"] == {"warnings": 2}


def test_what_pytest_counted_is_reported_and_not_how_many_lines_were_found(tmp_path: Path) -> None:
    log = "FAILED t.py::a - boom\n=== 1 failed, 7 passed in 0.1s ===\n"
    found = digest_of(tmp_path, log, problems=("pytest",))
    assert (found.counts, found.source) == ({"failed": 1, "passed": 7}, "log")


def test_at_most_so_many_problems_are_reported_of_one_and_of_a_group(tmp_path: Path) -> None:
    log = "".join(PROBLEM.replace("3:1", f"{number}:1") for number in range(1, 15))
    one = digest_of(tmp_path, log)
    assert (len(one.problems), one.more) == (14, 0)
    one = one.limited(10)
    assert (len(one.problems), one.more) == (10, 4)
    group = digests.of_group(a_run(), [one, one], 15)
    assert [(len(part.problems), part.more) for part in group.parts] == [(10, 4), (5, 9)]


WARNING = "w.c:1:5: warning: unused variable \u2018x\u2019 [-Wunused-variable]\n    1 | int x;\n      |     ^\n"
HANDLED = (
    "ERROR:root:cache\nTraceback (most recent call last):\n"
    "  File \"/p/a.py\", line 3, in main\n    load()\nKeyError: 'k'\n"
)


@pytest.mark.parametrize(
    ("log", "last"),
    [
        (WARNING + "signing failed: no key\n", "signing failed: no key"),
        (HANDLED + "fatal: config missing\n", "fatal: config missing"),
        (PROBLEM + "deploy refused\n", "deploy refused"),
        (PROBLEM + "deploy refused\nmake: *** [Makefile:2: all] Error 9\n", "deploy refused"),
        (PROBLEM + "\x1b[31mdeploy refused\x1b[0m", "deploy refused"),
    ],
)
def test_what_another_command_printed_last_is_shown_below_the_findings(tmp_path: Path, log: str, last: str) -> None:
    found = digest_of(tmp_path, log)
    assert len(found.problems) == 1
    assert last in found.last_lines
    assert f"  {last}" in list(digest_text.lines(found._replace(run=found.run._replace(log=f"{tmp_path}/x.log"))))
    assert last in found.last_lines


def test_lines_that_belong_to_an_error_are_not_shown_again(tmp_path: Path) -> None:
    code = WARNING.replace("warning:", "error:")
    for log in (code, PROBLEM, PROBLEM + "make: *** [Makefile:2: all] Error 1\n", "y\n" * 9 + PROBLEM):
        assert digest_of(tmp_path, log).last_lines == ()
    assert digest_of(tmp_path, PROBLEM + "deploy refused\n", "succeeded").last_lines == ()


def test_of_many_lines_after_the_findings_the_last_few_are_shown(tmp_path: Path) -> None:
    found = digest_of(tmp_path, PROBLEM + "".join(f"step {number}\n" for number in range(5000)))
    assert found.last_lines == tuple(f"step {number}" for number in range(4995, 5000))


def test_where_a_tool_only_warned_and_make_failed_the_lines_between_are_shown(tmp_path: Path) -> None:
    found = digest_of(tmp_path, WARNING + "no key\nmake: *** [Makefile:2: all] Error 2\n")
    assert [one.tool for one in found.problems] == ["make"]
    assert "no key" in found.last_lines


def test_new_problems_come_before_others_that_are_more_than_fit(tmp_path: Path) -> None:
    log = "".join(PROBLEM.replace("3:1", f"{number}:1") for number in range(1, 15))
    whole = digest_of(tmp_path, log)._replace(
        comparison=Comparison("x_1", (7, 12), None), flaky=((3, "x_2"), (12, "x_3"))
    )
    found = whole.limited(10)
    assert [one.line for one in found.problems] == [8, 13, 1, 2, 3, 4, 5, 6, 7, 9]
    assert found.more == 4
    shown = documents.digest_fields(found)["problems"]
    assert [one["new"] for one in shown] == [True] * 2 + [False] * 8
    assert [one["passed_in"] for one in shown] == [None, "x_3", None, None, None, "x_2", *[None] * 4]
    assert found.limited(10) == found
    assert found.limited(1).comparison == Comparison("x_1", (0, 1), None)
    at = found.run._replace(log=f"{tmp_path}/x.log")
    lines = list(digest_text.lines(found._replace(run=at)))
    assert [line for line in lines if line.startswith("NEW")] == [
        "NEW x.py:8 F401: unused",
        "NEW FLAKY x.py:13 F401: unused",
    ]


FAKE = "src/a.c:3:4: error: fake\n"
PYTEST_LOG = (
    FAKE + ".F\n=== FAILURES ===\n___ test_b ___\n>       assert 0\nE       assert 0\n\nt.py:4: AssertionError\n"
    "=== short test summary info ===\nFAILED t.py::test_b - assert 0\n1 failed, 1 passed in 0.01s\n"
)
UNITTEST_LOG = (
    ".F\n" + "=" * 70 + "\nFAIL: test_b (t.T.test_b)\n" + "-" * 70 + "\nTraceback (most recent call last):\n"
    '  File "/p/t.py", line 5, in test_b\n    self.fail()\nAssertionError: None\n\n' + "-" * 70 + "\n"
    "Ran 2 tests in 0.000s\n\nFAILED (failures=1)\n" + FAKE
)


@pytest.mark.parametrize(
    "cmd", ["pytest -q -s", "python3 -m pytest -q -s t.py", "A=1 uv run pytest -s", ".venv/bin/python -m unittest"]
)
def test_what_a_test_prints_is_no_finding_of_another_tool(tmp_path: Path, cmd: str) -> None:
    log = UNITTEST_LOG if cmd.endswith("unittest") else PYTEST_LOG
    found = digest_of(tmp_path, log, cmd=cmd)
    assert (found.counts, [one.id for one in found.problems]) == (
        {"failed": 1, "passed": 1},
        ["t.T.test_b" if cmd.endswith("unittest") else "t.py::test_b"],
    )


@pytest.mark.parametrize(
    "cmd", ["make -k lint test", "gcc -c src/a.c; pytest -q", "pytest -q\ngcc -c src/a.c", "./pytest.sh"]
)
def test_what_another_command_of_the_job_found_counts(tmp_path: Path, cmd: str) -> None:
    assert digest_of(tmp_path, PYTEST_LOG, cmd=cmd).counts == {"failed": 1, "errors": 1, "passed": 1}


NPM = "\n> shop@1.0.0 test\n> {}\n\n"
TOX = "py: install_deps> python -I -m pip install pytest\npy: commands[0]> {}\n"


@pytest.mark.parametrize(
    ("cmd", "named"),
    [("npm test", NPM.format("python3 -m pytest -q")), ("tox -q -e py", TOX.format(".tox/py/bin/pytest -q tests"))],
)
def test_what_a_test_prints_is_no_finding_where_npm_or_tox_ran_only_tests(tmp_path: Path, cmd: str, named: str) -> None:
    found = digest_of(tmp_path, named + PYTEST_LOG, cmd=cmd)
    assert (found.counts, [one.id for one in found.problems]) == ({"failed": 1, "passed": 1}, ["t.py::test_b"])


@pytest.mark.parametrize(
    ("cmd", "named"),
    [
        ("npm test", NPM.format("gcc -c src/a.c")),
        ("npm test", NPM.format("gcc -c src/a.c && pytest -q")),
        ("npm test", NPM.format("npm run compile") + NPM.format("pytest -q")),
        ("npm test && gcc -c src/a.c", NPM.format("pytest -q")),
        ("tox", TOX.format("gcc -c src/a.c") + TOX.format("pytest -q")),
        ("npm test", ""),
    ],
)
def test_what_may_be_of_another_command_of_npm_or_tox_counts(tmp_path: Path, cmd: str, named: str) -> None:
    assert digest_of(tmp_path, named + PYTEST_LOG, cmd=cmd).counts == {"failed": 1, "errors": 1, "passed": 1}


MOCHA_LOG = "\n\n" + FAKE + "  1) fails\n  \u2714 works\n\n\n  1 passing (3ms)\n  1 failing\n\n  1) fails:\n\n      Error: no\n      at Context.<anonymous> (a.js:2:3)\n\n\n\n"  # fmt: skip
GO_LOG = FAKE + "--- FAIL: TestA (0.00s)\n    a_test.go:3: no\nFAIL\nFAIL\tshop\t0.002s\nFAIL\n"


@pytest.mark.parametrize(
    ("cmd", "log", "counts"),
    [
        ("npx mocha", MOCHA_LOG, {"failed": 1, "passed": 1}),
        ("npm test", NPM.format("mocha --exit") + MOCHA_LOG, {"failed": 1, "passed": 1}),
        ("mocha; gcc -c src/a.c", MOCHA_LOG, {"failed": 1, "errors": 1, "passed": 1}),
        ("go test ./...", GO_LOG, {"failed": 1}),
        ("make test", GO_LOG, {"failed": 1, "errors": 1}),
        ("go test ./...", f"# shop\n{FAKE}FAIL\tshop [build failed]\nFAIL\n", {"errors": 2}),
    ],
)
def test_what_a_test_of_another_language_prints_is_no_finding(
    tmp_path: Path, cmd: str, log: str, counts: dict[str, int]
) -> None:
    assert digest_of(tmp_path, log, cmd=cmd).counts == counts


def test_a_finding_counts_if_no_test_failed(tmp_path: Path) -> None:
    log = NPM.format("pytest -q") + FAKE + "1 passed in 0.01s\n"
    assert digest_of(tmp_path, log, cmd="npm test").counts == {"errors": 1, "passed": 1}


def test_of_a_command_named_as_a_test_runner_that_prints_no_tests_all_tools_are_recognized(tmp_path: Path) -> None:
    assert digest_of(tmp_path, FAKE, cmd="pytest").counts == {"errors": 1}


NOTICE = "npm notice\nnpm notice New minor version of npm available! 10.1.0 -> 10.2.0\nnpm notice To update run: x\nnpm notice\n"


def test_what_npm_says_of_itself_takes_no_line_of_the_cause(tmp_path: Path) -> None:
    found = digest_of(tmp_path, f"one\ntwo\n{NOTICE}", cmd="npm run x")
    assert (found.head, found.tail) == ((), ("one", "two"))
    found = digest_of(tmp_path, f"{PROBLEM}{NOTICE}")
    assert [one.file for one in found.problems] == ["x.py"]
    assert found.unclaimed == 0
    assert found.last_lines == ()
    found = digest_of(tmp_path, f"{PROBLEM}sh: 1: deploy: not found\n{NOTICE}")
    assert found.last_lines == ("sh: 1: deploy: not found",)
