"""Another engine fits behind the protocol: what bgrun does with a run goes through the engine that its meta names."""

# ruff: noqa: ARG002 - the methods of a protocol take what that says

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgrun import api, engine
from bgrun.errors import LaunchError, StorageError, UsageError
from bgrun.jobfile.project import Project
from bgrun.local.engine import ENGINE
from bgrun.model import Run
from bgrun.plan import Submitted, Trial
from bgrun.store import meta, retention, submission
from bgrun.store.state import Evidence
from bgrun.store.store import Store
from bgrun.system import files, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bgrun.plan import Concurrency, Refusal, RenderedPlan, Title
    from bgrun.store.paths import RunPaths

JOBS = """
jobs:
  plain: {command: "true"}
  noisy: {command: "true", on_finish: ["echo done"]}
  bounded: {command: "true", timeout: 5s}
  last: {command: "true", depends_on: [plain]}
groups:
  all: {jobs: [plain]}
  two: {jobs: [plain], max_parallel: 1}
"""


class Cluster:
    """An engine without processes: it knows of each run what it was asked, and whether that runs."""

    name = "cluster"

    def __init__(self) -> None:
        self.supports = frozenset({"timeout"})
        self.running: dict[str, bool] = {}
        self.asked: list[tuple[str, str]] = []
        self.is_full = False

    def refusals(self, plan: RenderedPlan) -> Sequence[Refusal]:
        return ()

    def trial(self, plan: RenderedPlan) -> Trial:
        return Trial()

    def submit(self, store: Store, root: str, plan: RenderedPlan, title: Title | None = None) -> Submitted:
        with submission.claimed(store, root, plan, title, self.name) as claimed:
            if self.is_full:
                raise LaunchError("the queue of the cluster is full")
            for one in (*claimed.runs, *([claimed.group] if claimed.group else [])):
                at = store.run(one.run_id)
                files.replace(at.meta, at.hidden("meta.new"), meta.pack(one.facts))
                self.running[one.run_id] = False
        return Submitted(tuple(run.run_id for run in claimed.runs), claimed.group.run_id if claimed.group else "")

    def starts(self, store: Store, run_id: str) -> None:
        """Let a queued run start."""
        known = {**(store.facts(run_id) or {}), "started_at": "2026-01-01T00:00:00.000+00:00"}
        files.replace(store.run(run_id).meta, store.run(run_id).hidden("meta.new"), meta.pack(known))

    def ends(self, store: Store, run_id: str, code: int) -> None:
        """Let a run end, as its job script records that."""
        files.replace(store.run(run_id).exit, store.run(run_id).hidden("exit"), f"{code}\n".encode())
        del self.running[run_id]

    def submit_again(self, store: Store, run_id: str) -> None:
        self.asked.append(("submit_again", run_id))

    @contextlib.contextmanager
    def single_flight(self, store: Store, wanted: Concurrency) -> Iterator[None]:
        raise AssertionError("it does not support concurrency groups")

    def evidence(self, run: RunPaths, facts: Mapping[str, str]) -> Evidence | None:
        if run.run_id in self.running:
            return Evidence(facts, alive=True)
        code = reading.head(run.exit, 64)
        return Evidence(facts, exit_code=int(code) if code else None, away="its node was lost")

    def why(self, facts: Mapping[str, str]) -> str | None:
        return f"{facts['label']} waits for a node"

    def request_stop(self, store: Store, run_id: str, reason: str, *, now: bool = False) -> None:
        self.asked.append(("request_stop", run_id))

    def stop(self, store: Store, run_id: str, *, now: bool = False) -> Run | None:
        self.asked.append(("kill" if now else "stop", run_id))
        self.ends(store, run_id, 143)
        return store.read(run_id)

    def refuse_own_stop(self, store: Store, run: Run) -> None:
        self.asked.append(("refuse_own_stop", run.run_id))

    def wait(self, store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
        self.asked.append(("wait", run_id))
        if run_id in self.running and timeout_s is None:
            self.ends(store, run_id, 0)
        return store.read(run_id)

    def left_running(self, facts: Mapping[str, str]) -> Sequence[int]:
        return ()

    def may_be_running(self, facts: Mapping[str, str]) -> bool:
        return True


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """An engine that is registered, and takes all starts."""
    made = Cluster()
    monkeypatch.setattr(engine, "_engines", {"cluster": made, "local": ENGINE})
    monkeypatch.setattr(engine, "DEFAULT", "cluster")
    return made


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "bgjobs.yaml").write_text(JOBS)
    return Project(str(tmp_path), str(tmp_path / "bgjobs.yaml"), Store(str(tmp_path / ".logs")))


def test_a_run_of_another_engine_from_its_start_to_its_end(cluster: Cluster, project: Project) -> None:
    run = api.start.start(project, ["plain"]).run
    assert (run.state, run.reason) == ("queued", "plain waits for a node")
    cluster.starts(project.store, run.run_id)
    assert api.references.meant(project, ["plain"])[0].state == "running"
    assert [one.state for one in api.stop.wait_for(project, ["plain"], 0.0)] == ["running"]
    (ended,) = api.stop.wait_for(project, ["plain"])
    assert (ended.state, ended.exit_code) == ("succeeded", 0)
    assert cluster.asked == [("wait", run.run_id)] * 2


@pytest.mark.parametrize(("now", "asked"), [(False, "stop"), (True, "kill")])
def test_a_stop_goes_to_the_engine_of_the_run(cluster: Cluster, project: Project, now: bool, asked: str) -> None:
    run = api.start.start(project, ["plain"]).run
    cluster.starts(project.store, run.run_id)
    (ended,) = api.stop.stop_runs(project, ["plain"], now=now)
    assert (ended.state, ended.exit_code) == ("failed", 143)
    assert cluster.asked == [("refuse_own_stop", run.run_id), (asked, run.run_id)]


def test_several_runs_are_all_asked_to_stop_before_one_is_waited_for(cluster: Cluster, project: Project) -> None:
    runs = [api.start.start(project, ["plain"]).run.run_id for _ in range(2)]
    api.stop.stop_runs(project, runs)
    assert {one for what, one in cluster.asked if what == "request_stop"} == set(runs)
    places = {what: [place for place, one in enumerate(cluster.asked) if one[0] == what] for what, _ in cluster.asked}
    assert max(places["request_stop"]) < min(places["stop"])


def test_a_run_that_its_engine_lost_is_kept_for_as_long_as_it_may_be_running(
    cluster: Cluster, project: Project
) -> None:
    run = api.start.start(project, ["plain"]).run
    cluster.starts(project.store, run.run_id)
    del cluster.running[run.run_id]
    lost = project.store.existing(run.run_id)
    assert (lost.state, lost.reason) == ("lost", "its node was lost")
    assert not retention.may_go(project.store, run.run_id)


def test_a_rerun_goes_to_the_engine_of_the_run(
    cluster: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = api.start.start(project, ["plain"]).run
    cluster.ends(project.store, run.run_id, 0)
    monkeypatch.setattr(engine, "DEFAULT", "local")
    again = api.rerun.rerun(project, run.run_id)
    assert (project.store.facts(again.run_id) or {})["engine"] == "cluster"


@pytest.mark.parametrize(
    ("start", "option"),
    [
        (lambda project: api.start.start(project, ["noisy"]), "hooks"),
        (lambda project: api.start.start(project, ["last"]), "depends_on"),
        (lambda project: api.start.start_group(project, "two"), "max_parallel"),
    ],
)
def test_what_an_engine_does_not_support_is_refused_before_anything_is_claimed(
    cluster: Cluster, project: Project, start: Callable[[Project], object], option: str
) -> None:
    with pytest.raises(UsageError, match=f"'cluster' does not support `{option}`"):
        start(project)
    assert project.store.index().every == "\n"
    assert cluster.running == {}


def test_a_plan_of_several_jobs_goes_to_another_engine_with_its_order(cluster: Cluster, project: Project) -> None:
    cluster.supports |= {"depends_on"}
    api.start.start(project, ["last"])
    first, last = (
        project.store.facts(api.references.meant(project, [job])[0].run_id) or {} for job in ("plain", "last")
    )
    own = project.store.facts(first["group_run"]) or {}
    assert {known["engine"] for known in (first, last, own)} == {"cluster"}
    assert (first["label"], last["label"], last["needs"]) == ("plain", "last", first["run_id"])
    assert {known["group_run"] for known in (first, last)} == {own["run_id"]}
    assert [one.state for one in api.references.meant(project, ["last"])] == ["queued"]


def test_a_start_that_the_engine_refuses_leaves_nothing(cluster: Cluster, project: Project) -> None:
    cluster.supports |= {"depends_on"}
    cluster.is_full = True
    for job in ("plain", "last"):
        with pytest.raises(LaunchError, match="is full"):
            api.start.start(project, [job])
    assert project.store.index().every == "\n"
    assert os.listdir(f"{project.store.log_dir}/jobs") == []


@pytest.mark.usefixtures("cluster")
def test_what_it_supports_starts(project: Project) -> None:
    assert api.start.start(project, ["bounded"]).run.state == "queued"


@pytest.mark.usefixtures("cluster")
def test_runs_of_an_unknown_engine_do_not_hide_the_others(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run = api.start.start(project, ["plain"]).run
    monkeypatch.setattr(engine, "_engines", {})
    with pytest.raises(StorageError, match="unknown engine 'cluster'"):
        project.store.read(run.run_id)
    assert list(project.store.readable([run.run_id])) == []


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """An engine that takes only the starts that name it."""
    made = Cluster()
    monkeypatch.setattr(engine, "_engines", {"cluster": made, "local": ENGINE})
    return made


def engine_of(project: Project, run: Run) -> str:
    return (project.store.facts(run.run_id) or {}).get("engine", "local")


def test_a_start_goes_to_the_engine_that_it_names_then_to_that_of_the_environment_then_to_that_of_its_jobs(
    beside: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(on: str = "") -> str:
        run = api.start.start(project, ["bounded"], (), api.start.Overrides(engine=on)).run
        if run.live and run.run_id not in beside.running:
            api.stop.wait_for(project, [run.run_id])
        return engine_of(project, run)

    assert (started(), started("cluster")) == ("local", "cluster")
    monkeypatch.setenv("BGRUN_ENGINE", "cluster")
    assert (started(), started("local")) == ("cluster", "local")


def test_the_job_file_names_the_engine_of_its_jobs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Cluster()
    monkeypatch.setattr(engine, "_engines", {"slurm": there, "local": ENGINE})
    there.name = "slurm"
    text = JOBS.replace("jobs:\n", "defaults: {engine: slurm}\njobs:\n  here: {command: 'true', engine: local}\n", 1)
    Path(project.root, "bgjobs.yaml").write_text(text)
    assert engine_of(project, api.start.start(project, ["plain"]).run) == "slurm"
    here = api.start.start(project, ["here"]).run
    assert engine_of(project, here) == "local"
    api.stop.wait_for(project, [here.run_id])
    with pytest.raises(UsageError, match="several engines: local, slurm"):
        api.start.start(project, ["plain", "here"])
    assert engine_of(project, api.start.start_group(project, "all")) == "slurm"


@pytest.mark.parametrize("name", ["cloud", "LOCAL"])
def test_an_engine_that_does_not_exist_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(UsageError, match=f"invalid --on '{name}'"):
        api.start.start(project, ["plain"], (), api.start.Overrides(engine=name))
    monkeypatch.setenv("BGRUN_ENGINE", name)
    with pytest.raises(UsageError, match=f"invalid BGRUN_ENGINE '{name}'"):
        api.start.start(project, ["plain"])
    assert project.store.index().every == "\n"


def test_a_run_of_this_machine_is_never_submitted_again(project: Project) -> None:
    run = api.start.start(project, ["plain"]).run
    api.stop.wait_for(project, [run.run_id])
    with pytest.raises(UsageError, match="--same is for runs on a cluster"):
        api.rerun.submit_again(project, run.run_id)


def test_a_run_that_is_deleted_while_it_is_waited_for_is_lost_and_hides_no_other(
    cluster: Cluster, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, kept = (api.start.start(project, ["plain"]).run.run_id for _ in range(2))
    usual = cluster.wait

    def wait(store: Store, run_id: str, timeout_s: float | None = None) -> Run | None:
        cluster.starts(store, run_id)
        if run_id == gone:
            os.unlink(store.run(gone).meta)
        return usual(store, run_id, timeout_s)

    monkeypatch.setattr(cluster, "wait", wait)
    ended = {run.run_id: run for run in api.stop.wait_for(project, [gone, kept])}
    assert (ended[gone].state, ended[gone].reason) == ("lost", "it was deleted while it was waited for")
    assert ended[kept].state == "succeeded"


@pytest.mark.usefixtures("cluster")
def test_a_service_that_is_deleted_while_it_is_waited_for_is_lost(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = api.start.start(project, ["plain"]).run

    def sleep(_: float) -> None:
        os.unlink(project.store.run(run.run_id).meta)

    monkeypatch.setattr(api.services.time, "sleep", sleep)
    (found,) = api.services.wait_ready(project, [run.run_id])
    assert (found.state, found.reason) == ("lost", "it was deleted while it was waited for")


def test_local_runs_name_no_engine(project: Project) -> None:
    run = api.start.start(project, ["plain"]).run
    assert api.stop.wait_for(project, [run.run_id])[0].succeeded
    assert "engine" not in (project.store.facts(run.run_id) or {})
