"""What is told of a run at one look, from a log of any length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgrun.api import documents
from bgrun.logs import digest as digests
from bgrun.model import RenderedJob, Run
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


def digest_of(folder: Path, log: str, state: str = "failed", **job: object) -> Digest:
    (folder / f"{RUN_ID}.log").write_text(log)
    made = RenderedJob("x", "", "ruff check", "", str(folder), **job)  # type: ignore[arg-type]
    return digests.of_run(RunPaths(str(folder), RUN_ID), a_run(state), made, "")


def test_the_problem_at_the_end_of_a_log_of_many_mebibytes_is_found_and_the_rest_is_said_to_be_unread(
    tmp_path: Path,
) -> None:
    line = "y" * 63 + "\n"
    more = digests.TAIL_BYTES // len(line)
    found = digest_of(tmp_path, PROBLEM.replace("3:1", "1:1") + line * more + PROBLEM)
    assert [(one.file, one.line) for one in found.problems] == [("x.py", 3)]
    assert found.note == "only the last 8 MiB of the log were searched"
    assert found.head == ()


def test_a_log_of_just_what_is_searched_is_searched_whole(tmp_path: Path) -> None:
    found = digest_of(tmp_path, PROBLEM + "y" * (digests.TAIL_BYTES - len(PROBLEM) - 1) + "\n")
    assert ([one.line for one in found.problems], found.note) == ([3], None)
    # One byte more, and the line that begins before is no line.
    found = digest_of(tmp_path, PROBLEM + "y" * (digests.TAIL_BYTES - len(PROBLEM)) + "\n")
    assert (found.problems, found.note) == ((), "only the last 8 MiB of the log were searched")


def test_the_first_line_that_begins_within_what_is_searched_is_searched(tmp_path: Path) -> None:
    cut, rest = "y" * 10 + "\n", "z" * (digests.TAIL_BYTES - len(PROBLEM) - 6) + "\n"
    found = digest_of(tmp_path, cut + PROBLEM + rest)
    assert ([one.line for one in found.problems], found.note is None) == ([3], False)


def test_the_problem_at_the_end_of_a_log_beyond_the_head_is_found(tmp_path: Path) -> None:
    found = digest_of(tmp_path, "y\n" * digests.HEAD_BYTES + PROBLEM)
    assert ([one.line for one in found.problems], found.note) == ([3], None)
    assert found.counts == {"errors": 1}


def test_no_more_of_a_log_is_read_for_its_head_than_that(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    for size in (digests.HEAD_BYTES * 3, digests.HEAD_BYTES, 10):
        path.write_text("y\n" * (size // 2))
        assert len(digests._Log(str(path), ()).head()) == min(size, digests.HEAD_BYTES) // 2


@pytest.mark.parametrize(("lines", "head", "tail"), [(12, 0, 12), (13, 3, 12), (40, 3, 12), (1, 0, 1), (0, 0, 0)])
def test_where_no_tool_is_known_the_first_and_last_lines_are_told(
    tmp_path: Path, lines: int, head: int, tail: int
) -> None:
    written = [f"line {number}" for number in range(lines)]
    found = digest_of(tmp_path, "".join(f"{line}\n" for line in written))
    assert found.head == tuple(written[:head])
    assert found.tail == tuple(written[len(written) - tail :])
    assert found.counts is None
    assert (documents.digest_fields(found)["counts"], documents.digest_fields(found)["source"]) == (None, None)


def test_of_a_run_that_succeeded_only_its_last_lines_are_told(tmp_path: Path) -> None:
    found = digest_of(tmp_path, "a\n" * 50 + PROBLEM, "succeeded")
    assert (found.problems, found.more, found.head, len(found.tail)) == ((), 0, (), 3)


def test_errors_are_told_before_warnings_and_each_is_counted(tmp_path: Path) -> None:
    pattern = {"regexp": "^(warning|error): (.*)$", "severity": 1, "message": 2}
    matcher = {"owner": "o", "pattern": pattern}  # one object, as well as a list of them
    found = digest_of(tmp_path, "warning: a\nerror: b\nwarning: c\n", problems=(matcher,))
    assert [one.message for one in found.problems] == ["b"]
    assert documents.digest_fields(found)["counts"] == {"errors": 1, "warnings": 2}
    only = digest_of(tmp_path, "warning: a\nwarning: c\n", problems=(matcher,))
    assert [one.message for one in only.problems] == ["a", "c"]
    assert documents.digest_fields(only)["counts"] == {"warnings": 2}


def test_what_pytest_counted_is_told_and_not_how_many_lines_were_found(tmp_path: Path) -> None:
    log = "FAILED t.py::a - boom\n=== 1 failed, 7 passed in 0.1s ===\n"
    found = digest_of(tmp_path, log, problems=("pytest",))
    assert (found.counts, found.source) == ({"failed": 1, "passed": 7}, "log")


def test_at_most_so_many_problems_are_told_of_one_and_of_a_group(tmp_path: Path) -> None:
    log = "".join(PROBLEM.replace("3:1", f"{number}:1") for number in range(1, 15))
    one = digest_of(tmp_path, log)
    assert (len(one.problems), one.more) == (10, 4)
    group = digests.of_group(a_run(), [one, one], 15)
    assert [(len(part.problems), part.more) for part in group.parts] == [(10, 4), (5, 9)]
