"""The same job file on a real cluster: what users do, by the numbers of the acceptance list (issue 21)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import wait_until
from tests.slurm.conftest import full
from tests.slurm.looking import marked

if TYPE_CHECKING:
    from tests.conftest import Cli
    from tests.slurm.conftest import Cluster

APART = ("run_id", "log", "script", "meta", "engine", "engine_job", "node", "attempt", "pid", "pgid")
STAMP = re.compile(r"_\d{8}_\d{6}(z+\d+)?")
TIMES = ("started_at", "ended_at", "duration_s")


def compared(run: dict[str, Any]) -> dict[str, Any]:
    """Return what has to be the same on every engine."""
    return {key: value for key, value in run.items() if key not in (*APART, *TIMES)}


def running(on: Cli, ref: str) -> dict[str, Any]:
    """Return a run once its command runs."""
    return wait_until(lambda: (run := on.state(ref))["state"] == "running" and run, f"{ref} runs")  # type: ignore[no-any-return]


def test_1_the_same_job_gives_the_same_as_locally(on: Cli) -> None:
    on.jobs("""\
jobs:
  ok: {command: "echo out; echo err >&2; pwd; umask"}
  three: {command: "echo 'a.c:3:1: error: no'; exit 3", problems: [gcc]}
  killed: {command: "kill -9 $$"}
  retried: {command: "test -e flag || { touch flag; exit 1; }", retry: {max: 2, backoff: 100ms}}
""")
    for job in ("ok", "three", "killed", "retried"):
        (on.folder / "flag").unlink(missing_ok=True)
        there = on.json("start", job, "--wait", "--on", "slurm", code=None)
        text = Path(there["log"]).read_bytes()
        shutil.rmtree(on.logs)  # neither is to be compared with an earlier run
        (on.folder / "flag").unlink(missing_ok=True)
        here = on.json("start", job, "--wait", "--on", "local", code=None)
        if job == "killed":  # which some shells report, and others do not
            text = Path(here["log"]).read_bytes()
            there["digest"] = here["digest"]
        assert compared(there) == compared(here)
        assert text == Path(here["log"]).read_bytes()
        assert (there["engine"], there["pid"], there["pgid"], there["attempt"]) == ("slurm", None, None, 1)
        assert (here["engine"], here["engine_job"], here["node"], here["attempt"]) == ("local", None, None, None)
        assert there["engine_job"].isdigit()
        assert there["node"] in ("n1", "n2", "n3")


TEN = """\
jobs:
  ok: {command: echo fine}
  warns: {command: "echo 'a.c:3:1: warning: old'", problems: [gcc]}
  fails: {command: "echo 'a.c:3:1: error: no'; exit 3", problems: [gcc]}
  allowed: {command: exit 4, success_exit_codes: [0, 4]}
  after: {command: echo after, depends_on: allowed}
  never: {command: echo never, depends_on: fails}
  waived: {command: echo waived, if: "false"}
  m: {command: "[ {{ matrix.n }} != 2 ]", matrix: {n: [1, 2, 3]}}
  late: {command: "trap 'exit 5' TERM; sleep 77 & wait", timeout: 4s, stop_grace_period: 1s}
  retried: {command: "echo try; [ -e flag ] || { touch flag; exit 1; }", retry: {max: 2}}
groups:
  ten: {jobs: [ok, warns, fails, allowed, after, never, waived, m, late, retried]}
"""


def test_a_group_of_ten_jobs_gives_the_same_on_both_engines(on: Cli) -> None:
    on.jobs(TEN)
    seen = {}
    for engine in ("slurm", "local"):
        (on.folder / "flag").unlink(missing_ok=True)
        group = on.json("group", "ten", "--on", engine, "--wait", "--timeout", "100s", code=1)
        reports = [STAMP.sub("", json.dumps(on.json("report", run["run_id"])["digest"])) for run in group["runs"]]
        logs = [Path(run["log"]).read_bytes() if Path(run["log"]).exists() else b"" for run in group["runs"]]
        shown = [(run["label"], run["state"], run["exit_code"], run["signal"]) for run in group["runs"]]
        reasons = [
            (run["reason"] or "").replace(run["run_id"][-15:], "") for run in group["runs"] if run["label"] != "never"
        ]
        seen[engine] = (group["state"], group["exit_code"], group["reason"], shown, reasons, logs, reports)
        shutil.rmtree(on.logs)
    for there, here in zip(*seen.values(), strict=True):
        if isinstance(here, list):
            assert [pair for pair in zip(there, here, strict=True) if pair[0] != pair[1]] == []
        assert there == here


def test_2_exit_codes_and_a_dependant_of_an_allowed_one(on: Cli) -> None:
    on.jobs("""\
jobs:
  allowed: {command: exit 3, success_exit_codes: [0, 3]}
  after: {command: echo ran, depends_on: allowed}
""")
    on("start", "after", "--wait")
    assert (on.state("allowed")["state"], on.state("allowed")["exit_code"]) == ("succeeded", 3)
    assert Path(on.state("after")["log"]).read_text() == "ran\n"


def test_3_what_needs_a_failed_run_is_skipped_and_nothing_stays_in_the_queue(on: Cli, cluster: Cluster) -> None:
    on.jobs("""\
jobs:
  a: {command: exit 1}
  b: {command: touch b, depends_on: a}
  c: {command: touch c, depends_on: b}
""")
    on("start", "c", "--wait", code=1)
    a, b, c = (on.state(name) for name in "abc")
    assert (a["state"], b["state"], c["state"]) == ("failed", "skipped", "skipped")
    assert b["reason"] == f"dependency {a['run_id']} failed"
    assert c["reason"] == f"dependency {b['run_id']} was skipped"
    assert not list(on.folder.glob("[bc]"))
    wait_until(lambda: not cluster.jobs(), "the queue is empty")


@pytest.mark.parametrize("obeys", [True, False])
def test_5_a_timeout_ends_every_process(on: Cli, *, obeys: bool) -> None:
    ignoring = "" if obeys else "trap '' TERM; "
    command = f"{ignoring}setsid sleep 77 & sleep 77; sleep 77"
    on.jobs(json.dumps({"jobs": {"x": {"command": command, "timeout": "2s", "stop_grace_period": "1s"}}}))
    run = on.json("start", "x", "--wait", code=1)
    assert (run["state"], run["exit_code"]) == ("timed_out", 143 if obeys else 137)
    assert run["duration_s"] < 60, "none of them ended by itself"
    assert marked(run) == []


def test_6_stop_a_pending_a_running_and_an_ended_run(on: Cli, cluster: Cluster) -> None:
    on.jobs("""\
jobs:
  pending: {command: touch ran, resources: {cpus: 4}}
  running: {command: sleep 77}
  ended: {command: "true"}
""")
    on("start", "ended", "--wait")
    # Where the tests run, the owner of the cluster may not write.
    sbatch = ("sbatch", "--parsable", "-c", "4", "-D", "/", "-o", "/dev/null", "--wrap", "sleep 77")
    busy = [cluster.call(*sbatch).strip() for _ in range(2)]
    on("start", "running")
    running(on, "running")
    on("start", "pending")
    wait_until(lambda: "Resources" in (on.state("pending")["reason"] or ""), "Slurm says what it waits for")
    on("stop", "pending")
    assert (on.state("pending")["state"], on.state("pending")["reason"]) == ("stopped", "stopped before it started")
    on("stop", "running")
    assert (on.state("running")["state"], on.state("running")["exit_code"]) == ("stopped", 143)
    on("stop", "ended", code=None)
    assert on.state("ended")["state"] == "succeeded"
    assert not (on.folder / "ran").exists()
    cluster.call("scancel", *busy)


def test_6_stop_one_member_of_an_array(on: Cli) -> None:
    on.jobs("jobs:\n  m: {command: 'while [ ! -e end ]; do sleep 0.1; done', matrix: {n: [1, 2, 3]}}\n")
    first, second, third = (run["run_id"] for run in on.json("start", "m")["runs"])
    for one in (first, second, third):
        running(on, one)
    on("stop", second)
    assert (on.state(second)["state"], on.state(second)["exit_code"]) == ("stopped", 143)
    assert [on.state(one)["state"] for one in (first, third)] == ["running", "running"]
    assert len({on.state(one)["engine_job"].partition("_")[0] for one in (first, second, third)}) == 1
    (on.folder / "end").touch()
    group = on.ended("m", timeout="60s")
    assert (group["state"], group["exit_code"]) == ("failed", 1), "as locally"
    assert [on.state(one)["state"] for one in (first, second, third)] == ["succeeded", "stopped", "succeeded"]


def test_13_of_two_submissions_under_one_token_one_runs(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: 'echo ran >>ran; sleep 3'}\n")
    run = on.json("start", "x")
    running(on, "x")
    launcher = Path(__file__).parents[2] / "bgrun" / "slurm" / "launcher.sh"
    log = on.folder / "second.log"
    words = ("--parsable", f"--comment=bgrun:{on.meta(run)['token']}", f"--output={log}", str(launcher), str(on.logs))
    second = cluster.call("sbatch", *words, run["run_id"]).strip()
    wait_until(lambda: second not in cluster.jobs() and log.exists() and log.read_text(), "the second one has ended")
    assert f"another instance has claimed {run['run_id']}" in log.read_text()
    assert on.ended("x")["state"] == "succeeded"
    assert (on.folder / "ran").read_text() == "ran\n"


def test_17_a_users_own_scancel(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: sleep 77}\n  late: {command: touch ran, slurm: {options: [--begin=now+1hour]}}\n")
    on("start", "x")
    on("start", "late")
    run = running(on, "x")
    wait_until(lambda: on.state("late")["reason"] == "Slurm: BeginTime", "it waits for its time")
    assert run["engine_job"]
    job = (on.logs / f".{on.state('late')['run_id']}.job").read_text().strip()
    cluster.call("scancel", run["engine_job"], job)
    for ref, code in (("x", 143), ("late", None)):
        ended = wait_until(lambda ref=ref: (now := on.state(ref))["state"] == "stopped" and now, f"{ref} has ended")
        assert (ended["exit_code"], ended["reason"]) == (code, "Slurm: CANCELLED")
        assert on.meta(ended)["state"] == "stopped", "it is recorded once"
    assert not (on.folder / "ran").exists()


@full
def test_17_a_job_that_another_one_displaces(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: sleep 77, matrix: {n: [1, 2, 3]}, resources: {cpus: 4}}\n")
    ids = [run["run_id"] for run in on.json("start", "x")["runs"]]
    wait_until(lambda: {on.state(run_id)["state"] for run_id in ids} == {"running"}, "every node is taken")
    urgent = cluster.call("sbatch", "--parsable", "-p", "urgent", "-c", "4", "--wrap", "sleep 77").strip()
    seen = wait_until(lambda: [run for run in map(on.state, ids) if run["state"] == "failed"], "one is displaced", 60)
    assert [(run["exit_code"], run["reason"]) for run in seen] == [(143, "Slurm: PREEMPTED")]
    cluster.call("scancel", urgent)
    on("stop", "x")


@full
def test_24_a_secret_is_in_no_file_of_slurm(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: 'echo ${#KEY}; sleep 2', secrets: [KEY], slurm: {secrets: file}}\n")
    secret = "a-long-secret-of-this-test"
    run = on.json("start", "x", KEY=secret)
    env = on.logs / f".{run['run_id']}.env"
    assert env.stat().st_mode & 0o777 == 0o600
    running(on, "x")
    found = subprocess.run(["grep", "-rlaF", secret, cluster.folder], capture_output=True, text=True, check=False)
    assert set(found.stdout.splitlines()) <= {str(env)}, "the project may lie in the folder of the cluster"
    assert secret not in cluster.call("squeue", "-o", "%all")
    assert on.ended("x")["state"] == "succeeded"
    assert Path(run["log"]).read_text() == f"{len(secret)}\n"
    assert not env.exists()
    left = subprocess.run(["grep", "-rlaF", secret, on.logs], capture_output=True, text=True, check=False)
    assert left.stdout == ""


def test_25_settings_of_the_user_for_slurm_change_nothing(on: Cli) -> None:
    on.jobs("jobs:\n  x: {command: echo $SLURM_JOB_ID}\n")
    given = {
        "SQUEUE_FORMAT": "%i",
        "SBATCH_PARTITION": "nope",
        "SLURM_JOB_ID": "1",
        "LANGUAGE": "de",
        "LC_MESSAGES": "de_DE.UTF-8",
    }
    run = on.json("start", "x", "--wait", **given)
    assert run["state"] == "succeeded"
    assert Path(run["log"]).read_text().split()[-1] == run["engine_job"]
    assert on.json("status", "x", **given)["runs"][0]["state"] == "succeeded"


def test_26_what_slurm_refuses_leaves_no_record(on: Cli) -> None:
    on.jobs(
        "jobs:\n  p: {command: 'true', slurm: {partition: nope}}\n  m: {command: 'true', resources: {memory: 999GiB}}\n"
    )
    for job, words in (("p", "invalid partition"), ("m", "emory")):
        refused = on("start", job, code=125)
        assert words in refused.err
        assert not list(on.logs.glob(f"{job}_*"))
        assert not list(on.logs.glob(f"jobs/{job}_*"))


def test_26_a_path_with_a_percent_sign_and_a_blank(on: Cli, cluster: Cluster) -> None:
    folder = cluster.owner.own(on.folder.parent / "a %j b")
    (folder / "bgjobs.yaml").write_text("jobs:\n  x: {command: pwd}\n")
    run = on("start", "x", "--wait", "--json", cwd=folder).json
    assert Path(run["log"]).read_text() == f"{folder}\n"
    assert (folder / ".logs" / "jobs" / f"{run['run_id']}.slurm.log").exists()


def test_27_no_cluster_here(on: Cli, cluster: Cluster) -> None:
    on.jobs("jobs:\n  x: {command: 'true'}\n")
    bare = cluster.owner.own(on.folder.parent / "bin")
    for name in ("bash", "git", *cluster.owner.become[:1]):
        if found := subprocess.run(["which", name], capture_output=True, text=True, check=False).stdout.strip():
            os.symlink(found, bare / name)
    assert "sbatch" in on("start", "x", code=2, PATH=str(bare)).err
    assert "/nonexistent" in on("start", "x", code=2, SLURM_CONF="/nonexistent").err
    assert not on.logs.exists() or not list(on.logs.glob("x_*"))
