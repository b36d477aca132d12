"""The same engine without what only Linux has: no /proc, no pidfd, no subreaper, no boot clock, no word of writes.

This runs on Linux with those taken away, so that psutil and the other fallbacks do the work: what
macOS will run, short of macOS itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import Cli, wait_until
from tests.faults import without
from tests.faults.conftest import below, command_of, has_open, is_gone, kill, orphan, written

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


SUPERVISED = pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
LEFT_THE_SESSION = {
    "whose environment is hidden, by the log": "(setsid sleep 300 & echo $! > pid); sleep 301; true",
    "with only its stderr on the log": "(setsid sleep 300 > /dev/null & echo $! > pid); sleep 301; true",
    "whose log is elsewhere, by its mark": f"(setsid {sys.executable} -c 'import time; time.sleep(300)' > /dev/null 2>&1 &"
    " echo $! > pid); sleep 301; true",
}


@SUPERVISED
@pytest.mark.parametrize("how", LEFT_THE_SESSION)
def test_stop_finds_what_left_the_session(elsewhere: Cli, how: str, supervised: bool) -> None:
    run = elsewhere.start("x", LEFT_THE_SESSION[how])
    pid = int(wait_until(written(elsewhere.folder / "pid"), "the process has written its PID"))
    wait_until(lambda: os.getsid(pid) == pid and psutil.Process(pid).name() != "setsid", "it is what it is to be")
    if not supervised:
        orphan(elsewhere, run)
    assert elsewhere.json("stop", "x")["runs"][0]["state"] == "stopped"
    assert is_gone(pid)
    assert is_gone(run["pid"])


def test_what_a_killed_job_script_leaves_goes_too(elsewhere: Cli) -> None:
    """Its shell and command are known by its session alone."""
    run = elsewhere.start("x", "sleep 300 > /dev/null 2>&1; true")
    left = [command_of(run), *(one.pid for one in below(run["pid"]))]
    kill(run["pid"])
    ended = elsewhere.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 137)
    wait_until(lambda: all(is_gone(pid) for pid in left), "all of it is gone")


@SUPERVISED
def test_what_outlives_the_job_script_while_it_is_stopped(elsewhere: Cli, supervised: bool) -> None:
    elsewhere.jobs(
        'jobs: {x: {command: \'(trap "" TERM; echo > ready; while :; do sleep 0.1; done) > /dev/null 2>&1 & echo $! > pid;'
        " sleep 300', stop_grace_period: 1s}}"
    )
    run = elsewhere.json("start", "x")
    wait_until((elsewhere.folder / "ready").exists, "it ignores the signal")
    pid = int(wait_until(written(elsewhere.folder / "pid"), "the process has written its PID"))
    if not supervised:
        orphan(elsewhere, run)
    assert elsewhere.json("stop", "x")["runs"][0]["state"] == "stopped"
    assert is_gone(pid)


@SUPERVISED
def test_whoever_only_looks_at_the_log_is_left_alone(elsewhere: Cli, supervised: bool) -> None:
    run = elsewhere.start("x", "sleep 301; true")
    if not supervised:
        orphan(elsewhere, run)
    readers = [
        subprocess.Popen(["tail", "-f", run["log"]], stdout=subprocess.DEVNULL),
        subprocess.Popen(["sh", "-c", f"exec 3>>'{run['log']}'; exec sleep 300"], stdout=subprocess.DEVNULL),
    ]
    try:
        wait_until(lambda: all(has_open(one.pid, run["log"]) for one in readers), "both have it open")
        assert elsewhere.json("stop", "x")["runs"][0]["state"] == "stopped"
        assert [one.poll() for one in readers] == [None, None]
    finally:
        for one in readers:
            one.kill()
            one.wait()


def test_what_a_run_leaves_running_is_reported_and_ended(elsewhere: Cli) -> None:
    elsewhere.start("x", "sleep 300 > /dev/null 2>&1 & echo $! > pid")
    pid = int(wait_until(written(elsewhere.folder / "pid"), "the process has written its PID"))
    assert elsewhere.ended("x")["left_running"] == [pid]
    elsewhere("stop", "x")
    assert is_gone(pid)


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
