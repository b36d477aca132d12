"""A cluster with accounting, and one whose accounting is killed, by the numbers of the acceptance list (issue 21)."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import DEADLINE_S, Cli, wait_until
from tests.slurm.conftest import SBIN, WHO, full, made, project, settled
from tests.slurm.looking import LONG_S, UNTIL_END, forgotten, in_state, launcher_of, ran

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.slurm.conftest import Cluster

pytestmark = full


@pytest.fixture(scope="module", params=WHO)
def forgetful(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with accounting that forgets a job 5 s after its end."""
    for name in ("slurmdbd", "mariadbd"):
        if shutil.which(name, path=f"{SBIN}:/usr/bin") is None:
            pytest.skip(f"no {name} here: bash tests/slurm/cluster/install.sh --dbd")
    yield from made(request.param, DBD="yes", MIN_AGE="5", KILL_WAIT="10")


@pytest.fixture
def cluster(forgetful: Cluster) -> Iterator[Cluster]:
    """That cluster, with every daemon up and no job in it."""
    yield from settled(forgetful)


@pytest.fixture
def on(bg: Cli, cluster: Cluster) -> Cli:
    """Bgrun in a project whose jobs run there."""
    return project(bg, cluster)


def test_23_the_accounting_tells_why_once_the_queue_has_forgotten(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: sleep 77}\n")
    on("start", "x")
    job = in_state(on, "x", "running")["engine_job"]
    cluster.call("scancel", job)
    forgotten(cluster, job)
    seen = in_state(on, "x", "stopped", "failed", "lost", timeout_s=LONG_S)
    assert (seen["state"], seen["exit_code"], seen["reason"]) == ("stopped", 143, "Slurm: CANCELLED")


def test_23_without_the_accounting_everything_but_the_why_is_as_ever(on: Cli, cluster: Cluster) -> None:
    on.jobs(f"""\
jobs:
  before: {{command: "{UNTIL_END}; exit 4"}}
  ok: {{command: echo fine}}
  fails: {{command: exit 3}}
  after: {{command: touch after, depends_on: fails}}
  late: {{command: sleep 77, timeout: 1s}}
  stopped: {{command: sleep 77}}
  canceled: {{command: sleep 77}}
  killed: {{command: "echo ran >>ran; {UNTIL_END}; exit 5"}}
groups:
  g: {{jobs: [ok, fails, after, late]}}
""")
    for name in ("before", "killed"):
        on("start", name)
    in_state(on, "before", "running")
    killed = in_state(on, "killed", "running")
    cluster.kill("slurmdbd")
    began = time.monotonic()
    group = on.json("group", "g", "--wait", code=1)
    assert [(run["label"], run["state"], run["exit_code"]) for run in group["runs"]] == [
        ("ok", "succeeded", 0),
        ("fails", "failed", 3),
        ("after", "skipped", None),
        ("late", "timed_out", 143),
    ]
    assert time.monotonic() - began < 2 * DEADLINE_S
    on("start", "stopped")
    in_state(on, "stopped", "running")
    on("stop", "stopped")
    assert (on.state("stopped")["state"], on.state("stopped")["exit_code"]) == ("stopped", 143)
    # Seen while the queue knows it.
    on("start", "canceled")
    cluster.call("scancel", in_state(on, "canceled", "running")["engine_job"])
    seen = in_state(on, "canceled", "stopped")
    assert (seen["exit_code"], seen["reason"]) == (143, "Slurm: CANCELLED")
    launcher_of(killed).kill()
    forgotten(cluster, killed["engine_job"])
    in_state(on, "killed", "lost", timeout_s=LONG_S)  # for 30 s after its submission Slurm need not know it
    began = time.monotonic()
    lost = on.state("killed")
    assert time.monotonic() - began < DEADLINE_S, "a call of sacct has a limit, too"
    assert (lost["state"], lost["exit_code"], "state" in on.meta(lost)) == ("lost", None, False)
    (on.folder / "end").touch()
    assert on.ended("before")["exit_code"] == 4
    assert in_state(on, "killed", "failed", timeout_s=LONG_S)["exit_code"] == 5
    assert ran(on.folder) == ["ran"]


def test_23_a_run_that_everybody_has_forgotten_has_its_exit_code(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: sleep 77}\n")
    on("start", "x")
    job = in_state(on, "x", "running")["engine_job"]
    cluster.kill("slurmdbd")
    cluster.call("scancel", job)
    forgotten(cluster, job)
    seen = in_state(on, "x", "failed", "stopped", "lost", timeout_s=LONG_S)
    assert seen["exit_code"] == 143, "only why it ended is unknown"


def test_24_a_secret_is_in_no_accounting(on: Cli, cluster: Cluster) -> None:
    on.jobs(
        "jobs:\n  x: {command: 'echo ${#KEY}', secrets: [KEY], slurm: {secrets: file}, on_finish: 'echo ${#KEY} >hooked'}\n"
    )
    secret = "a-long-secret-of-this-test"
    run = on.json("start", "x", "--wait", KEY=secret)
    assert (run["state"], Path(run["log"]).read_text()) == ("succeeded", f"{len(secret)}\n")
    assert wait_until(lambda: (on.folder / "hooked").exists() and (on.folder / "hooked").read_text(), "the hook")
    line = ("sacct", "-n", "-P", "-j", run["engine_job"], "-o", "SubmitLine")
    submitted = wait_until(
        lambda: "sbatch --parsable" in (said := cluster.call(*line)) and said, "it is in the accounting"
    )
    assert secret not in submitted + cluster.call("sacct", "-n", "-P", "-o", "ALL") + cluster.call(
        "squeue", "-o", "%all"
    )
    for place in (cluster.folder, on.logs):
        found = subprocess.run(["grep", "-rlaF", secret, place], capture_output=True, text=True, check=False)
        assert found.stdout == ""
