"""Fault 16: a job ends by itself and leaves processes running."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from bgrun.local.recording.journal import Child
from bgrun.local.stopping import supervised
from bgrun.local.supervision.host import Host
from bgrun.local.supervision.machine import Machine
from bgrun.local.supervision.run import RunTask
from bgrun.plan import RenderedJob, RunPlan
from bgrun.store import meta
from bgrun.store.paths import RunPaths
from tests.conftest import wait_until
from tests.faults.conftest import is_gone, kill, written

if TYPE_CHECKING:
    from tests.conftest import Cli

LEAVE = {
    "in its session": "sleep 777 & echo $! > pid",
    "in a session of its own": "(setsid sleep 777 & echo $! > pid)",
    "with descriptors of its own": "(setsid sleep 777 < /dev/null > /dev/null 2>&1 & echo $! > pid)",
    "without the mark": "(env -i setsid sleep 777 > /dev/null & echo $! > pid)",
}


def left(bg: Cli, script: str = LEAVE["in its session"], code: int = 0) -> tuple[dict[str, object], int]:
    """Return a run that has ended and left a process running, and that process."""
    bg.start("x", f"{script}; exit {code}")
    run = bg.ended("x")
    pid = int(written(bg.folder / "pid")())
    wait_until(lambda: psutil.Process(pid).name() == "sleep", "it is what it is to be")
    return run, pid


@pytest.mark.parametrize("how", LEAVE)
@pytest.mark.parametrize("code", [0, 3])
def test_it_is_reported_and_stop_ends_it(bg: Cli, how: str, code: int) -> None:
    run, pid = left(bg, LEAVE[how], code)
    before = (run["state"], run["exit_code"])
    assert before == ("succeeded" if code == 0 else "failed", code)
    assert run["left_running"] == [pid]
    reported = f"left 1 process running (pid {pid}): bgrun stop {run['run_id']}"
    for command, expected in (("status", 0), ("report", 0), ("wait", min(code, 1))):
        assert reported in bg(command, "x", code=expected).out, command
    assert bg.json("status", "x")["runs"][0]["left_running"] == [pid]
    assert "stopped 1 process it had left running" in bg("stop", "x").out
    assert is_gone(pid)
    after = bg.state("x")
    assert ((after["state"], after["exit_code"]), after["left_running"]) == (before, [])
    assert "left" not in bg("stop", "x").out


def test_what_ignores_the_signal_is_killed_after_the_grace_period(bg: Cli) -> None:
    bg.jobs(
        "jobs: {x: {command: '(trap \"\" TERM; touch ready; while :; do sleep 0.1; done) & echo $! > pid',"
        " stop_grace_period: 200ms}}"
    )
    bg.json("start", "x")
    run = bg.ended("x")
    pid = int(written(bg.folder / "pid")())
    wait_until((bg.folder / "ready").exists, "it ignores the signal")
    assert pid in run["left_running"]
    bg("stop", "x")
    assert is_gone(pid)


def test_nothing_is_reported_where_nothing_is_left(bg: Cli) -> None:
    bg.start("x", "sleep 0.1 & wait; echo hi | cat")
    run = bg.ended("x")
    assert run["left_running"] == []
    assert "left_running" not in bg.meta(run)


def test_what_is_about_to_end_is_given_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = RunPaths(str(tmp_path), "x_20260101_000000")
    mark = {"BGRUN_RUN_ID": at.run_id, "BGRUN_LOG_DIR": at.log_dir}
    with subprocess.Popen(["sleep", "300"], env={**os.environ, **mark}) as job:
        try:
            task = RunTask(
                RunPlan(at.run_id, RenderedJob("x", "", "", "", "/", inhibit_sleep=False), {}),
                Host(at.log_dir, Machine()),
            )
            task.child = Child(0, -1, meta.pack({"run_id": at.run_id, "log_dir": at.log_dir}))
            wait_until(lambda: [one.pid for one in supervised.left_running(task)] == [job.pid], "it is found")
            monkeypatch.setattr(supervised, "LINGER_S", 60.0)
            monkeypatch.setattr(time, "sleep", lambda _: job.terminate())  # what a moment is for
            assert supervised.left_running(task) == []
        finally:
            job.kill()


def test_of_a_killed_job_nothing_is_left(bg: Cli) -> None:
    run = bg.start("x", "setsid sleep 777 & echo $! > pid; sleep 778; true")
    pid = int(wait_until(written(bg.folder / "pid"), "the process has written its PID"))
    kill(run["pid"])
    assert bg.ended("x")["state"] == "failed"
    wait_until(lambda: is_gone(pid), "it is gone")
    assert "left_running" not in bg.meta(run)


def test_in_a_group_each_run_has_its_own(bg: Cli) -> None:
    bg.jobs(
        "jobs:\n"
        "  a: {command: '(setsid sleep 777 & echo $! > a)'}\n"
        "  b: {command: '(setsid sleep 778 & echo $! > b)', depends_on: [a]}\n"
        "  c: {command: 'true', depends_on: [b]}\n"
        "  d: {command: 'touch d; sleep 300'}\n"
        "groups: {g: {jobs: [a, b, c, d]}}\n"
    )
    group = bg.json("group", "g")
    assert bg.ended("c")["left_running"] == []
    pids = {name: int((bg.folder / name).read_text()) for name in "ab"}
    assert {name: bg.state(name)["left_running"] for name in "ab"} == {name: [pid] for name, pid in pids.items()}
    bg("stop", "a")
    assert is_gone(pids["a"]) and not is_gone(pids["b"])
    bg("stop", group["run_id"])
    assert bg.state("d")["state"] == "stopped"
    bg("stop", group["run_id"])
    assert is_gone(pids["b"]), "that of the group's runs as well"


def test_after_an_end_that_only_the_script_saw_stop_still_ends_it(bg: Cli) -> None:
    run = bg.start("x", "(setsid sleep 777 & echo $! > pid); until [ -e go ]; do sleep 0.02; done; exit 4")
    pid = int(wait_until(written(bg.folder / "pid"), "the process has written its PID"))
    kill(int(bg.meta(run)["supervisor_pid"]))
    (bg.folder / "go").touch()
    assert bg.ended("x")["exit_code"] == 4
    assert "stopped 1 process" in bg("stop", "x").out
    assert is_gone(pid)


def test_a_stranger_with_the_same_pid_is_neither_reported_nor_stopped(bg: Cli) -> None:
    run, pid = left(bg)
    kill(pid)
    stranger = subprocess.Popen(["sleep", "300"], env={}, start_new_session=True, executable="/bin/sleep")
    try:
        meta = Path(str(run["meta"]))
        meta.write_text(meta.read_text().replace(f"left_running={pid}:", f"left_running={stranger.pid}:"))
        assert bg.state("x")["left_running"] == []
        bg("stop", "x")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_that_was_left_does_not_end_itself(bg: Cli) -> None:
    run, pid = left(bg)
    mark = {"BGRUN_RUN_ID": str(run["run_id"]), "BGRUN_LOG_DIR": str(bg.logs)}
    refused = bg("stop", "x", code=2, **mark)
    assert "cannot stop" in refused.err
    assert not is_gone(pid)
    bg("stop", "x")
