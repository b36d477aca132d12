"""The tables of `status` without a name and of `list`: one line each, nested, and cut to the terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from bgrun.cli import tables
from tests.cli.test_live import Screen
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli

JOBS = """
jobs:
  good: {command: "true"}
  bad: {command: "echo sorry; exit 3"}
  slow: {command: "until [ -e go ]; do sleep 0.02; done", concurrency: c}
groups: {all: {jobs: [good, bad]}, live: {jobs: [good, slow]}}
"""


@pytest.fixture
def project(bg: Cli) -> Iterator[Cli]:
    bg.jobs(JOBS)
    yield bg
    (bg.folder / "go").touch()
    for run in bg.json("list", "--all")["runs"]:
        bg.ended(run["run_id"])


def table(text: str) -> list[list[str]]:
    """Return the state, exit code and name of each line, the name with its indentation."""
    head, *lines = text.splitlines()
    at = head.index("LABEL" if "LABEL" in head else "RUN")
    return [[*line.split()[:2], re.match("( *[^ ]+)", line[at:])[1]] for line in lines]  # type: ignore[index]


def test_status_has_one_line_per_label_and_those_of_a_group_below_it(project: Cli) -> None:
    for _ in range(2):
        project("group", "all", "--wait", code=1)
    project("run", "own", "--wait", "--", "true")
    done = project("status")
    assert done.out.splitlines()[0].split() == ["STATE", "EXIT", "TOOK", "STARTED", "LABEL"]
    assert table(done.out) == [
        ["succeeded", "0", "own"],
        ["failed", "1", "all"],
        ["succeeded", "0", "  good"],
        ["failed", "3", "  bad"],
    ]
    assert "1 failed of 2" in done.out
    project("start", "bad", "--wait", code=1)
    assert table(project("status").out) == [
        ["failed", "3", "bad"],
        ["succeeded", "0", "own"],
        ["failed", "1", "all"],
        ["succeeded", "0", "  good"],
    ]
    assert project("status", "-q").out.startswith("NOT RUNNING label=bad pid=")


def test_what_runs_comes_first_and_several_of_a_label_have_their_ids(project: Cli) -> None:
    first = project("start", "slow", "-q").out.strip()
    second = project("start", "slow", "-q").out.strip()
    project("run", "own", "--wait", "--", "true")
    wait_until(lambda: project.state(second)["reason"], "it waits for its turn")
    shown = project("status").out
    assert table(shown) == [
        ["running", "-", first],
        ["queued", "-", second],
        ["succeeded", "0", "own"],
    ]
    assert "waiting for concurrency group 'c' (limit 1)" in shown.splitlines()[2]


def test_list_shows_the_command_and_the_runs_of_a_group_below_it(project: Cli) -> None:
    project("group", "all", "--wait", code=1)
    project("run", "own", "--wait", "--", "echo", "a b", "c\nd")
    shown = project("list").out
    assert [row[2].rsplit("_", 2)[0] for row in table(shown)] == ["own", "all", "  good", "  bad"]
    first, *_, last = shown.splitlines()[1:]
    assert first.endswith("echo 'a b' 'c d'")
    assert last.endswith("  echo sorry; exit 3")
    assert [row[2].rsplit("_", 2)[0] for row in table(project("list", "--state", "succeeded").out)] == ["own", "good"]


def test_what_is_known_is_shown_with_what_is_not(project: Cli) -> None:
    for name in ("good", "own"):
        project("run", name, "--wait", "--", "true")
    done = project("status", "good", "nosuch", "own", "neither", code=2)
    assert [line.split()[2] for line in done.out.splitlines() if line.startswith("NOT")] == ["label=good", "label=own"]
    assert done.err.startswith("error: no run, label or job named 'nosuch'\n")
    assert [run["label"] for run in project.json("status", "good", "nosuch", code=2)["runs"]] == ["good"]
    assert project("status", "nosuch", "neither", code=2).out == ""


@pytest.mark.parametrize(("columns", "started"), [(40, False), (80, True), (160, True)])
def test_a_line_fits_the_terminal(project: Cli, columns: int, started: bool) -> None:
    project("start", "slow", "-q")
    queued = project("start", "slow", "-q").out.strip()
    project("run", "own", "--wait", "--", "echo", "x" * 300, "\u6f22" * 100)
    for command in ("status", "list"):
        screen = Screen(project, command, columns=columns)
        assert screen.ended() == 0
        head, *lines = screen.text().splitlines()
        assert len(lines) == 3
        assert max(map(len, lines)) <= columns
        assert ("STARTED" in head) == started
        assert sum(line.startswith("queued") and queued[:16] in line for line in lines) == 1
        assert any(line.startswith("succeeded") and " own" in line for line in lines)


def test_a_text_is_cut_by_its_width() -> None:
    assert [tables.clipped("abcdef", n) for n in (0, 6, 5, 1)] == ["abcdef", "abcdef", "abcd…", "…"]
    assert [tables.clipped("漢字漢字", n) for n in (8, 7, 6, 5, 4)] == ["漢字漢字", "漢字漢…", "漢字…", "漢字…", "漢…"]


HEAD = ["STATE", "EXIT", "TOOK", "STARTED", "LABEL", ""]
LONG = "a_very_long_job_name_for_a_test_of_width"
PROGRESS = "12% (1/8), about 3m07s left"


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_a_long_label_takes_the_room_of_its_own_row_only(columns: int) -> None:
    rows = [
        [state, "-", "1.0s", "10:10:10", label, PROGRESS] for state, label in (("running", "tests"), ("queued", LONG))
    ]
    head, short, long = tables.fitted_table(HEAD, rows, columns, ("STARTED", "EXIT"), len(PROGRESS))
    assert short.endswith(PROGRESS)
    assert LONG in long
    assert long.endswith(PROGRESS) == (columns == 100)
    assert "EXIT" not in head or columns == 100
    assert max(map(len, (head, short, long))) <= columns


def test_stats_fit_a_narrow_terminal(project: Cli) -> None:
    for _ in range(2):
        project("run", "quite_long_label", "--wait", "--", "false", code=1)
    screen = Screen(project, "stats", columns=40)
    assert screen.ended() == 0
    head, *lines = screen.text().splitlines()
    assert head.split()[:2] == ["LABEL", "GOOD"]
    assert len(lines) == 1
    assert lines[0].split()[:2] == ["quite_long_label", "0%"]


def test_jobs_show_the_axes_of_a_matrix(bg: Cli) -> None:
    bg.jobs("jobs: {py: {command: ls, matrix: {python: ['3.10', '3.11'], db: [pg]}, params: {p: {default: 1}}}}")
    assert bg("jobs").out == "start py [p=1] [python=3.10|3.11] [db=pg]\n"


@pytest.mark.parametrize("columns", ["20", "40", "51"])
def test_the_help_of_a_command_fits_a_narrow_terminal(bg: Cli, columns: str) -> None:
    shown = bg("help", "wait", COLUMNS=columns).out
    prose = [line for line in shown.splitlines() if not line.startswith(" ")]
    assert max(map(len, prose)) <= int(columns)
