"""The digest as a user meets it: whatever the report and the log are, one bounded look."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.api import digest_lines
from bgrun.parsers.shape import Problem
from tests.conftest import TOP, wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli

JUNIT = (
    '<testsuite><testcase classname="a" name="b"><failure message="boom"/></testcase><testcase name="c"/></testsuite>'
)
JOBS = """
jobs:
  xml: {command: "cp in.xml out.xml; exit 1", reports: {junit: "out*.xml"}}
  stale: {command: "echo nothing; exit 1", reports: {junit: out.xml}}
  odd: {command: "{{ make | raw }}; exit 1", params: {make: {}}, reports: {junit: "out*.xml"}}
  own:
    command: "printf 'x.c:3: BAD \\\\033[31mred\\\\033[0m\\\\n'; exit 1"
    problems: [{owner: o, pattern: [{regexp: '^(?<file>[^:]+):(?<n>\\d+): BAD (?P<m>.*)', file: 1, line: 2, message: 3}]}]
  file: {command: "echo E1 here; exit 1", problems: [matchers.json]}
  loud: {command: "for i in $(seq 40); do echo x.py:$i:1: F401 unused; done; exit 1", problems: [ruff]}
  hostile: {command: "head -c 200000 /dev/zero | tr '\\\\0' a; echo; exit 1",
    problems: [{owner: o, pattern: [{regexp: '^(a|aa)+b$', message: 1}]}]}
  secret: {command: "echo $TOKEN; exit 1", secrets: [TOKEN]}
  good: {command: "cp in.xml out.xml", reports: {junit: out.xml}}
  asks: {command: "printf 'Overwrite? [y/N] '; sleep 60"}
groups: {all: {jobs: [own, loud, good]}}
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS)
    (bg.folder / "in.xml").write_text(JUNIT)
    one = '{"problemMatcher": [{"owner": "f", "pattern": [{"regexp": "^(E\\\\d) (.*)$", "code": 1, "message": 2}]}]}'
    (bg.folder / "matchers.json").write_text(one)
    return bg


def problems_of(bg: Cli, job: str) -> list[tuple[object, ...]]:
    bg("start", job, "--wait", code=1)
    digest = bg.json("report", job)["digest"]
    return [tuple(problem[key] for key in ("file", "line", "id", "message")) for problem in digest["problems"]]


def test_a_test_report_comes_first(project: Cli) -> None:
    assert problems_of(project, "xml") == [(None, None, "a.b", "boom")]
    assert "1 failed, 1 passed\na.b: boom\n" in project("report", "xml").out


@pytest.mark.parametrize("odd", ["stale", "missing", "link", "fifo", "folder", "broken", "bomb"])
def test_a_report_that_cannot_be_used_is_reported(project: Cli, odd: str) -> None:
    out = project.folder / "out.xml"
    if odd == "stale":
        out.write_text(JUNIT)
        os.utime(out, (time.time() - 100, time.time() - 100))
    job = "stale" if odd in ("stale", "missing") else "xml" if odd in ("broken", "bomb") else "odd"
    if odd == "broken":
        (project.folder / "in.xml").write_text(JUNIT[:50])
    if odd == "bomb":
        (project.folder / "in.xml").write_text('<!DOCTYPE x [<!ENTITY a "a">]><testsuite>&a;</testsuite>')
    make = {"link": ["ln -s in.xml out.xml"], "fifo": ["mkfifo out.xml"], "folder": ["mkdir out.xml"]}.get(odd, [])
    project("start", job, *make, "--wait", code=1)
    note = project.json("report", job)["digest"]["note"]
    reported = {
        "stale": "older",
        "missing": "not written",
        "link": "symbolic",
        "broken": "invalid test report",
        "bomb": "invalid test report",
    }
    assert reported.get(odd, "not a regular file") in note


def test_matchers_of_ones_own_and_from_a_file(project: Cli) -> None:
    assert problems_of(project, "own") == [("x.c", 3, None, "red")]
    assert problems_of(project, "file") == [(None, None, "E1", "here")]
    (project.folder / "matchers.json").unlink()
    assert project.json("report", "file")["digest"]["problems"], "an old run does not depend on today's files"


def test_it_is_bounded(project: Cli) -> None:
    assert len(problems_of(project, "loud")) == 10
    assert "… and 30 more problems" in project("report", "loud").out
    project("start", "hostile", "--wait", "-q", code=1)
    digest = project.json("report", "hostile")["digest"]
    assert max(map(len, digest["tail"])) <= 160
    assert "search for problems stopped after" in digest["note"]


def test_secrets_stay_masked(project: Cli) -> None:
    project("start", "secret", "--wait", code=1, TOKEN="hunter2hunter2")
    for words in (
        ("report", "secret"),
        ("report", "secret", "--json"),
        ("wait", "secret"),
        ("status", "secret", "--json"),
    ):
        done = project(*words, code=None)
        assert "hunter2" not in done.out
        assert "***" in done.out, done


def test_a_group_reports_those_that_failed(project: Cli) -> None:
    done = project.json("group", "all", "--wait", code=1)
    assert [one["state"] for one in done["digest"]["runs"]] == ["failed", "failed"]
    assert sum(len(one["problems"]) for one in done["digest"]["runs"]) == 10
    lines = project("report", "all", "--format", "github").out.splitlines()
    assert lines[0] == "::error file=x.c,line=3::red"
    assert len(lines) == 10
    assert "1 failed, 1 passed" in project("report", "good").out


def test_a_run_that_asks_is_reported(project: Cli) -> None:
    run = project.json("start", "asks")
    try:
        wait_until(lambda: project.json("report", "asks")["digest"]["stall"], "it is noticed")
        reported = "STALLED waiting for input (standard input is /dev/null): Overwrite? [y/N]"
        assert reported in project("status", "asks").out
        assert reported in project("wait", "asks", "-t", "10ms", code=124).out
    finally:
        project("stop", run["run_id"])


def test_a_format_that_is_none(project: Cli) -> None:
    project("start", "own", "--wait", code=1)
    assert "text or github" in project("report", "own", "--format", "xml", code=2).err


def test_the_schema_names_the_built_ins() -> None:
    from bgrun.parsers import progress, registry

    text = (TOP / "schemas" / "bgjobs.schema.json").read_text()
    assert all(f"`{name}`" in text for name in (*registry.names(), *progress.BUILT_IN))


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("u/a.py", 7, "a.T.test_sub", "no", phase="(i=0)"), "u/a.py:7 a.T.test_sub (i=0): no"),
        (Problem("u/a.py", 7, "a.T.test_sub", "no", phase="[even] (i=1)"), "u/a.py:7 a.T.test_sub [even] (i=1): no"),
        (Problem("u/a.py", 7, "a.T.test_sub", "no", phase="setup"), "u/a.py:7 a.T.test_sub (setup): no"),
        (Problem("a/src/lib.rs", 2, "src/lib.rs - f (line 2)", "no"), "a/src/lib.rs:2 f (line 2): no"),
        (Problem("a/b.js", 2, "cart - adds", "no"), "a/b.js:2 cart - adds: no"),
    ],
)
def test_a_problem_is_named_once_and_plainly(problem: Problem, line: str) -> None:
    assert digest_lines.problem_line(problem) == line
