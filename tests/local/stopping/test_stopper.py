"""The steps of a stop, on real processes of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bgrun.local.stopping import processes, stopper
from bgrun.local.stopping.policy import begin
from bgrun.store import stop_request
from bgrun.store.paths import MARK_DIR, MARK_RUN, RunPaths
from bgrun.system import process
from tests.conftest import wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN_ID = "x_20260101_000000"


@pytest.fixture
def files(tmp_path: Path) -> RunPaths:
    return RunPaths(str(tmp_path), RUN_ID)


@pytest.fixture
def marked(files: RunPaths) -> Iterator[subprocess.Popen[bytes]]:
    """A process with the mark of the run, and nothing else that tells of it."""
    env = {MARK_RUN: RUN_ID, MARK_DIR: files.log_dir, "PATH": "/usr/bin:/bin"}
    one = _started(env)
    yield one
    one.kill()
    one.wait()


def _started(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a process and wait for its mark: Popen returns as execve(2) closes its pipe, a moment before that is set."""
    one = subprocess.Popen(["sleep", "300"], env=env, start_new_session=True)
    wait_until(lambda: processes.read_mark(one.pid), "its mark can be read")
    return one


def target(files: RunPaths, leader: int = 0) -> stopper.Target:
    claim = processes.Ownership(processes.mark_of(files.log_dir, RUN_ID), files.log, leader, reaped=True)
    return stopper.Target(claim, 0, files)


@pytest.mark.parametrize("now", [0.0, 20.0], ids=["while it is asked", "while it is killed"])
def test_one_empty_look_is_not_the_end(files: RunPaths, now: float) -> None:
    stopping = begin("stop", "SIGTERM", 10, 0.0)
    first = stopper.step(target(files), stopping, processes.View(), now)
    assert first.outcome == "scan again"
    assert stopper.step(target(files), first.stopping, processes.View(), now).outcome == "over"


def test_what_comes_between_two_looks_is_not_missed(files: RunPaths, marked: subprocess.Popen[bytes]) -> None:
    empty, full = processes.View(), processes.View()
    empty.table.pop(marked.pid, None)
    empty.renew = lambda: False  # type: ignore[method-assign] # as if it had been forked a moment later
    first = stopper.step(target(files), begin("stop", "SIGTERM", 10, 0.0), empty, 0.0)
    assert first.outcome == "scan again"
    second = stopper.step(target(files), first.stopping, full, 0.0)
    assert [one.pid for one in second.reached] == [marked.pid]


def test_it_is_held_still_until_nothing_more_is_found_and_only_then_killed(
    files: RunPaths, marked: subprocess.Popen[bytes]
) -> None:
    stopping = begin("stop", "SIGKILL", 10, 0.0)
    outcomes = []
    for _ in range(2):
        done = stopper.step(target(files), stopping, processes.View(), 0.0)
        stopping = done.stopping
        outcomes.append((done.outcome, done.reached))
        wait_until(lambda: (seen := process.read(marked.pid)) and seen.stopped, "it stands still")
    assert outcomes == [("scan again", ()), ("scan again", ())]
    killed = stopper.step(target(files), stopping, processes.View(), 0.0)
    assert [one.pid for one in killed.reached] == [marked.pid]
    wait_until(lambda: is_gone(marked.pid), "it is gone")
    assert stopper.step(target(files), killed.stopping, processes.View(), 0.1).outcome == "over"


def test_it_is_given_up_only_after_it_was_killed(files: RunPaths, marked: subprocess.Popen[bytes]) -> None:
    """Whoever stops it comes to it late, though something new is found at each look."""
    stopping = begin("stop", "SIGKILL", 0, 0.0)
    held = stopper.step(target(files), stopping, processes.View(), 0.0)
    late = stopper.step(target(files), held.stopping._replace(quiet_scans=0, suspended=()), processes.View(), 1000.0)
    assert [one.pid for one in late.reached] == [marked.pid]


def test_a_stop_that_reached_nobody_is_not_recorded_as_carried_out(
    files: RunPaths, marked: subprocess.Popen[bytes]
) -> None:
    view = processes.View()
    marked.kill()
    wait_until(lambda: is_gone(marked.pid), "it is gone")
    view.mark = lambda pid: target(files).claim.mark if pid == marked.pid else ""  # type: ignore[method-assign]
    done = stopper.step(target(files), begin("stop", "SIGTERM", 10, 0.0), view, 0.0)
    assert done.reached == ()
    request = stop_request.read_stop(files)
    assert request and not request.carried_out


@pytest.mark.parametrize("recorded", ["/somewhere/else/.logs", ""], ids=["recorded", "as an earlier bgrun had it"])
def test_a_log_directory_is_the_same_by_whatever_path(tmp_path: Path, recorded: str) -> None:
    """That of the caller, that of the job, and that of whoever looks: a bind mount, a firmlink, a folder renamed."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    env = {MARK_RUN: RUN_ID, MARK_DIR: recorded or str(tmp_path / "link"), "PATH": "/usr/bin:/bin"}
    one = _started(env)
    try:
        for run_id, found in ((RUN_ID, [one.pid]), (f"{RUN_ID}z2", [])):
            at = RunPaths(str(tmp_path / "real"), run_id)
            claim = stopper.claim_of(at, {"run_id": run_id, "log_dir": recorded}, reaped=True)
            assert [process.pid for process in processes.find(claim)] == found
    finally:
        one.kill()
        one.wait()


def test_of_a_run_of_the_older_script_all_below_its_pid_is_its_own(tmp_path: Path) -> None:
    """Also what writes nothing to its log. Nothing below the caller is: that may be what called the script."""
    detached = """
import subprocess, sys
null = subprocess.DEVNULL
shell = subprocess.Popen(["bash", "-c", "sleep 300 & wait"], start_new_session=True, stdin=null, stdout=null, stderr=null)
print(shell.pid)
"""
    leader = int(subprocess.run([sys.executable, "-c", detached], capture_output=True, check=True).stdout)
    try:
        at = RunPaths(str(tmp_path), RUN_ID)
        claim = stopper.claim_of(at, {"label": "x", "pid": str(leader)}, reaped=False)
        found = wait_until(lambda: len(both := processes.find(claim)) == 2 and both, "both are found")
        assert found[0].pid == leader or found[1].pid == leader
        assert {one.sid for one in found} == {leader}
        gone = stopper.claim_of(at, {"label": "x", "pid": str(leader)}, reaped=True)
        assert processes.find(gone) == []
    finally:
        os.killpg(leader, signal.SIGKILL)
