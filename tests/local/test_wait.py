"""Waiting for a run: by its lock, by its process, from any thread, with a timeout or without."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bgrun.local import wait
from bgrun.store.store import Store
from tests.conftest import wait_until
from tests.faults.conftest import is_gone

if TYPE_CHECKING:
    from typing import Any

    from tests.conftest import Cli

LATER = "until [ -e go ]; do sleep 0.02; done; exit 3"


@pytest.fixture
def run(bg: Cli) -> dict[str, Any]:
    return bg.start("x", LATER)


def waited(bg: Cli, run: dict[str, Any], timeout_s: float | None) -> str:
    found = wait.wait_run(Store(str(bg.logs)), run["run_id"], timeout_s)
    return found.state if found else "none"


def test_a_run_that_does_not_exist(bg: Cli) -> None:
    assert waited(bg, {"run_id": "x_20260101_000000"}, None) == "none"


def test_a_timeout_leaves_it_running(bg: Cli, run: dict[str, Any]) -> None:
    assert [waited(bg, run, seconds) for seconds in (0.0, 0.05)] == ["running", "running"]
    (bg.folder / "go").touch()
    assert waited(bg, run, None) == "failed"
    assert waited(bg, run, 0.0) == "failed", "it has finished"


@pytest.mark.parametrize("supervised", [True, False], ids=["by its lock", "by its process"])
@pytest.mark.parametrize("by_thread", [False, True], ids=["main thread", "another thread"])
def test_it_is_waited_for(bg: Cli, run: dict[str, Any], supervised: bool, by_thread: bool) -> None:
    if not supervised:
        pid = int(bg.meta(run)["supervisor_pid"])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_gone(pid), "the supervisor is gone")
        assert waited(bg, run, 0.05) == "running"
    with ThreadPoolExecutor(1) as pool:
        if by_thread:
            done = pool.submit(waited, bg, run, None)
            (bg.folder / "go").touch()
            assert done.result(60) == "failed"
        else:
            pool.submit((bg.folder / "go").touch)
            assert waited(bg, run, None) == "failed"


def test_a_queued_run_is_waited_for_while_it_is_queued(bg: Cli) -> None:
    bg.jobs(
        f"jobs: {{a: {{command: '{LATER}'}}, b: {{command: 'true'}}}}\ngroups: {{g: {{jobs: [a, b], max_parallel: 1}}}}"
    )
    group = bg.json("group", "g")
    queued = bg.state("b")
    assert waited(bg, queued, 0.1) == "queued"
    (bg.folder / "go").touch()
    assert waited(bg, queued, None) == "succeeded"
    assert waited(bg, group, None) == "failed"
