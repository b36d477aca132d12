"""Fault 4: processes that do not want to be stopped, and processes that must not be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import wait_until
from tests.faults.conftest import below, command_of, is_gone, kill, orphan, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli

GRACE = 1.0

# Each writes the pid of the process that is hard to stop to the file `pid`, and keeps the job running.
HARD: dict[str, str] = {
    "ignores SIGTERM": """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open('pid', 'w').write(str(os.getpid()))
time.sleep(300)
""",
    "called setsid": """
import os, time
if os.fork() == 0:
    os.setsid()
    open('pid', 'w').write(str(os.getpid()))
    time.sleep(300)
time.sleep(300)
""",
    "forked twice": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open('pid', 'w').write(str(os.getpid()))
        time.sleep(300)
    os._exit(0)
time.sleep(300)
""",
    "forked twice, with an environment and descriptors of its own": """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        telling = os.open('pid', os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)
        os.chdir('/')
        os.dup2(telling, 200)
        os.closerange(0, 200)
        told = 'import os, time; os.write(200, str(os.getpid()).encode()); os.close(200); time.sleep(300)'
        os.execve(sys.executable, ['daemon', '-c', told], {})
    os._exit(0)
time.sleep(300)
""",
    "changed its name": """
import os, time
open('/proc/self/comm', 'w').write('innocent') if os.path.exists('/proc/self/comm') else None
open('pid', 'w').write(str(os.getpid()))
time.sleep(300)
""",
}


@pytest.fixture
def limits(bg: Cli) -> None:
    bg.jobs(
        "jobs: {hard: {command: [" + sys.executable + ", hard.py], stop_grace_period: 1s}}\ngroups: {g: {jobs: [hard]}}"
    )


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("kind", HARD)
@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
def test_nothing_is_left_within_grace_and_two_seconds(bg: Cli, kind: str, supervised: bool) -> None:
    """Whoever stops a run gives up two seconds after the first SIGKILL, and then it is not `stopped`."""
    if not supervised and "environment" in kind:
        pytest.skip("without its supervisor nothing tells this process apart; docs/explanation/guarantees.md says so")
    (bg.folder / "hard.py").write_text(HARD[kind])
    run = bg.json("start", "hard")
    pid = int(wait_until(written(bg.folder / "pid"), "the process has written its PID"))
    if not supervised:
        kill(int(bg.meta(run)["supervisor_pid"]))
    ended = bg.json("stop", "hard")["runs"][0]
    assert is_gone(pid) and is_gone(run["pid"]), (pid, run)
    assert ended["state"] == "stopped"


# Each child only sleeps: the number of processes grows by one every 20 ms and is never a bomb.
GROWING = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(500):
    if os.fork() == 0:
        time.sleep(300)
        os._exit(0)
    time.sleep(0.02)
time.sleep(300)
"""
# One process at a time, which is another one every few milliseconds.
MOVING = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    for _ in range(20000):
        if os.fork():
            os._exit(0)
        open('moved', 'a').close()
        time.sleep(0.005)
time.sleep(300)
"""


@pytest.mark.usefixtures("limits")
@pytest.mark.parametrize("script", [GROWING, MOVING], ids=["growing", "moving"])
def test_a_process_that_forks_while_it_is_being_killed(bg: Cli, script: str) -> None:
    (bg.folder / "hard.py").write_text(script)
    run = bg.json("start", "hard")
    if script is GROWING:
        wait_until(lambda: len(psutil.Process(run["pid"]).children(recursive=True)) > 5, "it has forked")
    else:
        wait_until(lambda: (bg.folder / "moved").exists(), "it moves")
    ended = bg.json("stop", "hard")["runs"][0]
    assert ended["state"] == "stopped"
    assert [p.pid for p in psutil.process_iter() if _runs_here(p, bg.folder)] == []
    assert int(bg.meta(run)["stopped_processes"]) >= 2


def _runs_here(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def test_stop_says_how_many_it_ended(bg: Cli) -> None:
    bg.start("x", "sleep 300 & sleep 301 & sleep 302 & touch begun; wait")
    wait_until(lambda: (bg.folder / "begun").exists(), "all run")
    done = bg("stop", "x")
    assert "processes" in done.out, done


# --- processes that are not ours --------------------------------------------------------------


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that no run has anything to do with, the leader of a group and session of its own."""
    process = subprocess.Popen(["sleep", "300"], start_new_session=True)
    yield process
    alive = process.poll() is None
    process.kill()
    process.wait()
    assert alive, "a process that is not ours was ended"


def test_a_pid_that_was_used_again_is_not_signalled(bg: Cli, bystander: subprocess.Popen[bytes]) -> None:
    run = bg.start("x", "sleep 300; true")
    facts = bg.meta(run)
    command = command_of(run)
    left = [process.pid for process in below(run["pid"])]
    for pid in [int(facts["supervisor_pid"]), run["pid"], *left]:
        kill(pid)
    wait_until(lambda: all(map(is_gone, [int(facts["supervisor_pid"]), run["pid"], *left])), "all of it is gone")
    assert command in left
    meta = Path(run["meta"])
    pretend = meta.read_text().replace(f"pid={run['pid']}\n", f"pid={bystander.pid}\n")
    meta.write_text(pretend.replace(f"pgid={run['pid']}\n", f"pgid={bystander.pid}\n"))
    assert bg.state("x")["state"] == "lost"
    assert bg.json("stop", "x")["runs"][0]["state"] == "lost"


def test_a_hand_edited_pid_file_misleads_nobody(bg: Cli, bystander: subprocess.Popen[bytes]) -> None:
    run = bg.start("x", "sleep 300; true")
    (bg.logs / f"{run['run_id']}.pid").write_text(f"{bystander.pid}\n")
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
    assert is_gone(run["pid"])


def test_a_supervisor_pid_that_is_somebody_else(bg: Cli, bystander: subprocess.Popen[bytes]) -> None:
    run = bg.start("x", "sleep 300; true")
    facts = bg.meta(run)
    orphan(bg, run)
    meta = Path(run["meta"])
    text = meta.read_text()
    meta.write_text(text.replace(f"supervisor_pid={facts['supervisor_pid']}", f"supervisor_pid={bystander.pid}"))
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
