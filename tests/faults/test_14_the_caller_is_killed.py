"""Fault 14: the caller is killed at some moment of a launch, or its answer comes late. What it started holds."""

from __future__ import annotations

import os
import random
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from bgrun.local import plan as plans
from bgrun.local import slim
from bgrun.local.plan import Plan, RunPlan
from bgrun.runs import files
from tests.conftest import Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MANY = 60
JOBS = f"""
jobs:
  many: {{command: "exit 0", matrix: {{n: [{", ".join(map(str, range(MANY)))}]}}}}
  last: {{command: echo last, depends_on: [many]}}
  bounded:
    command: sleep 300
    timeout: 700ms
    on_finish: ['echo "$BGRUN_STATE" > {{folder}}/hooked_$BGRUN_RUN_ID']
groups:
  all: {{jobs: [many, last, bounded], max_parallel: 4}}
"""


@pytest.fixture
def project(bg: Cli) -> Cli:
    bg.jobs(JOBS.replace("{folder}", str(bg.folder)))
    return bg


def kill_once(bg: Cli, words: tuple[str, ...], due: Callable[[], object]) -> None:
    """Start a command and kill it, alone, once something is so."""
    caller = subprocess.Popen(
        [*bg.command, *words], cwd=bg.folder, env=bg.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 20
    while not due() and caller.poll() is None and time.monotonic() < until:
        pass
    caller.kill()
    caller.wait()


def metas(bg: Cli) -> list[str]:
    try:
        return [name for name in os.listdir(bg.logs) if name.endswith(".meta") and name[0] != "."]
    except OSError:
        return []


@pytest.mark.parametrize("way", ["spawned", "forked"])
def test_as_the_first_record_comes_into_view(project: Cli, way: str) -> None:
    if way == "forked":  # the second start finds its plan kept, and forks its supervisor
        project("group", "all", "--wait", code=1)
        for one in project.folder.glob("hooked_*"):
            one.unlink()
    before = len(metas(project))
    kill_once(project, ("group", "all"), lambda: len(metas(project)) > before)
    ended = project.ended("all")
    runs = [project.state(run_id) for run_id in project.meta(ended)["members"].split()]
    assert len(runs) == MANY + 2
    assert {run["state"] for run in runs[:-1]} == {"succeeded"}, "the members, and the one that needs them all"
    assert (runs[-1]["state"], ended["state"]) == ("timed_out", "failed")
    hooked = project.folder / f"hooked_{runs[-1]['run_id']}"
    wait_until(lambda: hooked.exists() and hooked.read_text() == "timed_out\n", "its hook was called")


def test_at_any_moment(project: Cli) -> None:
    """Either nothing was launched, or the run has all that it was promised."""
    rng = random.Random(14)  # noqa: S311 - no secret
    for _ in range(12):
        pause = time.monotonic() + rng.random() * 0.25
        kill_once(project, ("start", "bounded"), lambda until=pause: time.monotonic() > until)  # type: ignore[misc]
    project("start", "bounded")
    for run in project.json("list", "--all")["runs"]:
        assert project.ended(run["run_id"])["state"] == "timed_out"
        hooked = project.folder / f"hooked_{run['run_id']}"
        wait_until(lambda path=hooked: path.exists() and path.read_text(), "its hook was called")  # type: ignore[misc]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_half_a_plan_launches_nothing(bg: Cli, tmp_path: Path, share: float) -> None:
    """As a supervisor reads it whose caller was killed while it wrote the plan to a pipe."""
    files.ensure_log_dir(str(bg.logs))
    script = bg.logs / "jobs" / "x_20260101_000000.sh"
    script.write_text(f"read -r _ <&8; touch {tmp_path}/ran")
    plan = Plan(str(bg.logs), (RunPlan("x_20260101_000000", "x", {"label": "x"}),))
    data = plans.pack(plan)
    read_fd, ready_fd = os.pipe()
    os.set_inheritable(ready_fd, True)
    words = slim._command(plan, ready_fd)
    done = subprocess.run(words, input=data[: int(len(data) * share)], pass_fds=(ready_fd,), timeout=20, check=False)
    os.close(ready_fd)
    assert done.returncode
    assert os.read(read_fd, 100) == b""
    os.close(read_fd)
    assert metas(bg) == []
    assert not (tmp_path / "ran").exists()
