"""What people who came new to bgrun ran into."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Cli

JOBS = """
jobs:
  watch: {command: "exit 3", label: "watch_{{ n }}", params: {n: {}}}
  test: {command: "echo the cause; exit 1"}
  deploy: {command: echo deployed, depends_on: [test]}
  maybe: {command: "true", if: "false", depends_on: [ok]}
  ok: {command: "true"}
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    return bg


def test_a_job_whose_label_is_another_is_found_by_its_name(project: Cli) -> None:
    project("start", "watch", "1", "--wait", code=1)
    newest = project.json("start", "watch", "2", "--wait", code=1)["run_id"]
    assert project.state("watch")["run_id"] == newest
    assert "watch_2" in project("wait", "watch", code=1).out
    assert project("latest", "watch").out.endswith(f"{newest}.log\n")


def test_what_was_skipped_for_want_of_another_is_not_run_alone(project: Cli) -> None:
    project("start", "deploy", "--wait", code=1)
    reported = project("rerun", "deploy", code=2).err
    assert "it was skipped (dependency test_" in reported
    assert "'bgrun rerun plan_deploy_" in reported
    project("start", "maybe", "--wait", code=1)
    project("rerun", "maybe", "--wait", code=1)  # its own condition still rules it out
    assert project.state("maybe")["state"] == "skipped"


def test_the_cause_is_reported_with_what_was_skipped_for_it(project: Cli) -> None:
    assert "  the cause\n" in project("start", "deploy", "--wait", code=1).out
    assert "  the cause\n" in project("report", "deploy").out
    (part,) = project.json("report", "deploy")["digest"]["runs"]
    assert part["run_id"].startswith("test_")


def test_the_oldest_and_the_longest_are_those_of_all(project: Cli) -> None:
    run = project.json("run", "a", "--wait", "--", "true")
    first, meta = run["run_id"], Path(run["meta"])
    meta.write_text(re.sub("duration_s=.*", "duration_s=1000", meta.read_text()))
    for _ in range(2):
        project("run", "a", "--wait", "--", "true")
    for order in ("oldest", "duration"):
        assert project("list", "--sort", order, "-n", "1", "-q").out == f"{first}\n"


@pytest.mark.parametrize(
    ("job", "reported"),
    [
        ("{command: 'echo {{ env.NOPE }}'}", ("environment variable NOPE is not set", "env.get('NAME'")),
        ("{command: 'echo {{ matrix.y }}', matrix: {x: [1]}}", ("no 'y' here, only 'x'",)),
        ("{command: ls, if: 'os.nam == 1'}", ("no 'nam' here, only 'name', 'arch'",)),
        ("{command: ls, timeout: 0}", ("timeout", "more than 0")),
    ],
)
def test_what_is_not_there_is_named_in_the_words_of_the_job_file(bg: Cli, job: str, reported: tuple[str, ...]) -> None:
    bg.jobs(f"jobs: {{x: {job}}}")
    said = bg("start", "x", code=2).err
    assert all(one in said for one in reported), said


def test_a_forgotten_double_dash_is_reported(bg: Cli) -> None:
    assert "put the command after '--'" in bg("run", "x", "echo", "hi", code=2).err


def test_json_says_that_there_are_lines_before_the_last_hundred(bg: Cli) -> None:
    bg("run", "x", "--wait", "--", "seq", "100")
    bg("run", "y", "--wait", "--", "seq", "101")
    assert bg.json("logs", "x")["truncated"] is False
    assert bg.json("logs", "y")["truncated"] is True
    assert bg.json("logs", "y", "-n", "100")["truncated"] is False
    assert bg("logs", "y", "--json", "--since-start").json["truncated"] is False


def test_a_stop_of_what_has_finished_says_so(project: Cli) -> None:
    run_id = project.json("start", "ok", "--wait")["run_id"]
    done = project("stop", "ok")
    assert (done.out, done.err) == ("", f"{run_id} has already finished\n")
