"""Fault 15: the supervisor is killed, and then the run is to be stopped, whatever it does meanwhile."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.conftest import wait_until
from tests.faults.conftest import is_gone, kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cli

    SupervisorOf = Callable[[dict[str, Any]], int]

# Three processes at a time, each of which is another one every few milliseconds, for 20 s at most.
CHAIN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 20
for _ in range(3):
    if os.fork() == 0:
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
            open('moved', 'a').close()
            time.sleep({pause})
        os._exit(0)
time.sleep(0.2)
"""


def living_in(folder: Path) -> list[int]:
    """Return the pids of the processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def orphan(bg: Cli, run: dict[str, Any]) -> None:
    """Kill the supervisor of a run."""
    pid = int(bg.meta(run)["supervisor_pid"])
    kill(pid)
    wait_until(lambda: is_gone(pid), "the supervisor is gone")


@pytest.mark.parametrize("pause", [0.001, 0.005, 0.05])
@pytest.mark.parametrize("supervised", [True, False], ids=["supervised", "supervisor killed"])
def test_processes_that_fork_and_end_all_the_time(bg: Cli, pause: float, supervised: bool) -> None:
    (bg.folder / "chain.py").write_text(CHAIN.format(pause=pause))
    bg.jobs(f"jobs: {{x: {{command: '{sys.executable} chain.py; sleep 300', stop_grace_period: 1s}}}}")
    run = bg.json("start", "x")
    wait_until((bg.folder / "moved").exists, "they move")
    if not supervised:
        orphan(bg, run)
    assert bg.json("stop", "x")["runs"][0]["state"] == "stopped"
    left = living_in(bg.folder)
    assert not left, left
