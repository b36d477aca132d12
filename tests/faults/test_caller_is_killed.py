"""Fault 14: the caller is killed at some moment of a launch, or its answer comes late. What it started holds."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import shlex
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from bgrun.local.launch import interpreter
from bgrun.local.launch import manifest as plans
from bgrun.local.launch.manifest import Plan
from bgrun.plan import RenderedJob, RunPlan
from bgrun.system import directories
from tests.conftest import Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
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


WITHOUT_FORK = """
from bgrun.local.launch import standby
standby.may_fork = lambda: False
from bgrun.__main__ import main
main()
"""


def metas(bg: Cli) -> list[str]:
    try:
        return [name for name in os.listdir(bg.logs) if name.endswith(".meta") and name[0] != "."]
    except OSError:
        return []


@pytest.mark.parametrize("way", ["spawned", "forked"])
def test_as_the_first_record_comes_into_view(project: Cli, way: str) -> None:
    program = ["-c", WITHOUT_FORK] if way == "spawned" else project.command[1:]
    caller = Cli(project.folder, [project.command[0], *program], project.env)
    kill_once(caller, ("group", "all"), lambda: len(metas(project)) > 0)
    ended = project.ended("all", "100s")
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


def test_the_supervisor_is_killed_in_the_middle_of_its_launches(project: Cli) -> None:
    """It says nothing any more: what is on record tells whether anything was launched."""
    for _ in range(5):
        before = set(metas(project))
        starting = subprocess.Popen(
            [*project.command, "group", "all", "--json"],
            cwd=project.folder,
            env=project.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        own = wait_until(lambda known=before: newest_group(project, known), "the group has a record")  # type: ignore[misc]
        facts = dict(line.split("=", 1) for line in (project.logs / own).read_text().splitlines())
        os.kill(int(facts["supervisor_pid"]), signal.SIGKILL)
        out, err = starting.communicate(timeout=60)
        assert starting.returncode == 0, err
        assert own == f"{json.loads(out)['run_id']}.meta"
    project("stop", "--all", code=None)


def newest_group(bg: Cli, known: Collection[str]) -> str:
    """Return the name of the meta of a run of the group `all` that is not known yet; '' if there is none."""
    return next((name for name in metas(bg) if name.startswith("all_") and name not in known), "")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_half_a_plan_launches_nothing(bg: Cli, tmp_path: Path, share: float) -> None:
    """As a supervisor reads it whose caller was killed while it wrote the plan to a pipe."""
    directories.ensure_log_dir(str(bg.logs))
    script = bg.logs / "jobs" / "x_20260101_000000.sh"
    script.write_text(f"read -r _ <&8; touch {tmp_path}/ran")
    plan = Plan(
        str(bg.logs),
        (RunPlan("x_20260101_000000", RenderedJob("x", "", "", "", "/", inhibit_sleep=False), {"label": "x"}),),
    )
    data = plans.pack(plan)
    read_fd, ready_fd = os.pipe()
    os.set_inheritable(ready_fd, True)
    words = interpreter._command(plan, ready_fd)
    done = subprocess.run(words, input=data[: int(len(data) * share)], pass_fds=(ready_fd,), timeout=20, check=False)
    os.close(ready_fd)
    assert done.returncode
    assert os.read(read_fd, 100) == b""
    os.close(read_fd)
    assert metas(bg) == []
    assert not (tmp_path / "ran").exists()


# --- a launch that takes too long -------------------------------------------------------------

SLOTS = """
jobs:
  one: {command: touch ran, concurrency: {group: g}}
  two: {command: touch ran_two, concurrency: {group: g}}
  free: {command: sleep 300, timeout: 300ms}
  many: {command: "exit 0", matrix: {n: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]}}
groups: {g: {jobs: [one, two, free]}, all: {jobs: [many]}}
"""
HASTY = """
import sys
from bgrun.local.launch import spawn
from bgrun.local.concurrency import slots
spawn.READY_S, slots.MUTEX_S = map(float, sys.argv[1:3])
del sys.argv[1:3]
from bgrun.__main__ import main
main()
"""


@pytest.fixture
def mutex(bg: Cli) -> Iterator[int]:
    """The mutex of a concurrency group, held."""
    bg.jobs(SLOTS)
    place = bg.logs / ".concurrency" / "g"
    place.mkdir(parents=True)
    fd = os.open(place / "mutex", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield fd
    os.close(fd)


def hasty(bg: Cli, ready_s: float, mutex_s: float) -> Cli:
    """The command line with bounds of its own."""
    return Cli(bg.folder, [bg.command[0], "-c", HASTY, str(ready_s), str(mutex_s)], bg.env)


def scripts(bg: Cli) -> list[str]:
    return sorted(os.listdir(bg.logs / "jobs"))


def test_a_mutex_that_somebody_holds_is_waited_for_only_so_long(bg: Cli, mutex: int) -> None:
    done = hasty(bg, 30, 0.3)("start", "one", code=2)
    assert "another process holds the lock" in done.err
    path = bg.logs / ".concurrency" / "g" / "mutex"
    assert f"the lock {path}" in done.err
    assert f"fuser {shlex.quote(str(path))}" in done.err
    fcntl.flock(mutex, fcntl.LOCK_UN)
    assert scripts(bg) == []
    assert metas(bg) == []
    bg("start", "one", "--wait")


@pytest.mark.parametrize("released", [True, False])
def test_other_runs_of_the_plan_are_supervised_meanwhile(bg: Cli, mutex: int, released: bool) -> None:
    hasty(bg, 30, 20 if released else 1.0)("group", "g")
    assert bg.ended("free")["state"] == "timed_out"
    if released:
        assert "another process holds the lock" in bg.state("one")["reason"]
        fcntl.flock(mutex, fcntl.LOCK_UN)
    bg.ended("g")
    assert {bg.state(job)["state"] for job in ("one", "two")} == {"succeeded" if released else "skipped"}
    assert (bg.folder / "ran").exists() == released


def test_a_launch_that_comes_too_late_is_withdrawn_for_good(bg: Cli, mutex: int) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    done = hasty(bg, 0.5, 300)("start", "one", code=125)
    assert "nothing was launched within 0.5 s" in done.err
    assert scripts(bg) == []
    fcntl.flock(mutex, fcntl.LOCK_UN)
    wait_until(lambda: not supervisors(bg), "its supervisor is gone")
    assert metas(bg) == []
    assert not (bg.folder / "ran").exists()
    assert {process.pid for process in psutil.Process().children(recursive=True)} == before


def supervisors(bg: Cli) -> list[int]:
    """Return the processes that are in the log folder, as a supervisor is."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(bg.logs):
                found.append(process.pid)
    return found


SUSPENDED = """
import os, signal
from bgrun.local.launch import begin
def late(*words, answer=begin._answer):
    os.kill(os.getpid(), signal.SIGSTOP)
    answer(*words)
begin._answer = late
"""
# Also where no supervisor can be forked, and so a new interpreter is to be one.
SUSPENDED_ANYWHERE = f"""{SUSPENDED}
from bgrun.local.launch import interpreter
interpreter._BOOT = interpreter._BOOT.replace("from ", {SUSPENDED!r} + "from ", 1)
"""


def test_a_launch_whose_record_is_in_view_goes_on(bg: Cli) -> None:
    """The supervisor is suspended between its first record and its answer; the caller has it continue."""
    bg.jobs(SLOTS)
    late = hasty(bg, 5.0, 300)
    late.command[2] = SUSPENDED_ANYWHERE + HASTY
    caller = subprocess.Popen([*late.command, "group", "all"], cwd=bg.folder, env=bg.env, stdout=subprocess.PIPE)
    meta = wait_until(lambda: newest_group(bg, ()), "the group has a record")
    facts = dict(line.split("=", 1) for line in (bg.logs / meta).read_text().splitlines())
    wait_until(lambda: is_suspended(int(facts["supervisor_pid"])), "it has not answered yet")
    out, _ = caller.communicate(timeout=60)
    assert caller.returncode == 0
    assert facts["run_id"].encode() in out
    assert bg.ended(facts["run_id"])["state"] == "succeeded"


def is_suspended(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    return False
