"""What the tests of a real cluster wait for, and the processes that they find on its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil

from tests.conftest import Cli, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.slurm.conftest import Cluster

LONG_S = 90.0
UNTIL_END = "while [ ! -e end ]; do sleep 0.1; done"


def in_state(on: Cli, ref: str, *states: str, timeout_s: float = 30.0) -> dict[str, Any]:
    """Return a run once it is in one of these states."""
    found: dict[str, Any] = wait_until(
        lambda: (run := on.state(ref))["state"] in states and run, f"{ref} is {' or '.join(states)}", timeout_s
    )
    return found


def forgotten(cluster: Cluster, job: str) -> None:
    """Wait until squeue no longer lists a job that has ended."""
    wait_until(
        lambda: job not in cluster.call("squeue", "-h", "-t", "all", "-o", "%i").split(), "it is forgotten", LONG_S
    )


def launcher_of(run: dict[str, Any]) -> psutil.Process:
    """Return the launcher of a running run, by its copy in the spool folder of its node; its keeper has the same words."""
    found = [
        one for one in psutil.process_iter() if run["run_id"] in (words := words_of(one)) and "slurm_script" in words[2]
    ]
    assert found, f"no launcher of {run['run_id']}"
    return next(one for one in found if one.ppid() not in {each.pid for each in found})


def script_of(run: dict[str, Any], launcher: psutil.Process) -> psutil.Process:
    """Return the job script of a running run."""
    return next(one for one in launcher.children(recursive=True) if f"{run['run_id']}.sh" in " ".join(words_of(one)))


def words_of(process: psutil.Process) -> list[str]:
    """Return the command line of a process, with at least three words."""
    try:
        return [*process.cmdline(), "", "", ""]
    except psutil.Error:
        return ["", "", ""]


def marked(run: dict[str, Any]) -> list[psutil.Process]:
    """Return the processes that are marked as those of a run."""
    mark = f"BGRUN_RUN_ID={run['run_id']}"
    return [process for process in psutil.process_iter() if mark in environment(process)]


def environment(process: psutil.Process) -> list[str]:
    try:
        return [f"{key}={value}" for key, value in process.environ().items()]
    except psutil.Error:
        return []


def ran(folder: Path) -> list[str]:
    """Return the lines that the commands of a test have appended to a file."""
    file = folder / "ran"
    return file.read_text().split() if file.exists() else []
