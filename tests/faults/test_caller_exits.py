"""Fault 3: the caller's terminal, process group or pipes go away; and a stop from inside the job."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from typing import TYPE_CHECKING

from tests.conftest import wait_until
from tests.faults.conftest import written

if TYPE_CHECKING:
    from tests.conftest import Cli

LATER = "until [ -e go ]; do sleep 0.02; done; echo went on"


def finish(bg: Cli, label: str = "x") -> None:
    """Let the job end, and check that it ran to its own end."""
    assert bg.state(label)["state"] == "running"
    (bg.folder / "go").touch()
    ended = bg.ended(label)
    assert (ended["state"], ended["exit_code"]) == ("succeeded", 0)
    assert "went on" in bg("logs", label).out


def test_the_terminal_hangs_up(bg: Cli) -> None:
    master, slave = pty.openpty()
    command = [*bg.command, "run", "x", "--", "bash", "-c", LATER]
    started = subprocess.Popen(
        command, cwd=bg.folder, env=bg.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    started.wait(20)
    os.close(master)
    finish(bg)


def test_the_callers_process_group_is_killed(bg: Cli) -> None:
    words = " ".join(bg.command)
    shell = f"{words} run x -- bash -c '{LATER}'; sleep 300"
    caller = subprocess.Popen(
        ["bash", "-c", shell], cwd=bg.folder, env=bg.env, start_new_session=True, stdout=subprocess.DEVNULL
    )
    wait_until(lambda: bg("status", "x", code=None).out.startswith("RUNNING"), "the job runs")
    os.killpg(caller.pid, signal.SIGKILL)
    caller.wait()
    finish(bg)


def test_no_pipe_of_the_caller_is_kept_open(bg: Cli) -> None:
    bg.start("x", LATER)  # returns only once stdout and stderr of the command line are closed
    assert bg.state("x")["state"] == "running"
    finish(bg)


def test_descriptor_9_and_standard_input_are_not_inherited(bg: Cli) -> None:
    job = "ls /dev/fd/ | wc -l; cat; [ ! -e /dev/fd/9 ]"
    caller = f"{' '.join(bg.command)} run x --wait -- bash -c '{job}' 9>nine"
    done = subprocess.run(
        ["bash", "-c", caller], cwd=bg.folder, env=bg.env, input=b"secret", capture_output=True, check=False
    )
    assert done.returncode == 0, done
    shown = bg("logs", "x").out
    assert "secret" not in shown
    assert int(shown.split()[0]) <= 4  # 0, 1, 2 and the one that `ls` itself opens


def test_stop_from_inside_never_ends_its_own_caller(bg: Cli) -> None:
    words = " ".join(bg.command)
    bg.start("x", f"{words} stop x 2> refused; echo $? > code; {LATER}")
    wait_until(written(bg.folder / "code"), "stop was answered")
    assert (bg.folder / "code").read_text() == "2\n"
    assert "inside" in (bg.folder / "refused").read_text()
    finish(bg)


def test_a_run_that_a_job_started_is_its_own(bg: Cli) -> None:
    words = " ".join(bg.command)
    bg.start("outer", f"{words} run inner -- bash -c '{LATER}'; echo > begun; sleep 300")
    wait_until(lambda: (bg.folder / "begun").exists(), "the inner run was started")
    assert bg.json("stop", "outer")["runs"][0]["state"] == "stopped"
    finish(bg, "inner")
