"""What becomes of a run in the hands of its supervisor, where no process is needed to see it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from bgrun.local.recording.journal import Child
from bgrun.local.supervision import main
from bgrun.local.supervision.host import Host
from bgrun.local.supervision.log_limit import AFTER_A_WRITE
from bgrun.local.supervision.machine import Machine
from bgrun.local.supervision.run import RunTask
from bgrun.plan import RenderedJob, RunPlan
from bgrun.system.process import Process

if TYPE_CHECKING:
    from pathlib import Path


def test_a_report_of_writes_that_another_program_asked_for_is_not_waited_for(tmp_path: Path) -> None:
    """It asked on a descriptor that is closed by now: this one has to look, and ask, itself."""
    lock_fd = os.open(tmp_path / "x.pid", os.O_RDWR | os.O_CREAT, 0o600)
    task = RunTask(
        RunPlan("x_1", RenderedJob("x", "", "", "", "/", inhibit_sleep=False), {}),
        Host(str(tmp_path), Machine()),
    )
    try:
        main.restore(task, (os.getpid(), lock_fd, b""), 0.0, 0, (AFTER_A_WRITE, 5))
        assert task.check_at == 0.0
        task.check(1.0)
        assert task.check_at not in (0.0, AFTER_A_WRITE)
    finally:
        os.close(lock_fd)


def test_a_signal_that_reached_the_script_alone_did_not_end_the_command(tmp_path: Path) -> None:
    """It is past its command by then, and about to say how that ended."""
    task = RunTask(
        RunPlan("x_1", RenderedJob("x", "", "", "", "/", inhibit_sleep=False), {}),
        Host(str(tmp_path), Machine()),
    )
    task.child = Child(20, -1, b"")
    task.note([Process(20, 1, 20, 20, "5")])
    assert not task.reached.command
    assert task.reached.processes == {(20, "5")}
    task.note([Process(20, 1, 20, 20, "5"), Process(21, 20, 20, 20, "6")])
    assert task.reached.command
