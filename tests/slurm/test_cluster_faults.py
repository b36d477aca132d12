"""What breaks on a cluster, by the numbers of the acceptance list (issue 21): the result is never wrong."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import DEADLINE_S, Cli, wait_until
from tests.slurm.conftest import WHO, full, made, project
from tests.slurm.looking import LONG_S, UNTIL_END, forgotten, in_state, ran

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.slurm.conftest import Cluster


def test_7_and_8_without_a_controller_nothing_is_lost_and_a_stop_works(on: Cli, cluster: Cluster) -> None:
    on.jobs("""\
jobs:
  ended: {command: "true"}
  ending: {command: "while [ ! -e end ]; do sleep 0.1; done; exit 4"}
  endless: {command: sleep 77}
  queued: {command: touch ran, slurm: {options: [--begin=now+1hour]}}
""")
    on("start", "ended", "--wait")
    for name in ("ending", "endless"):
        on("start", name)
    for name in ("ending", "endless"):
        in_state(on, name, "running")
    moment = time.time()
    on("start", "queued")
    cluster.saved(moment)
    cluster.kill("slurmctld")
    try:
        in_state(on, "queued", "unknown")  # the answer that was kept may still be used at first
        began = time.monotonic()
        seen = on.json("status", "ended", "ending", "endless", "queued")["runs"]
        assert [run["state"] for run in seen] == ["succeeded", "unknown", "unknown", "unknown"]
        assert time.monotonic() - began < DEADLINE_S, "a command calls Slurm once, with a limit"
        assert "last known: running on n" in seen[1]["reason"]
        on("wait", "endless", "--timeout", "1s", code=124)
        (on.folder / "end").touch()
        assert in_state(on, "ending", "failed")["exit_code"] == 4
        on("stop", "endless")
        assert on.state("endless")["state"] == "stopped"
        stopped = on("stop", "queued", code=125)
        assert "could not stop" in stopped.err
    finally:
        cluster.start()
    assert in_state(on, "queued", "queued", "stopped", timeout_s=LONG_S)
    on("stop", "queued")
    assert on.state("queued")["state"] == "stopped"
    assert not (on.folder / "ran").exists()


def test_9_a_submission_without_an_answer_is_found_by_its_token(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: 'echo ran >>ran'}\n")
    cluster.kill("slurmctld", signal.SIGSTOP)
    try:
        started = on("start", "x")
    finally:
        cluster.kill("slurmctld", signal.SIGCONT)
    assert "unknown" in (started.out + started.err).lower()
    assert on.ended("x", timeout="60s")["state"] == "succeeded"
    assert (on.folder / "ran").read_text() == "ran\n"


def test_10_a_start_that_is_killed_before_it_notes_the_job(on: Cli, cluster: Cluster) -> None:
    on.jobs(f"jobs:\n  x: {{command: 'echo ran >>ran; {UNTIL_END}'}}\n")
    tools = cluster.owner.own(on.folder.parent / "tools")
    killing = tools / "sbatch"
    killing.write_text(f'#!/bin/bash\n{shutil.which("sbatch")} "$@" && kill -9 $PPID\n')
    killing.chmod(0o755)
    assert on("start", "x", code=-signal.SIGKILL, PATH=f"{tools}:{on.env['PATH']}").out == ""
    assert not list(on.logs.glob(".*.job"))
    run = in_state(on, "x", "running")
    job = on.logs / f".{run['run_id']}.job"
    assert wait_until(lambda: on.state("x") and job.exists() and job.read_text(), "it is adopted").split() == [
        run["engine_job"]
    ]
    assert cluster.jobs() == [run["engine_job"]]
    (on.folder / "end").touch()
    assert on.ended("x")["state"] == "succeeded"
    assert ran(on.folder) == ["ran"]


@full
def test_11_what_a_controller_forgot_is_run_once_more_by_hand(on: Cli, cluster: Cluster) -> None:
    count = 20
    # Different resources, so that each is a job of its own, and all are submitted within a moment.
    jobs = "".join(
        f"  x{n}: {{command: echo {n} >>ran, resources: {{memory: {n + 10}MiB}}, slurm: {{options: [--begin=now+5]}}}}\n"
        for n in range(count)
    )
    jobs += "  s: {command: 'date +%s.%N; sleep 0.{{ matrix.n }}; date +%s.%N', matrix: {n: [5, 6, 7, 8, 9]}}\n"
    on.jobs(f"jobs:\n{jobs}groups:\n  g: {{jobs: [{', '.join(f'x{n}' for n in range(count))}]}}\n")
    runs = [run["run_id"] for run in on.json("group", "g")["runs"]]
    array = on.json("start", "s", "--max-parallel", "2")
    cluster.kill("slurmctld")
    cluster.start()
    lost = []
    for run in runs:
        seen = in_state(on, run, "succeeded", "lost", timeout_s=2 * LONG_S)
        if seen["state"] == "lost":
            assert seen["reason"] == "Slurm has forgotten it before it started"
            lost.append(run)
    assert lost, "the controller was killed soon enough"
    for run in lost:
        on("rerun", "--same", run)
    if in_state(on, "s", "succeeded", "lost", timeout_s=2 * LONG_S)["state"] == "lost":
        on("rerun", "--same", "s")
    for run in (*runs, array["run_id"]):
        assert on.ended(run, timeout="90s")["state"] == "succeeded"
    assert sorted(map(int, ran(on.folder))) == list(range(count))
    logs = [Path(on.state(run["run_id"])["log"]).read_text().split() for run in array["runs"]]
    assert [len(log) for log in logs] == [2] * 5, "each ran once"
    assert max(sum(begin <= at < end for begin, end in logs) for at, _ in logs) <= 2, "its limit holds"


@full
def test_12_a_second_instance_of_a_job_runs_nothing(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: 'echo ran >>ran; echo begun; sleep 6'}\n")
    # On a busy machine the controller may save that it has started the job before it is killed, and start no second one.
    assert any(_ran_once(on, cluster) for _ in range(4)), "the controller was killed soon enough"


def _ran_once(on: Cli, cluster: Cluster) -> bool:
    """Kill the controller as soon as a command runs; return whether Slurm began the job twice."""
    (on.folder / "ran").unlink(missing_ok=True)
    cluster.settle()
    run = on.json("start", "x")
    wait_until((on.folder / "ran").exists, "it runs")
    cluster.kill("slurmctld")
    cluster.start()
    ended = in_state(on, run["run_id"], "succeeded", "lost", "failed", "stopped", timeout_s=LONG_S)
    assert ended["exit_code"] in (0, 143, 137, None)
    assert (ended["state"] == "succeeded") == (ended["exit_code"] == 0)
    wait_until(lambda: not cluster.jobs(), "each instance has ended", LONG_S)
    assert Path(run["log"]).read_text().count("begun") == 1  # a shell may add that its command was killed
    assert ran(on.folder) == ["ran"]
    said = (on.logs / "jobs" / f"{run['run_id']}.slurm.log").read_text()
    return f"another instance has claimed {run['run_id']}" in said


def test_21_a_matrix_is_one_array_with_so_many_at_once(on: Cli) -> None:
    matrix(on, members=12, at_once=3, failing=7)


@full
def test_21_a_large_matrix(on: Cli) -> None:
    matrix(on, members=200, at_once=8, failing=77)


def matrix(on: Cli, members: int, at_once: int, failing: int) -> None:
    """Run a matrix of which one member fails."""
    numbers = ", ".join(map(str, range(members)))
    command = f"touch on.$$; set -- on.*; echo $# >>most; sleep 0.2; rm on.$$; [ {{{{ matrix.n }}}} != {failing} ]"
    on.jobs(f"""\
jobs:
  m:
    command: {command!r}
    matrix: {{n: [{numbers}]}}
groups:
  g: {{jobs: [m], max_parallel: {at_once}}}
""")
    group = on.json("group", "g", "--wait", code=1)
    runs = group["runs"]
    assert (group["state"], group["reason"]) == ("failed", f"1 failed of {members}")
    assert len({run["engine_job"].partition("_")[0] for run in runs}) == 1
    assert sorted(run["state"] for run in runs) == ["failed", *["succeeded"] * (members - 1)]
    assert max(map(int, (on.folder / "most").read_text().split())) <= at_once


def test_21_the_rest_of_a_matrix_that_fails_fast_is_skipped(on: Cli) -> None:
    on.jobs("""\
jobs:
  m: {command: "touch ran.{{ matrix.n }}; [ {{ matrix.n }} != 2 ]", matrix: {n: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}}
groups:
  g: {jobs: [m], max_parallel: 1, fail_fast: true}
""")
    group = on.json("group", "g", "--wait", code=1)
    states = [run["state"] for run in group["runs"]]
    assert (group["state"], group["exit_code"], states[2]) == ("failed", 1, "failed")
    assert states[:2] == ["succeeded"] * 2
    # One whose launcher has started before the request was there has run: it is not stopped and started again.
    assert {"skipped"} <= set(states[3:]) <= {"skipped", "stopped", "succeeded"}
    assert states[4:] == ["skipped"] * 6
    assert sorted(path.name for path in on.folder.glob("ran.*"))[:3] == ["ran.0", "ran.1", "ran.2"]
    assert not (on.folder / "ran.9").exists()
    reasons = {run["reason"] for run in group["runs"] if run["state"] == "skipped"}
    assert reasons == {f"fail_fast: {group['runs'][2]['run_id']} did not succeed"}


@full
def test_22_a_wait_for_many_runs_seldom_calls_slurm(on: Cli, tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("no strace here: apt-get install strace")
    numbers = ", ".join(map(str, range(200)))
    on.jobs(
        f"jobs:\n  m: {{command: sleep 600, matrix: {{n: [{numbers}]}}}}\ngroups:\n  g: {{jobs: [m], max_parallel: 4}}\n"
    )
    group = on.json("group", "g")
    in_state(on, group["runs"][0]["run_id"], "running")
    traced = Cli(
        on.folder, [strace, "-f", "-qq", "-e", "trace=execve", "-o", str(tmp_path / "execs"), *on.command], on.env
    )
    traced("wait", *(run["run_id"] for run in group["runs"]), "--timeout", "60s", "-q", code=124)
    # A search along PATH tries to execute each in turn: only what was found counts.
    done = [
        line for line in (tmp_path / "execs").read_text().splitlines() if "execve(" in line and line.endswith(" = 0")
    ]
    called = [
        name for name in ("squeue", "sacct", "scontrol", "scancel", "sbatch") for line in done if f'/{name}"' in line
    ]
    assert set(called) <= {"squeue"}
    assert len(called) <= 4
    on("stop", "g")
    assert on.state("g")["state"] == "stopped"


def test_an_answer_is_shared_by_all_commands(on: Cli) -> None:
    on.jobs("jobs:\n  x: {command: sleep 77}\n")
    on("start", "x")
    in_state(on, "x", "running")
    on("status")
    kept = (on.logs / ".cache" / "slurm").read_bytes()
    assert b"bgrun:" in kept
    on("stop", "x")


@pytest.fixture(scope="module", params=WHO)
def forgetful(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster that forgets a job 5 s after its end."""
    yield from made(request.param, MIN_AGE="5")


@full
def test_4_what_needs_a_failed_run_does_not_run_once_slurm_has_forgotten_that(bg: Cli, forgetful: Cluster) -> None:
    on = project(bg, forgetful)
    on.jobs("jobs:\n  a: {command: exit 1}\n  b: {command: touch ran, depends_on: a}\n")
    on("start", "b", "--wait", code=1)
    forgotten(forgetful, on.state("a")["engine_job"])
    again = on("rerun", "b", "--wait", code=None)
    assert again.code != 0
    assert not (on.folder / "ran").exists()
    assert (on.state("a")["state"], on.state("a")["exit_code"]) == ("failed", 1)
