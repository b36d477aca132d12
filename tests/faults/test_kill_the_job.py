"""Fault 1: the job is killed with SIGKILL. 137, failed, at once, never an older run's code."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import wait_until
from tests.faults.conftest import below, command_of, is_gone, kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli


def kill_command(run: dict[str, Any]) -> None:
    kill(command_of(run))


def kill_leader(run: dict[str, Any]) -> None:
    command_of(run)
    kill(run["pid"])


def kill_group(run: dict[str, Any]) -> None:
    command_of(run)
    os.killpg(run["pgid"], signal.SIGKILL)


@pytest.mark.parametrize("break_it", [kill_command, kill_leader, kill_group])
def test_a_killed_job_failed_with_137_at_once(bg: Cli, break_it: Callable[[dict[str, Any]], None]) -> None:
    bg.json("run", "x", "--wait", "--", "true")
    run = bg.start("x", "sleep 300")
    break_it(run)
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"], ended["signal"]) == ("failed", 137, "SIGKILL")
    assert ended["run_id"] == run["run_id"]
    assert (bg.logs / f"{run['run_id']}.exit").read_text() == "137\n"


def test_what_a_killed_leader_leaves_behind_goes_too(bg: Cli) -> None:
    run = bg.start("x", "sleep 300; true")
    command_of(run)
    left = [process.pid for process in below(run["pid"])]
    kill(run["pid"])
    wait_until(lambda: all(is_gone(pid) for pid in left), f"{left} are gone")
    assert bg.ended("x")["exit_code"] == 137


def test_what_a_killed_command_leaves_behind_goes_too(bg: Cli) -> None:
    run = bg.start("x", "sleep 300 & sleep 301; true")
    command_of(run)
    left = [process.pid for process in below(run["pid"])]
    kill(command_of(run, "bash"))
    wait_until(lambda: all(is_gone(pid) for pid in left), f"{left} are gone")
    assert bg.ended("x")["exit_code"] == 137


def test_what_a_job_leaves_running_on_purpose_goes_on(bg: Cli) -> None:
    bg("run", "x", "--wait", "--", "env", "-u", "BGRUN_LOG_DIR", "bash", "-c", "setsid sleep 300 & echo $! > pid")
    pid = int((bg.folder / "pid").read_text())
    assert bg.state("x")["state"] == "succeeded"
    assert not is_gone(pid)
    kill(pid)


def test_the_shell_lines_of_the_runbook_kill_it(bg: Cli) -> None:
    import subprocess

    run = bg.start("x", "sleep 300; true")
    command_of(run)
    line = f"kill -9 -\"$(grep '^pgid=' .logs/{run['run_id']}.meta | cut -d= -f2)\""
    subprocess.run(["bash", "-c", line], cwd=bg.folder, check=True)
    assert bg.ended("x")["exit_code"] == 137


@pytest.mark.parametrize("name", ["SIGTERM", "SIGSEGV", "SIGHUP"])
def test_any_signal_that_ends_the_leader_is_a_failure(bg: Cli, name: str) -> None:
    run = bg.start("x", "sleep 300; true")
    command_of(run)
    kill(run["pid"], signal.Signals[name])
    ended = bg.ended("x")
    assert (ended["state"], ended["signal"]) == ("failed", name)
    assert ended["exit_code"] == 128 + signal.Signals[name]
