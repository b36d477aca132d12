"""Fault 18: whoever clears old files away meets those of runs that live still."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bgrun.local.launch.manifest import Plan, RunPlan
from bgrun.local.supervision import supervisor
from bgrun.local.supervision.machine import Machine
from bgrun.plan import RenderedJob
from tests.conftest import Cli, wait_until
from tests.faults.conftest import kill

if TYPE_CHECKING:
    from collections.abc import Callable

WEEK_S = 7 * 86400
JOBS = """
jobs:
  a: {command: "until [ -e go ]; do sleep 0.02; done; exit 3", concurrency: {group: c}}
  b: {command: "exit 0", concurrency: {group: c}}
groups: {g: {jobs: [a, b]}}
"""


def grow_old(bg: Cli) -> None:
    then = time.time() - 2 * WEEK_S
    for path in filter(Path.is_file, bg.logs.rglob("*")):
        os.utime(path, (then, then), follow_symlinks=False)


def poke(bg: Cli, run: dict[str, Any]) -> None:
    """Wake the supervisor, as its own timer does once a day."""
    kill(int(bg.meta(run)["supervisor_pid"]), signal.SIGUSR1)


def is_fresh(path: Path) -> bool:
    return path.stat().st_mtime > time.time() - WEEK_S


def clear_away(bg: Cli) -> None:
    """As the runbook has it."""
    subprocess.run(["find", bg.logs, "-mtime", "+7", "-type", "f", "-delete"], check=True)


@pytest.mark.parametrize("slim", [False, True], ids=["at once", "once it is slim"])
def test_they_are_kept_fresh_but_for_the_log(bg: Cli, slimmed: Callable[[dict[str, Any]], int], slim: bool) -> None:
    run = bg.start("x", "until [ -e go ]; do sleep 0.02; done; exit 3")
    if slim:
        slimmed(run)
    grow_old(bg)
    poke(bg, run)
    log = Path(run["log"])
    kept = [log.with_suffix(".meta"), log.with_suffix(".pid"), Path(run["script"])]
    wait_until(lambda: all(map(is_fresh, kept)), "the files of the run are fresh")
    assert not is_fresh(log)
    clear_away(bg)
    assert [path.name for path in kept if not path.exists()] == []
    assert bg.state("x")["state"] == "running"
    (bg.folder / "go").touch()
    assert bg.ended("x")["exit_code"] == 3


def test_those_of_a_group_and_of_its_locks(bg: Cli) -> None:
    bg.jobs(JOBS)
    run = bg.json("group", "g")
    grow_old(bg)
    poke(bg, run)
    slot = bg.logs / ".concurrency" / "c" / "slot.1"
    metas = [Path(one["meta"]) for one in bg.json("list", "--all")["runs"]]
    assert len(metas) == 3
    wait_until(lambda: all(map(is_fresh, [*metas, slot])), "the files are fresh")
    clear_away(bg)
    more = bg.json("start", "b")
    assert more["state"] == "queued", "the slot is still taken"
    (bg.folder / "go").touch()
    assert bg.ended("g")["state"] == "failed"
    assert bg.ended(more["run_id"])["state"] == "succeeded"


def test_what_was_removed_is_written_again(bg: Cli) -> None:
    run = bg.start("x", "touch began; until [ -e go ]; do sleep 0.02; done; exit 3")
    wait_until((bg.folder / "began").exists, "its shell has read the job script")
    pid = int(bg.meta(run)["supervisor_pid"])
    subprocess.run(["find", bg.logs, "-type", "f", "-delete"], check=True)
    assert bg("status", "x", code=2)
    kill(pid, signal.SIGUSR1)
    wait_until(Path(run["meta"]).exists, "its meta is there again")
    assert bg.state("x")["state"] == "running"
    subprocess.run(["find", bg.logs, "-type", "f", "-delete"], check=True)
    (bg.folder / "go").touch()
    wait_until(lambda: "state=" in _text(Path(run["meta"])), "its record is whole")
    ended = bg.ended("x")
    assert (ended["state"], ended["exit_code"]) == ("failed", 3)
    assert Path(run["meta"]).with_suffix(".exit").read_text() == "3\n"
    assert Path(run["meta"]).with_suffix(".pid").read_text() == f"{run['pid']}\n"


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_once_a_day_and_no_more() -> None:
    asleep = supervisor.Supervisor(
        Plan("/nowhere", (RunPlan("x_1", RenderedJob("x", "", "", "", "/", inhibit_sleep=False), {}),)), Machine()
    )
    asleep.ask_at = supervisor.NEVER
    look = asleep.next_turn_s()
    assert look is not None
    assert 86000 < look <= 86400
