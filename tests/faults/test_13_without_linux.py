"""The same engine without what only Linux has: no /proc, no pidfd, no subreaper, no boot clock, no word of writes.

This runs on Linux with those taken away, so that psutil and the other fallbacks do the work: what
macOS will run, short of macOS itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli, wait_until
from tests.faults import without
from tests.faults.conftest import command_of, is_gone, kill, written

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def elsewhere(bg: Cli, tmp_path: Path) -> Cli:
    """Bgrun as it is off Linux."""
    return without.elsewhere(bg, tmp_path)


def test_a_run_to_its_end(elsewhere: Cli) -> None:
    elsewhere("run", "x", "--exit-code", "--", "bash", "-c", "echo hi; exit 3", code=3)
    assert elsewhere("logs", "x").out == "hi\n"
    assert elsewhere("follow", "x", code=1).out == "hi\n"


def test_a_kill(elsewhere: Cli) -> None:
    run = elsewhere.start("x", "sleep 300")
    kill(command_of(run))
    ended = elsewhere.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 137)


def test_the_supervisor_killed(elsewhere: Cli) -> None:
    run = elsewhere.start("x", "until [ -e go ]; do sleep 0.02; done; exit 4")
    kill(int(elsewhere.meta(run)["supervisor_pid"]))
    assert elsewhere.state("x")["state"] == "running"
    (elsewhere.folder / "go").touch()
    assert elsewhere.ended("x")["exit_code"] == 4


@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
def test_stop_finds_what_left_the_session_by_its_mark(elsewhere: Cli, supervised: bool) -> None:
    run = elsewhere.start("x", "(setsid sleep 300 & echo $! > pid); sleep 301; true")
    pid = int(wait_until(written(elsewhere.folder / "pid"), "the process has told its pid"))
    if not supervised:
        kill(int(elsewhere.meta(run)["supervisor_pid"]))
    assert elsewhere.json("stop", "x")["runs"][0]["state"] == "stopped"
    assert is_gone(pid)
    assert is_gone(run["pid"])


def test_a_timeout(elsewhere: Cli) -> None:
    elsewhere.jobs("jobs: {x: {command: sleep 300, timeout: 300ms}}")
    assert elsewhere.json("start", "x", "--wait", code=1)["state"] == "timed_out"


def test_a_group(elsewhere: Cli) -> None:
    elsewhere.jobs("jobs: {a: {command: 'true'}, b: {command: exit 2}}\ngroups: {g: {jobs: [a, b]}}")
    run = elsewhere.json("group", "g", "--wait", code=1)
    assert [one["state"] for one in run["runs"]] == ["succeeded", "failed"]


def test_a_runaway_log_ends_the_run_and_says_why(elsewhere: Cli) -> None:
    # It is quiet for longer than a look takes to come: that does not put an end to the looks.
    elsewhere.jobs("jobs: {x: {command: 'sleep 3; head -c 3000000 /dev/zero; sleep 300', log: {max_size: 1MiB}}}")
    ended = elsewhere.json("start", "x", "--wait", code=1)
    assert ended["state"] == "stopped"
    assert ended["reason"].startswith("its log grew beyond 1048576 bytes")
