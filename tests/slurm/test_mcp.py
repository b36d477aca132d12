"""A coding agent starts jobs on a cluster: `on` of the MCP tool `bgrun_start`."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from bgrun import api, engine
from bgrun.errors import UsageError
from bgrun.mcp import arguments, calls, tools
from tests.conftest import Cli, without_sandbox
from tests.mcp.test_server import Agent, run_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.slurm.played import Played

JOBS = "jobs:\n  x: {command: 'sleep 77'}\n  noisy: {command: 'true', on_finish: {notify: true}}\n"
SETTINGS = tools.ServerOptions(allow_run=True)
THERE, HERE = calls.How(on="slurm"), calls.How(on="local")


@pytest.fixture
def project(bg: Cli, played: Played, monkeypatch: pytest.MonkeyPatch) -> api.Project:
    monkeypatch.delenv("BGRUN_ENGINE")
    assert played.calls("sbatch") == []
    bg.jobs(JOBS)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(bg.folder)]
    for words in (["init", "-q"], ["add", "bgjobs.yaml"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env=bg.env)
    return api.locate(str(bg.folder))


def test_the_tool_knows_every_engine() -> None:
    start = next(tool for tool in tools.declared(SETTINGS) if tool.name == "bgrun_start")
    assert start.properties["on"]["enum"] == [engine.LOCAL, engine.SLURM]
    assert arguments.read(start, {"job": "x", "engine": "SLURM"}) == {"job": "x", "on": "slurm"}
    with pytest.raises(UsageError, match="on: expected local or slurm, got 'pbs'"):
        arguments.read(start, {"job": "x", "on": "pbs"})


def test_an_agent_starts_a_job_on_the_cluster(bg: Cli, played: Played, bgrun_bin: Path) -> None:
    bg.jobs(JOBS)
    on = Cli(bg.folder, bg.command, {**bg.env, "PATH": f"{played.directory}/bin:{bg.env['PATH']}"})
    said = Agent(on, bgrun_bin).call("bgrun_start", job="x", on="slurm", wait_s=0)
    assert on.json("status", run_in(said))["runs"][0]["engine"] == "slurm"
    assert len(played.calls("sbatch")) == 1


def test_an_identical_start_joins_the_run_on_the_cluster(project: api.Project, played: Played) -> None:
    first = calls.start(project, SETTINGS, "x", [], THERE)
    again = calls.start(project, SETTINGS, "x", [], THERE)
    assert (first.run.engine, again.run.run_id) == ("slurm", first.run.run_id)
    assert again.lines[-1].startswith("joined: ")
    made = calls.start(project, SETTINGS, "run:made", ["true"], THERE)
    assert made.run.engine == "slurm"
    assert len(played.calls("sbatch")) == 2


def test_a_run_of_another_engine_is_not_joined(project: api.Project, played: Played) -> None:
    there = calls.start(project, SETTINGS, "x", [], THERE).run
    here = calls.start(project, SETTINGS, "x", [], HERE)
    try:
        assert (here.run.engine, here.run.run_id != there.run_id) == ("local", True)
        said = without_sandbox("".join(f"{line}\n" for line in here.lines))
        assert said == f"not joined, since args or files may differ: {there.run_id} (queued)\n"
    finally:
        api.stop.stop_runs(project, [here.run.run_id])
    assert len(played.calls("sbatch")) == 1


def test_what_cannot_be_is_refused_before_anything_is_written(project: api.Project, played: Played) -> None:
    with pytest.raises(UsageError, match="on cannot be combined with only"):
        calls.start(project, SETTINGS, "x", [], calls.How("failed", on="slurm"))
    with pytest.raises(UsageError, match="which noisy uses"):
        calls.start(project, SETTINGS, "noisy", [], THERE)
    assert played.calls("sbatch") == []
    assert project.store.index().every == "\n"
