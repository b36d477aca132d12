"""Fault 11: two things at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import wait_until
from tests.faults.conftest import below, is_gone

if TYPE_CHECKING:
    from tests.conftest import Cli

STATES = {"queued", "running", "succeeded", "failed", "timed_out", "stopped", "skipped", "lost"}


def test_status_while_starting(bg: Cli) -> None:
    """At no moment does anybody see half a run."""
    bg("run", "x", "--wait", "--", "true")
    over = threading.Event()
    seen: list[dict[str, Any]] = []

    def look() -> None:
        while not over.is_set():
            seen.extend(bg.json("status")["runs"])

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(8):
            bg("run", "x", "--", "true")
    finally:
        over.set()
        looking.join()
    assert seen
    for run in seen:
        assert run["state"] in {"running", "succeeded"}, run
        assert run["pid"] and run["started_at"] and run["cmd"] == "true"


def test_stop_as_soon_as_it_is_in_view(bg: Cli) -> None:
    for place in range(4):
        run = bg.start(f"x{place}", "sleep 300; true")
        ended = bg.json("stop", run["run_id"])["runs"][0]
        assert ended["state"] == "stopped", ended


def test_two_stops_at_once(bg: Cli) -> None:
    """The job is asked once, however many ask for it, and ends in its own way."""
    run = bg.start(
        "x",
        "trap 'echo asked; ended=1' TERM; echo ready; until [ $ended ]; do sleep 0.02 || true; done; sleep 0.3; exit 9",
    )
    wait_until(lambda: "ready" in Path(run["log"]).read_text(), "its trap is set")
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: bg.json("stop", "x")["runs"][0], range(3)))
    assert {(one["state"], one["exit_code"]) for one in (*done, bg.state("x"))} == {("stopped", 9)}
    # bash itself may have words for the end of its `sleep`, too.
    assert bg("logs", "x").out.splitlines().count("asked") == 1
    assert not list(bg.logs.glob(".x_*"))


@pytest.mark.parametrize("first", ["the end", "the stop"])
def test_stop_as_it_ends_by_itself(bg: Cli, first: str) -> None:
    """Whoever comes first, the state tells what happened: it succeeded, or it was stopped."""
    for place in range(3):
        run = bg.start(f"x{place}", "until [ -e go ]; do sleep 0.02; done; exit 0")
        pid = int(bg.meta(run)["supervisor_pid"])
        os.kill(pid, signal.SIGSTOP)
        if first == "the end":
            (bg.folder / "go").touch()
            wait_until(lambda run=run: is_gone(run["pid"]), "the job has ended, and its supervisor does not know yet")
        stopping = subprocess.Popen([*bg.command, "stop", run["run_id"], "-q"], cwd=bg.folder, env=bg.env)
        assert stopping.wait(20) == 0, "it wakes the supervisor"
        ended = bg.state(run["run_id"])
        expected = ("succeeded", 0) if first == "the end" else ("stopped", 143)
        assert (ended["state"], ended["exit_code"]) == expected
        (bg.folder / "go").unlink(missing_ok=True)


@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
def test_a_command_that_is_over_when_the_stop_comes_was_not_stopped(bg: Cli, supervised: bool) -> None:
    """The job script is only writing down the code by then: a signal to it would change no fate."""
    run = bg.start("x", "until [ -e go ]; do sleep 0.02; done; exit 3")
    (bg.logs / f".{run['run_id']}.exit").write_text("3\n")  # as the script does once the command has ended
    if not supervised:
        os.kill(int(bg.meta(run)["supervisor_pid"]), signal.SIGKILL)
    stopping = subprocess.Popen([*bg.command, "stop", "x", "-q"], cwd=bg.folder, env=bg.env)
    wait_until((bg.logs / f".{run['run_id']}.stop").exists if supervised else lambda: True, "the stop is asked for")
    (bg.folder / "go").touch()
    assert stopping.wait(20) == 0
    ended = bg.state("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)


def test_stop_of_a_run_that_has_ended_changes_nothing(bg: Cli) -> None:
    bg("run", "x", "--wait", "--", "false", code=1)
    before = Path(bg.state("x")["meta"]).read_bytes()
    assert bg.json("stop", "x")["runs"][0]["state"] == "failed"
    assert Path(bg.state("x")["meta"]).read_bytes() == before


def test_stop_of_what_is_suspended(bg: Cli) -> None:
    """What is suspended hears of the stop all the same, and ends in its own way."""
    run = bg.start("x", "trap 'echo asked; exit 9' TERM; echo ready; while :; do sleep 0.02 || true; done")
    wait_until(lambda: "ready" in bg("logs", "x").out, "its trap is set")
    for pid in (int(bg.meta(run)["supervisor_pid"]), run["pid"], *[p.pid for p in below(run["pid"])]):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    ended = bg.json("stop", "x")["runs"][0]
    assert (ended["state"], ended["exit_code"]) == ("stopped", 9)
    assert bg("logs", "x").out.count("asked") == 1


def test_the_log_directory_is_removed_while_a_job_runs(bg: Cli) -> None:
    run = bg.start("x", "touch began; until [ -e go ]; do sleep 0.02; done")
    wait_until((bg.folder / "began").exists, "its shell has read the job script")
    shutil.rmtree(bg.logs)
    for command in ("status", "wait", "follow", "logs", "stop"):
        assert "no run, label or job" in bg(command, "x", code=2).err
    bg("run", "y", "--wait", "--", "true")
    assert not is_gone(int(run["pid"]))
    (bg.folder / "go").touch()
    wait_until(lambda: is_gone(int(run["pid"])), "the job ended by itself")


def test_prune_while_starting(bg: Cli) -> None:
    bg.jobs("defaults: {retention: {max_runs: 1}}\njobs: {x: {command: 'true'}}")
    pruning = [
        subprocess.Popen([*bg.command, "prune"], cwd=bg.folder, env=bg.env, stderr=subprocess.DEVNULL) for _ in range(3)
    ]
    started = [bg("start", "x", "-q").out.strip() for _ in range(4)]
    for process in pruning:
        assert process.wait(20) == 0
    assert bg.ended(started[-1])["state"] == "succeeded"
    wait_until(lambda: len(bg.json("list")["runs"]) == 1, "retention left one run")
    assert bg.json("list")["runs"][0]["run_id"] == started[-1]


def test_rerun_of_a_pruned_run(bg: Cli) -> None:
    run = bg.json("run", "x", "--wait", "--", "true")
    for path in bg.logs.rglob(f"{run['run_id']}*"):
        path.unlink()
    done = bg("rerun", run["run_id"], code=2)
    assert run["run_id"] in done.err


def test_a_run_whose_files_are_removed_by_hand_harms_nobody(bg: Cli) -> None:
    bg.start("x", "sleep 300; true")
    subprocess.run("find .logs -name '*.log' -delete", shell=True, cwd=bg.folder, check=True)
    assert bg.state("x")["state"] == "running"
    assert "does not exist" in bg("logs", "x", code=2).err
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
    bg("run", "y", "--wait", "--", "true")
