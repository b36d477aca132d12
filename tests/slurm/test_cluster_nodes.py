"""Nodes, launchers and daemons that are killed, by the numbers of the acceptance list (issue 21): the result is never wrong."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import Cli, wait_until
from tests.slurm.conftest import full, made, project, settled
from tests.slurm.looking import LONG_S, UNTIL_END, in_state, launcher_of, marked, ran, script_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.slurm.conftest import Cluster

DAEMONS = ("slurmctld", "slurmd.n1", "slurmd.n2", "slurmd.n3", "munged")


def test_14_a_node_daemon_that_is_killed_costs_no_result(on: Cli, cluster: Cluster) -> None:
    on.jobs(f"jobs:\n  x: {{command: '{UNTIL_END}; exit 4'}}\n")
    on("start", "x")
    run = in_state(on, "x", "running")
    cluster.kill(f"slurmd.{run['node']}")
    (on.folder / "end").touch()
    ended = on.ended("x", timeout="60s")
    assert (ended["state"], ended["exit_code"]) == ("failed", 4)
    cluster.start()
    assert on.state("x")["exit_code"] == 4


@full
@pytest.mark.parametrize("requeue", ["false", "true"])
def test_15_a_node_that_is_given_up_while_its_command_continues(on: Cli, cluster: Cluster, requeue: str) -> None:
    on.jobs(f"jobs:\n  x: {{command: 'echo ran >>ran; {UNTIL_END}', slurm: {{requeue: {requeue}}}}}\n")
    on("start", "x")
    run = in_state(on, "x", "running")
    cluster.kill(f"slurmd.{run['node']}")

    def is_given_up() -> bool:
        return bool(re.search(r"(?i)down|not_resp", cluster.call("sinfo", "-h", "-n", run["node"], "-o", "%T")))

    wait_until(is_given_up, "Slurm has given up the node", LONG_S)
    (on.folder / "end").touch()
    ended = in_state(on, "x", "succeeded", timeout_s=LONG_S)
    assert ended["exit_code"] == 0
    cluster.start()
    wait_until(lambda: not cluster.jobs(), "no job is left, a second instance neither", 2 * LONG_S)
    assert (on.state("x")["state"], on.state("x")["exit_code"]) == ("succeeded", 0)
    # A job that Slurm puts back into the queue waits for 5 s there: by then there is an exit code, and nothing runs again.
    assert (ran(on.folder), on.state("x")["attempt"]) == (["ran"], 1)


@full
@pytest.mark.parametrize("requeue", ["false", "true"])
def test_16_a_node_that_dies(on: Cli, cluster: Cluster, requeue: str) -> None:
    on.jobs(f"jobs:\n  x: {{command: '[ -e ran ] && exit 0; touch ran; sleep 600', slurm: {{requeue: {requeue}}}}}\n")
    on("start", "x")
    run = in_state(on, "x", "running")
    launcher = launcher_of(run)
    stepd = launcher.parent()
    assert stepd
    cluster.kill(f"slurmd.{run['node']}")
    for process in (stepd, launcher, *launcher.children(recursive=True)):
        process.kill()
    if requeue == "false":
        lost = in_state(on, "x", "lost", timeout_s=2 * LONG_S)
        assert (lost["exit_code"], "NODE_FAIL" in lost["reason"]) == (None, True)
        assert "state" not in on.meta(lost), "it is never recorded"
    else:
        again = in_state(on, "x", "succeeded", timeout_s=2 * LONG_S)
        assert (again["attempt"], again["node"] != run["node"]) == (2, True)
        assert "--- bgrun: attempt 2 on node" in Path(again["log"]).read_text()


def test_19_a_launcher_that_is_killed(on: Cli) -> None:
    on.jobs(f"jobs:\n  x: {{command: '{UNTIL_END}; exit 5'}}\n")
    on("start", "x")
    run = in_state(on, "x", "running")
    launcher = launcher_of(run)
    script = script_of(run, launcher)
    launcher.kill()
    (on.folder / "end").touch()
    # Where no cgroup confines the job its script outlives the launcher, and its keeper records the code.
    psutil.wait_procs([script], timeout=20)
    ended = in_state(on, "x", "failed", timeout_s=LONG_S)
    assert ended["exit_code"] == 5


@full
def test_19_until_the_exit_code_of_a_killed_launcher_comes_the_run_is_lost(on: Cli) -> None:
    on.jobs(f"jobs:\n  x: {{command: '{UNTIL_END}; exit 5'}}\n")
    on("start", "x")
    run = in_state(on, "x", "running")
    launcher_of(run).kill()
    lost = in_state(on, "x", "lost", timeout_s=LONG_S)
    assert (lost["exit_code"], "state" in on.meta(lost)) == (None, False)
    (on.folder / "end").touch()
    assert in_state(on, "x", "failed", timeout_s=LONG_S)["exit_code"] == 5


@full
def test_20_every_daemon_ends_and_is_started_again(on: Cli, cluster: Cluster) -> None:
    on.jobs(f"""\
jobs:
  x: {{command: "{UNTIL_END}; exit 4"}}
  late: {{command: touch ran, slurm: {{options: [--begin=now+25]}}}}
""")
    on("start", "x")
    in_state(on, "x", "running")
    moment = time.time()
    on("start", "late")
    cluster.saved(moment)
    for daemon in DAEMONS:
        pid = cluster.pid(daemon)
        cluster.kill(daemon, signal.SIGTERM)
        wait_until(lambda pid=pid: not psutil.pid_exists(pid), f"{daemon} has ended")
    cluster.start()
    (on.folder / "end").touch()
    assert on.ended("x", timeout="60s")["exit_code"] == 4
    assert on.ended("late", timeout="90s")["state"] == "succeeded"


@pytest.fixture(scope="module")
def confined() -> Iterator[Cluster]:
    """A cluster that confines its jobs by cgroups, as most real ones do."""
    if os.geteuid() != 0:
        pytest.skip("only root can confine jobs by cgroups")
    try:
        yield from made(CGROUP="yes", KILL_WAIT="10")
    except AssertionError as error:
        pytest.skip(f"no cluster with cgroups here: {error}")


@pytest.fixture
def within(bg: Cli, confined: Cluster) -> Iterator[Cli]:
    """Bgrun in a project whose jobs run on that cluster."""
    for cluster in settled(confined):
        yield project(bg, cluster)


@full
def test_18_a_job_that_takes_more_memory_than_it_may(within: Cli) -> None:
    take = "python3 -c 'x = bytearray(200 << 20); print(len(x))'"
    within.jobs(f'jobs:\n  x: {{command: "{take}", resources: {{memory: 60MiB}}}}\n')
    within("start", "x")
    ended = in_state(within, "x", "failed", timeout_s=LONG_S)
    assert (ended["exit_code"], ended["reason"]) == (137, "Slurm: OUT_OF_MEMORY")
    assert Path(ended["log"]).read_text().strip() in ("", "Killed")
    assert within.meta(ended)["reason"] == "Slurm: OUT_OF_MEMORY", "it is recorded once"


@full
def test_19_a_launcher_that_is_killed_where_cgroups_confine_its_job(within: Cli) -> None:
    within.jobs("jobs:\n  x: {command: sleep 600}\n")
    within("start", "x")
    run = in_state(within, "x", "running")
    launcher_of(run).kill()
    # Slurm kills what it left. Its keeper may be quicker than that, and record the code with which the command ended.
    ended = in_state(within, "x", "lost", "failed", timeout_s=LONG_S)
    assert (ended["state"], ended["exit_code"]) in (("lost", None), ("failed", 137))
    assert within.meta(ended).get("state") != "lost"
    wait_until(lambda: not marked(run), "nothing of it is left")


@full
def test_16_a_node_that_dies_where_cgroups_confine_its_job(within: Cli, confined: Cluster) -> None:
    within.jobs("jobs:\n  x: {command: sleep 600}\n")
    within("start", "x")
    run = in_state(within, "x", "running")
    launcher = launcher_of(run)
    stepd = launcher.parent()
    assert stepd
    confined.kill(f"slurmd.{run['node']}")
    for process in (stepd, launcher, *launcher.children(recursive=True)):
        process.kill()
    lost = in_state(within, "x", "lost", timeout_s=2 * LONG_S)
    assert (lost["exit_code"], "NODE_FAIL" in lost["reason"], "state" in within.meta(lost)) == (None, True, False)
