"""A rerun of a label is one of the whole job or group, and a run of a part of a group is marked wherever it is shown."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun import api
from bgrun.mcp import texts

if TYPE_CHECKING:
    from tests.conftest import Cli

JOBS = """
jobs:
  lint: {command: "test ! -e unclean"}
  tests: {command: "test ! -e broken"}
  unit: {params: {level: {default: low}}, command: PYTHON one.py, rerun: "PYTHON one.py {{ failed }}", reports: {junit: out.xml}}
groups:
  checks: {jobs: [lint, tests]}
"""
ONE = """
import os, sys
failed = os.path.exists("broken")
case = "<testcase file='a.py' classname='a' name='b'>" + "<failure message='no'/>" * failed + "</testcase>"
open("out.xml", "w").write(f"<testsuite>{case}</testsuite>")
sys.exit(failed)
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS.replace("PYTHON", shlex.quote(sys.executable)))
    (bg.folder / "one.py").write_text(ONE)
    return bg


@pytest.mark.parametrize("part", [("rerun", "checks", "--failed"), ("group", "checks", "--only", "tests")])
def test_a_label_means_its_newest_whole_run(project: Cli, part: tuple[str, ...]) -> None:
    (project.folder / "broken").touch()
    whole = project.json("group", "checks", "--wait", code=1)
    (project.folder / "broken").unlink()
    (project.folder / "unclean").touch()
    partial = project.json(*part, "--wait")
    assert (whole["only_jobs"], partial["only_jobs"]) == ([], ["tests"])
    done = project("rerun", "checks", "--wait", code=1)
    assert f"rerunning {whole['run_id']}: {partial['run_id']} ran only a part" in done.err
    newest = project.json("status", "checks")["runs"][0]
    assert (newest["state"], newest["only_jobs"]) == ("failed", [])
    assert project.json("rerun", partial["run_id"], "--wait")["only_jobs"] == ["tests"], "its ID means that run"


def test_a_partial_run_is_marked_wherever_it_is_shown(project: Cli) -> None:
    project("group", "checks", "--wait")
    started = project("group", "checks", "--only", "tests", "--wait").out.splitlines()
    mark = "; only tests of checks"
    assert started[0].startswith("STARTED checks_")
    assert [line for line in started if "checks_" in line and " " in line and "LOG" not in line] != []
    assert all(line.endswith(mark) for line in started if line.startswith(("STARTED checks_", "succeeded checks_")))
    assert mark in project("status", "checks").out
    assert mark[2:] in project("status").out
    assert mark in project("report", "checks").out
    assert mark in project("wait", "checks").out
    listed = project("list", "checks").out.splitlines()
    assert [line.endswith(mark) for line in listed[1:]] == [True, False]
    located = api.locate(str(project.folder))
    assert texts.headline(api.references.latest(located, "checks")).endswith(mark), "as an agent reads it"
    stats = project.json("stats", "checks")["labels"][0]
    assert stats["runs"] == 1, "its result and its duration are not those of the group"


def test_a_group_of_which_every_job_ran_is_whole(project: Cli) -> None:
    assert project.json("group", "checks", "--only", "lint", "--only", "tests", "--wait")["only_jobs"] == []
    for name in ("broken", "unclean"):
        (project.folder / name).touch()
    project("group", "checks", "--wait", code=1)
    assert project.json("rerun", "checks", "--failed", "--wait", code=1)["only_jobs"] == []


def test_hints_name_a_command_that_does_what_they_say(project: Cli) -> None:
    (project.folder / "broken").touch()
    whole = project.json("group", "checks", "--wait", code=1)
    (project.folder / "broken").unlink()
    partial = project.json("rerun", "checks", "--failed", "--wait")
    err = project("rerun", "checks", "--failed", code=2).err
    assert f"every job of {partial['run_id']} succeeded, which ran only tests" in err
    assert f"rerun them all with 'bgrun rerun {whole['run_id']}'" in err


def test_the_same_of_a_job_and_its_failed_tests(project: Cli) -> None:
    (project.folder / "broken").touch()
    whole = project.json("start", "unit", "level=high", "--wait", code=1)
    (project.folder / "broken").unlink()
    partial = project.json("rerun", "unit", "--failed", "--wait")
    err = project("rerun", "unit", "--failed", code=2).err
    assert f"nothing failed in {partial['run_id']}: it succeeded, as only failed tests of {whole['run_id']}" in err
    assert f"rerun it whole with 'bgrun rerun {whole['run_id']}'" in err
    again = project.json("rerun", "unit", "--wait")
    assert (again["only_failed_of"], again["cmd"]) == (None, whole["cmd"])
    assert project.json("rerun", partial["run_id"], "--wait")["only_failed_of"] == whole["run_id"]


def test_without_a_whole_run_the_remedy_is_a_start(project: Cli) -> None:
    partial = project.json("group", "checks", "--only", "tests", "--wait")
    err = project("rerun", "checks", code=2).err
    assert "no run of the whole of 'checks' exists, only of a part" in err
    assert f"run it whole with 'bgrun group checks', or only that part with 'bgrun rerun {partial['run_id']}'" in err
    assert "rerun them all with 'bgrun group checks'" in project("rerun", "checks", "--failed", code=2).err
    assert len(project.json("list", "checks")["runs"]) == 1
