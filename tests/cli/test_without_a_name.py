"""Commands without a name mean the active runs, or else the newest; `follow` and `logs` take several names."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli

JOBS = """
jobs:
  one: {command: "echo one; until [ -e go ]; do sleep 0.02; done; exit 3"}
  two: {command: "echo two; until [ -e go ]; do sleep 0.02; done"}
  done: {command: "echo done; exit 1"}
groups: {both: {jobs: [one, two]}}
"""


@pytest.fixture
def project(bg: Cli) -> Iterator[Cli]:
    bg.jobs(JOBS)
    yield bg
    (bg.folder / "go").touch()
    for run in bg.json("list", "--all")["runs"]:
        bg.ended(run["run_id"])


def ids(project: Cli, *words: str, code: int | None = 0) -> list[str]:
    return [run["label"] for run in project.json(*words, code=code)["runs"]]


@pytest.mark.parametrize("command", ["wait", "follow", "logs", "report"])
def test_before_the_first_run(bg: Cli, command: str) -> None:
    assert bg(command, code=2).err == "error: no runs yet\n  hint: start a command with 'bgrun run LABEL -- COMMAND'\n"


def test_nothing_is_active_so_it_is_the_newest(project: Cli) -> None:
    project("run", "old", "--wait", "--", "echo", "old")
    project("start", "done", "--wait", code=1)
    assert project("logs").out == project("follow", code=1).out == "done\n"
    assert project("report").out == project("report", "done").out
    assert project("wait", code=1).out.startswith("failed done_")
    assert ids(project, "wait", code=1) == ["done"]
    project("wait", "--exit-code", code=1)


def test_every_active_run_is_meant(project: Cli) -> None:
    project("start", "one")
    project("start", "two")
    project("start", "done", "--wait", code=1)
    assert ids(project, "wait", "-t", "50ms", code=124) == ["two", "one"]
    assert "needs exactly one run, got 2" in project("wait", "--exit-code", code=2).err
    wait_until(lambda: project("logs", "two").out, "it has written")
    shown = project("logs")
    assert shown.out == "two\n"
    assert shown.err.startswith("showing two_")
    assert "; also active: one_" in shown.err
    following = subprocess.Popen(
        [*project.command, "follow"], cwd=project.folder, env=project.env, stdout=subprocess.PIPE, text=True
    )
    assert following.stdout
    first = [following.stdout.readline(), following.stdout.readline()]
    (project.folder / "go").touch()
    out, _ = following.communicate(timeout=20)
    assert following.returncode == 1
    assert sorted(line.split(" | ")[1] for line in first) == ["one\n", "two\n"]
    assert out == ""


def test_a_group_is_meant_once(project: Cli) -> None:
    project("group", "both")
    assert ids(project, "wait", "-t", "50ms", code=124) == ["both"]


def test_of_what_is_active_the_one_with_a_log_is_read(bg: Cli) -> None:
    bg.jobs("jobs: {x: {command: 'echo begun; until [ -e go ]; do sleep 0.02; done', concurrency: c}}")
    first = bg("start", "x", "-q").out.strip()
    bg("start", "x")
    wait_until(lambda: bg("logs", first).out == "begun\n", "the first has begun")
    shown = bg("logs")
    assert shown.out == "begun\n"
    assert shown.err.startswith(f"showing {first}; also active: x_")
    (bg.folder / "go").touch()
    bg("wait")


def test_several_logs(project: Cli) -> None:
    one = project("run", "a", "--wait", "-q", "--", "seq", "3").out.strip()
    two = project("run", "b", "--wait", "-q", "--", "echo", "b").out.strip()
    assert project("logs", "a", "b", "-n", "1").out == f"==> {one} <==\n3\n\n==> {two} <==\nb\n"
    assert "--json needs exactly one run, got 2" in project("logs", "a", "b", "--json", code=2).err
    assert "no run, label or job named 'c'" in project("logs", "a", "c", code=2).err
    assert project("logs", "a", "c", code=2).out == ""
    both = project("follow", "a", "b").out.splitlines()
    assert both == [*(f"{one} | {n}" for n in (1, 2, 3)), f"{two} | b"]


def test_follow_begins_with_the_last_lines(project: Cli) -> None:
    run_id = project("run", "x", "--wait", "-q", "--", "seq", "150").out.strip()
    every = [str(n) for n in range(1, 151)]
    shown = project("follow", "x")
    assert shown.out.splitlines() == every[50:]
    assert shown.err.startswith(
        f"showing the last 100 lines; for the whole log: bgrun follow {run_id} --since-start\nsucceeded x_"
    )
    for whole in (("--since-start",), ("--raw",), ("-n", "150")):
        shown = project("follow", "x", *whole)
        assert shown.out.splitlines() == every
        assert shown.err.startswith("succeeded x_")
    assert project("follow", "x", "-n", "1").out == "150\n"
    assert "cannot be combined" in project("follow", "x", "-n", "1", "--since-start", code=2).err


def test_logs_f_follows(project: Cli) -> None:
    project("start", "done", "--wait", code=1)
    for words in (("logs", "-f"), ("tail", "-f", "done"), ("logs", "--follow", "done", "-n", "5")):
        followed = project(*words, code=1)
        assert followed.out == "done\n"
        assert followed.err.startswith("failed done_")
    assert "--grep cannot be combined with --follow" in project("logs", "-f", "done", "--grep", "x", code=2).err
