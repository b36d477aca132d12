"""What breaks on a cluster, by the numbers of the acceptance list (issue 21): the result is never wrong."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.conftest import DEADLINE_S, Cli, wait_until
from tests.slurm.conftest import full, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.slurm.conftest import Cluster

LONG_S = 90.0


def in_state(on: Cli, ref: str, *states: str, timeout_s: float = 30.0) -> dict[str, Any]:
    """Return a run once it is in one of these states."""
    found: dict[str, Any] = wait_until(
        lambda: (run := on.state(ref))["state"] in states and run, f"{ref} is {' or '.join(states)}", timeout_s
    )
    return found


def launcher_of(run: dict[str, Any]) -> psutil.Process:
    """Return the launcher of a running run, by its copy in the spool folder of its node."""
    found = [
        one for one in psutil.process_iter() if run["run_id"] in (words := words_of(one)) and "slurm_script" in words[2]
    ]
    assert found, f"no launcher of {run['run_id']}"
    return found[0]


def words_of(process: psutil.Process) -> list[str]:
    """Return the command line of a process, with at least three words."""
    try:
        return [*process.cmdline(), "", "", ""]
    except psutil.Error:
        return ["", "", ""]


def test_7_and_8_without_a_controller_nothing_is_lost_and_a_stop_works(on: Cli, cluster: Cluster) -> None:
    on.jobs("""\
jobs:
  ended: {command: "true"}
  ending: {command: "while [ ! -e end ]; do sleep 0.1; done; exit 4"}
  endless: {command: sleep 77}
  queued: {command: touch ran, slurm: {options: [--begin=now+1hour]}}
""")
    on("start", "ended", "--wait")
    for name in ("ending", "endless", "queued"):
        on("start", name)
    in_state(on, "ending", "running")
    in_state(on, "endless", "running")
    time.sleep(7)  # a controller that is killed sooner forgets what it has accepted
    cluster.kill("slurmctld")
    try:
        on("status")  # the answer that was kept may still be used
        in_state(on, "queued", "unknown")
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


def test_10_a_start_that_is_killed_before_it_notes_the_job(on: Cli) -> None:
    on.jobs("jobs:\n  x: {command: 'echo ran >>ran; while [ ! -e end ]; do sleep 0.1; done'}\n")
    run = on.json("start", "x")
    job = on.logs / f".{run['run_id']}.job"
    known = job.read_text()
    job.unlink()
    in_state(on, "x", "running")
    assert wait_until(lambda: on.state("x") and job.exists() and job.read_text(), "it is adopted") == known
    (on.folder / "end").touch()
    assert on.ended("x")["state"] == "succeeded"
    assert (on.folder / "ran").read_text() == "ran\n"


@full
def test_11_what_a_controller_forgot_is_run_once_more_by_hand(on: Cli, cluster: Cluster) -> None:
    count = 5
    on.jobs(
        "jobs:\n  x: {params: {n: {type: string}}, command: 'echo {{ n }} >>ran', slurm: {options: [--begin=now+5]}}\n"
    )
    runs = [on.json("start", "x", f"n={number}")["run_id"] for number in range(count)]
    cluster.kill("slurmctld")
    cluster.start()
    for run in runs:
        seen = in_state(on, run, "succeeded", "lost", timeout_s=2 * LONG_S)
        if seen["state"] == "lost":
            assert seen["reason"] == "Slurm has forgotten it before it started"
            on("rerun", "--same", run)
    for run in runs:
        assert on.ended(run, timeout="90s")["state"] == "succeeded"
    assert sorted((on.folder / "ran").read_text().split()) == [str(number) for number in range(count)]


@full
def test_12_a_second_instance_of_a_job_runs_nothing(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: 'echo ran >>ran; sleep 6'}\n")
    time.sleep(6)
    on("start", "x")
    in_state(on, "x", "running")
    time.sleep(1)
    cluster.kill("slurmctld")
    cluster.start()
    ended = in_state(on, "x", "succeeded", "lost", "failed", timeout_s=LONG_S)
    assert ended["exit_code"] in (0, 143, 137, None)
    assert (on.folder / "ran").read_text() == "ran\n"


def test_14_a_node_daemon_that_is_killed_costs_no_result(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: 'while [ ! -e end ]; do sleep 0.1; done; exit 4'}\n")
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
    on.jobs("jobs:\n  x: {command: 'while [ ! -e end ]; do sleep 0.1; done; exit 5'}\n")
    on("start", "x")
    run = in_state(on, "x", "running")
    launcher = launcher_of(run)
    script = next(one for one in launcher.children(recursive=True) if f"{run['run_id']}.sh" in " ".join(one.cmdline()))
    launcher.kill()
    (on.folder / "end").touch()
    # Where no cgroup confines the job its script outlives the launcher, and records the code itself.
    psutil.wait_procs([script], timeout=20)
    ended = in_state(on, "x", "failed", "lost", timeout_s=LONG_S)
    assert (ended["state"], ended["exit_code"]) == ("failed", 5)


@full
def test_20_every_daemon_ends_and_is_started_again(on: Cli, cluster: Cluster) -> None:
    on.jobs("""\
jobs:
  x: {command: "while [ ! -e end ]; do sleep 0.1; done; exit 4"}
  late: {command: touch ran, slurm: {options: [--begin=now+25]}}
""")
    on("start", "x")
    on("start", "late")
    in_state(on, "x", "running")
    time.sleep(7)
    for daemon in ("slurmctld", *(f"slurmd.n{number}" for number in (1, 2, 3)), "munged"):
        pid = cluster.pid(daemon)
        cluster.kill(daemon, signal.SIGTERM)
        wait_until(lambda pid=pid: not psutil.pid_exists(pid), f"{daemon} has ended")
    cluster.start()
    (on.folder / "end").touch()
    assert on.ended("x", timeout="60s")["exit_code"] == 4
    assert on.ended("late", timeout="90s")["state"] == "succeeded"


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


@pytest.fixture(scope="module")
def short() -> Iterator[Cluster]:
    """A cluster that forgets a job 5 s after its end."""
    yield from made(MIN_AGE="5")


@full
def test_4_what_needs_a_failed_run_does_not_run_once_slurm_has_forgotten_that(bg: Cli, short: Cluster) -> None:
    on = Cli(bg.folder, bg.command, {**bg.env, **short.env, "BGRUN_ENGINE": "slurm"})
    on.jobs("jobs:\n  a: {command: exit 1}\n  b: {command: touch ran, depends_on: a}\n")
    on("start", "b", "--wait", code=1)
    job = on.state("a")["engine_job"]
    wait_until(
        lambda: job not in short.call("squeue", "-h", "-t", "all", "-o", "%i").split(), "it is forgotten", LONG_S
    )
    again = on("rerun", "b", "--wait", code=None)
    assert again.code != 0
    assert not (on.folder / "ran").exists()
    assert (on.state("a")["state"], on.state("a")["exit_code"]) == ("failed", 1)


@pytest.fixture(scope="module")
def accounted() -> Iterator[Cluster]:
    """A cluster with accounting that forgets a job 5 s after its end."""
    if (
        shutil.which("slurmdbd", path="/usr/sbin:/usr/bin") is None
        or shutil.which("mariadbd", path="/usr/sbin:/usr/bin") is None
    ):
        pytest.skip("no slurmdbd or no mariadbd here: bash tests/slurm/cluster/install.sh --dbd")
    yield from made(DBD="yes", MIN_AGE="5", KILL_WAIT="10")


@full
def test_23_the_accounting_tells_why_once_the_queue_has_forgotten(bg: Cli, accounted: Cluster) -> None:
    on = Cli(bg.folder, bg.command, {**bg.env, **accounted.env, "BGRUN_ENGINE": "slurm"})
    on.jobs("jobs:\n  x: {command: sleep 77}\n")
    on("start", "x")
    run = in_state(on, "x", "running")
    job = run["engine_job"]
    accounted.call("scancel", job)
    wait_until(
        lambda: job not in accounted.call("squeue", "-h", "-t", "all", "-o", "%i").split(), "it is forgotten", LONG_S
    )
    seen = in_state(on, "x", "stopped", "failed", "lost", timeout_s=LONG_S)
    assert (seen["state"], seen["exit_code"], seen["reason"]) == ("stopped", 143, "Slurm: CANCELLED")


@full
def test_24_a_secret_is_in_no_accounting(bg: Cli, accounted: Cluster) -> None:
    on = Cli(bg.folder, bg.command, {**bg.env, **accounted.env, "BGRUN_ENGINE": "slurm"})
    on.jobs(
        "jobs:\n  x: {command: 'echo ${#KEY}', secrets: [KEY], slurm: {secrets: file}, on_finish: 'echo ${#KEY} >hooked'}\n"
    )
    secret = "a-long-secret-of-this-test"
    run = on.json("start", "x", "--wait", KEY=secret)
    assert (run["state"], Path(run["log"]).read_text()) == ("succeeded", f"{len(secret)}\n")
    assert wait_until(lambda: (on.folder / "hooked").exists() and (on.folder / "hooked").read_text(), "the hook")
    line = ("sacct", "-n", "-P", "-j", run["engine_job"], "-o", "SubmitLine")
    told = wait_until(
        lambda: "sbatch --parsable" in (said := accounted.call(*line)) and said, "it is in the accounting"
    )
    assert secret not in told + accounted.call("sacct", "-n", "-P", "-o", "ALL") + accounted.call(
        "squeue", "-o", "%all"
    )
    for place in (accounted.folder, on.logs):
        found = subprocess.run(["grep", "-rlaF", secret, place], capture_output=True, text=True, check=False)
        assert found.stdout == ""
