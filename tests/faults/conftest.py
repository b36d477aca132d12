"""Helpers to break things with: only ever processes that the test itself started."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.conftest import Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal a process of the test's own."""
    os.kill(pid, number)


def orphan(cli: Cli, run: dict[str, Any]) -> None:
    """Kill the supervisor of a run and wait until it is gone, and its locks with it."""
    pid = int(cli.meta(run)["supervisor_pid"])
    kill(pid)
    wait_until(lambda: is_gone(pid), "the supervisor is gone")


def below(pid: int) -> list[psutil.Process]:
    """Return the living processes that descend from a pid."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def command_of(run: dict[str, Any], name: str = "sleep") -> int:
    """Return the pid of the job's own command once it runs."""

    def found() -> int | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            return next((p.pid for p in below(run["pid"]) if p.name() == name), None)
        return None

    pid: int = wait_until(found, f"{name} of {run['run_id']} runs")
    return pid


def words_of(process: psutil.Process) -> list[str]:
    """Return the command line of a process; none if it has ended, or is becoming another program."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def is_gone(pid: int) -> bool:
    """Whether no process with this pid runs any more (a zombie does not)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def has_open(pid: int, path: str) -> bool:
    """Whether a process has a file open."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return any(file.path == path for file in psutil.Process(pid).open_files())
    return False


def written(path: Path) -> Callable[[], str]:
    """Return a look at a file that a job writes: its text, '' until it has any."""
    return lambda: path.read_text() if path.exists() else ""


@pytest.fixture
def slimmed(bg: Cli) -> Callable[[dict[str, Any]], int]:
    """Return the pid of a run's supervisor once it has become an interpreter of its own."""

    def slim(run: dict[str, Any]) -> int:
        pid = int(bg.meta(run)["supervisor_pid"])
        words = psutil.Process(pid).cmdline
        # While it becomes another program it has no words at all.
        wait_until(lambda: words()[-1:] == [f"bgrun supervisor of {run['run_id']}"], "the supervisor is slim")
        return pid

    return slim


@pytest.fixture
def supervisor_of(bg: Cli) -> Callable[[dict[str, Any]], int]:
    """Return the pid of a run's supervisor."""
    return lambda run: int(bg.meta(run)["supervisor_pid"])
