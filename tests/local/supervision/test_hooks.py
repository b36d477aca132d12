"""Which hooks a run's end calls for, and what they become."""

from __future__ import annotations

import math
import os
import signal
from typing import TYPE_CHECKING

import pytest

from bgrun.local.supervision import hooks
from bgrun.model import Run
from bgrun.plan import Hook
from tests.conftest import wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from pathlib import Path

ALL = (Hook("finish", "a"), Hook("success", "b"), Hook("failure", "c"))


def run(state: str) -> Run:
    known = dict.fromkeys(Run._fields[:19]) | {"run_id": "x_1", "label": "x", "state": state, "exit_code": 3}
    return Run(**known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "called"),
    [("succeeded", "ab"), ("failed", "ac"), ("timed_out", "ac"), ("stopped", "a")],
)
def test_the_end_calls_for(state: str, called: str) -> None:
    assert "".join(hook.command for hook in hooks.due(ALL, state)) == called


def test_a_notification_takes_the_program_there_is_and_none_is_no_error() -> None:
    notify = Hook("finish", notify=True)
    words = hooks.command(notify, run("failed"), lambda name: f"/bin/{name}" if name == "notify-send" else None)
    assert words[:3] == ["/bin/notify-send", "--app-name=bgrun", "--urgency=critical"]
    assert words[-2:] == ["x failed", "x_1: exit 3, 0 s"]
    assert hooks.command(notify, run("failed"), lambda name: name if name == "osascript" else None)[0] == "osascript"
    assert hooks.command(notify, run("failed"), lambda _: None) == []


def test_absent_values_are_empty_variables() -> None:
    values = hooks.variables(run("failed"))
    assert (values["BGRUN_STATE"], values["BGRUN_EXIT_CODE"], values["BGRUN_SIGNAL"]) == ("failed", "3", "")


@pytest.fixture
def ended(tmp_path: Path) -> Run:
    (tmp_path / ".logs" / "jobs").mkdir(parents=True)
    return run("failed")._replace(meta=f"{tmp_path}/.logs/x_1.meta")


def reap(running: hooks.Hooks) -> list[int]:
    """Wait for all running hooks and return their exit codes."""
    codes = []
    for pid in list(running.until):
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        running.ended(pid)
    return codes


def test_a_hook_runs_in_its_directory_with_nothing_of_ours(ended: Run, tmp_path: Path) -> None:
    (tmp_path / "works").mkdir()
    running = hooks.Hooks(set())
    script = "pwd; echo $BGRUN_STATE $MORE $BGRUN_LOG_DIR; cat; ls -l /dev/fd/ | grep -c hooks.log; exit 7"
    running.start_due([Hook("finish", script), Hook("success", "false")], ended, f"{tmp_path}/works", {"MORE": "more"})
    (pid,) = running.until
    assert running.helpers == {pid}
    wait_until(lambda: os.getsid(pid) == pid, "it has a session of its own")
    assert reap(running) == [7]
    log = tmp_path / ".logs/jobs/x_1.hooks.log"
    assert log.read_text() == f"{tmp_path}/works\nfailed more {tmp_path}/.logs\n1\n"
    assert running.next_check_at == math.inf


def test_a_hook_runs_though_the_project_was_renamed_just_now(
    ended: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path / ".logs")
    (tmp_path / ".logs").rename(tmp_path / "renamed")
    running = hooks.Hooks(set())
    running.start_due([Hook("finish", "echo ran")], ended, str(tmp_path), {})
    assert reap(running) == [0]
    assert (tmp_path / "renamed/jobs/x_1.hooks.log").read_text() == "ran\n"


def test_a_hook_is_killed_with_its_group_when_its_timeout_expires(ended: Run, tmp_path: Path) -> None:
    running = hooks.Hooks(set())
    script = "sleep 300 & echo $! >pid; wait"
    running.start_due([Hook("finish", script, timeout_s=3600)], ended, str(tmp_path), {})
    child = int(wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), "it runs"))
    running.kill_late()
    (pid,) = running.until
    assert running.next_check_at == running.until[pid]
    running.until[pid] = 0.0
    running.kill_late()
    assert reap(running) == [-signal.SIGKILL]
    wait_until(lambda: is_gone(child), "what it started is gone")


def test_a_hook_that_cannot_run_says_why(ended: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = hooks.Hooks(set())
    monkeypatch.setattr(hooks.programs, "find", lambda _: "/no/such/bash")
    running.start_due([Hook("finish", "true")], ended, str(tmp_path), {})
    assert reap(running) == [126]
    said = (tmp_path / ".logs/jobs/x_1.hooks.log").read_text()
    assert said == "bgrun: cannot run the hook: No such file or directory\n"


def test_a_hook_without_a_log_does_not_run(ended: Run, tmp_path: Path) -> None:
    (tmp_path / ".logs/jobs/x_1.hooks.log").mkdir()
    running = hooks.Hooks(set())
    running.start_due([Hook("finish", "touch ran")], ended, str(tmp_path), {})
    assert (running.until, running.waiting) == ({}, [])
