"""Concurrency groups on a cluster: which job waits for which, and what a start does if its group is full."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bgrun import api
from bgrun.errors import BusyError, LaunchError
from bgrun.jobfile.project import Project
from bgrun.store import meta
from bgrun.store.store import Store
from tests.conftest import wait_until
from tests.slurm.played import option

if TYPE_CHECKING:
    from pathlib import Path

    from bgrun.model import Run
    from tests.conftest import Cli
    from tests.slurm.conftest import Cluster
    from tests.slurm.played import Played

JOBS = """
jobs:
  plain: {command: "true"}
  slot: {command: "true", concurrency: db}
  pair: {command: "true", concurrency: {group: two, limit: 2}}
  strict: {command: "true", concurrency: {group: db, when_busy: reject}}
  wide: {command: "true", concurrency: {group: db, limit: 2, when_busy: reject}}
  only: {command: "true", concurrency: {group: db, when_busy: replace}}
  mine: {command: "true", concurrency: {group: db, when_busy: replace, scope: user}}
groups:
  mixed: {jobs: [plain, slot, pair, strict], max_parallel: 2}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "a %j b"
    root.mkdir()
    (root / "bgjobs.yaml").write_text(JOBS)
    return Project(str(root), str(root / "bgjobs.yaml"), Store(str(root / ".logs")))


def lines(project: Project, *runs: Run, word: str = "RUNNING", token: str = "") -> str:
    """Return what squeue says of the holders of slots, as a script that prints it."""
    found = []
    for run in runs:
        known = project.store.facts(run.run_id) or {}
        name = NAMES[run.run_id]
        found.append(
            f"{word}|bgrun:{token or known['token']}|{name}|/opt/bgrun/launcher.sh {project.store.log_dir} {run.run_id}"
        )
    printed = "\n".join(found)
    return f"case $* in *%o*) cat <<'END'\n{printed}\nEND\n;; esac"


NAMES: dict[str, str] = {}


def started(project: Project, played: Played, job: str) -> Run:
    """Start a job, and note the name of its job on the cluster."""
    run = api.start.start(project, [job]).run
    NAMES[run.run_id] = option(played.calls("sbatch")[-1], "job-name")
    return run


def finishes(project: Project, run: Run) -> None:
    at = project.store.run(run.run_id)
    with open(at.meta, "ab") as file:
        file.write(meta.pack({"ended_at": "2026-01-01T00:00:01+00:00", "state": "succeeded", "exit_code": "0"}))


def test_runs_of_a_concurrency_group_share_the_names_of_its_slots(played: Played, project: Project) -> None:
    for _ in range(2):
        api.start.start(project, ["slot", "plain"])
    given = played.calls("sbatch")
    named = [option(words, "job-name") for words in given if option(words, "dependency") == "singleton"]
    assert len(named) == 2
    assert len(set(named)) == 1
    assert [option(words, "job-name") for words in given if not option(words, "dependency")] == ["plain", "plain"]


def test_a_run_takes_the_slot_with_the_fewest_jobs(played: Played, project: Project) -> None:
    runs: list[Run] = []
    for _ in range(3):
        runs.append(started(project, played, "pair"))
        played.does("squeue", lines(project, *runs))
    names = [NAMES[run.run_id] for run in runs]
    assert names[0] == names[2] != names[1]


def test_a_run_that_must_not_wait_is_refused_while_the_group_is_full(played: Played, project: Project) -> None:
    first = started(project, played, "slot")
    played.does("squeue", lines(project, first))
    with pytest.raises(BusyError) as refused:
        api.start.start(project, ["strict"])
    assert refused.value.message == f"concurrency group 'db' is full (limit 1): {first.run_id} is running"
    assert refused.value.hint == f"bgrun wait {first.run_id}"
    assert project.store.index().every.split() == [first.run_id], "nothing is recorded"
    assert len(played.calls("sbatch")) == 1
    assert api.start.start(project, ["wide"]).run.live, "there is a second slot"


def test_the_job_of_a_finished_run_is_about_to_end_and_holds_no_slot(played: Played, project: Project) -> None:
    first = started(project, played, "slot")
    played.does("squeue", lines(project, first))
    finishes(project, first)
    assert api.start.start(project, ["strict"]).run.live


def test_a_job_that_nobody_knows_holds_its_slot(played: Played, project: Project) -> None:
    first = started(project, played, "slot")
    played.does("squeue", lines(project, first, word="PENDING", token="another"))
    with pytest.raises(BusyError, match=r"full \(limit 1\): another run is queued"):
        api.start.start(project, ["strict"])


@pytest.mark.parametrize("job", ["strict", "only"])
def test_without_an_answer_nothing_is_started(played: Played, project: Project, job: str) -> None:
    played.does("squeue", "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    with pytest.raises(LaunchError, match="it is unknown whether concurrency group 'db' is full"):
        api.start.start(project, [job])
    assert project.store.index().every == "\n"
    assert played.calls("sbatch") == []


def test_a_run_replaces_those_of_its_group_and_comes_after_them(played: Played, project: Project) -> None:
    first = started(project, played, "slot")
    other = started(project, played, "mine")
    played.does("squeue", lines(project, first, other))
    newer = started(project, played, "only")
    request = meta.unpack(open(project.store.run(first.run_id).stop, "rb").read())  # noqa: SIM115
    assert request["reason"] == f"replaced by {newer.run_id}"
    assert NAMES[newer.run_id] == NAMES[first.run_id], "Slurm runs it once the other has ended"
    assert option(played.calls("sbatch")[-1], "dependency") == "singleton"
    assert not os.path.exists(project.store.run(other.run_id).stop), "it is of another scope"


def test_a_plan_with_a_limit_and_slots_keeps_both(played: Played, project: Project) -> None:
    api.start.start_group(project, "mixed")
    given = played.calls("sbatch")
    assert [option(words, "dependency") for words in given] == [
        "",
        "singleton",
        "afterany:101,singleton",
        "afterany:102,singleton",
    ]
    assert option(given[1], "job-name") == option(given[3], "job-name") != option(given[2], "job-name")


REAL = """
jobs:
  a: {command: sleep 77, concurrency: db}
  strict: {command: "true", concurrency: {group: db, when_busy: reject}}
  only: {command: touch ran, concurrency: {group: db, when_busy: replace}}
"""


def test_reject_and_replace_on_a_cluster(on: Cli, cluster: Cluster) -> None:
    on.jobs(REAL)
    on("start", "a")
    first = wait_until(lambda: (run := on.state("a"))["state"] == "running" and run, "it runs")
    refused = on("start", "strict", code=2)
    assert refused.err.splitlines()[0] == (
        f"error: concurrency group 'db' is full (limit 1): {first['run_id']} is running"
    )
    assert [run["label"] for run in on.json("list")["runs"]] == ["a"]
    newer = on.json("start", "only", "--wait")
    assert (newer["state"], (on.folder / "ran").exists()) == ("succeeded", True)
    replaced = on.ended(first["run_id"])
    assert (replaced["state"], replaced["reason"].partition(" (")[0]) == ("stopped", f"replaced by {newer['run_id']}")
    assert replaced["ended_at"] <= newer["started_at"], "never both at once"
    assert on.json("start", "strict", "--wait")["state"] == "succeeded"
    wait_until(lambda: not cluster.jobs(), "the queue is empty")
