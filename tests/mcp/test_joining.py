"""A call that is repeated after a cancel, or by another client, joins the run instead of starting it twice."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import stdio_client

from tests.conftest import wait_until
from tests.mcp.test_server import Agent, Raw, result_of, run_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Cli

HELD = "while [ ! -e .logs/go ]; do sleep 0.02; done"
JOBS = f"""
jobs:
  slow: {{command: "{HELD}", params: {{n: {{default: "0"}}}}}}
  first: {{command: "{HELD}"}}
  after: {{command: "true", depends_on: [first]}}
  cells: {{command: "{HELD}", matrix: {{n: [1, 2]}}}}
  said: {{command: "{HELD}", concurrency: {{when_busy: join}}}}
groups: {{all: {{jobs: [slow, first]}}}}
"""
JOINED = "joined: it was already running with the same args on the same files"


@pytest.fixture
def project(bg: Cli) -> Iterator[Cli]:
    bg.jobs(JOBS)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-C", str(bg.folder)]
    for words in (["init", "-q"], ["add", "bgjobs.yaml"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True, env=bg.env)
    yield bg
    (bg.folder / ".logs" / "go").touch()
    for run in bg.json("list", "--all")["runs"]:
        bg.ended(run["run_id"])


def start(job: str, **given: Any) -> dict[str, Any]:
    return {"name": "bgrun_start", "arguments": {"job": job, "wait_s": 0, **given}}


def labels(bg: Cli) -> list[str]:
    return sorted(run["label"] for run in bg.json("list", "--all")["runs"])


def test_after_a_cancel_and_a_dead_client(project: Cli, bgrun_bin: Path) -> None:
    server = Raw(project, bgrun_bin)
    server.ask("tools/call", start("slow", wait_s=40), number=5)
    (run,) = wait_until(lambda: project.json("list")["runs"], "the job runs")
    server.write(b'{"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}\n')
    server.ask("tools/call", start("slow"), number=6)
    said = server.answer(6)["result"]["content"][0]["text"].splitlines()
    assert (said[0], run_in("\n".join(said))) == (JOINED, run["run_id"])
    server.ask("tools/call", start("slow", wait_s=40), number=7)
    server.process.kill()
    server.process.wait(30)
    again = Agent(project, bgrun_bin).call("bgrun_start", job="slow", wait_s=0)
    assert again.startswith(JOINED)
    assert run_in(again) == run["run_id"]
    assert labels(project) == ["slow"]


def test_only_what_does_the_same_is_joined(project: Cli, bgrun_bin: Path) -> None:
    async def work(client: Client) -> None:
        async def begin(**given: Any) -> str:
            return await result_of(client, "bgrun_start", job="slow", wait_s=0, **given)

        first = run_in(await begin())
        other = await begin(args=["n=1"])
        assert other.startswith(f"not joined, since args or files may differ: {first} (running)\nrunning slow_")
        (project.folder / "new.py").touch()
        changed = await begin()
        assert changed.startswith("not joined, since args or files may differ: ")
        assert first in changed
        assert run_in(changed) not in (first, run_in(other))
        again = await begin(again=True)
        assert again.startswith("running slow_")
        assert run_in(again) not in (first, run_in(changed))
        assert run_in(await begin()) in (run_in(changed), run_in(again))
        await result_of(client, "bgrun_stop", run="slow")
        assert (await begin()).startswith("running slow_"), "what was stopped is not joined"

    Agent(project, bgrun_bin).run(work)


def test_a_run_of_the_command_line_is_named(project: Cli, bgrun_bin: Path) -> None:
    run = project.json("start", "slow")["run_id"]
    said = Agent(project, bgrun_bin).call("bgrun_start", job="slow", wait_s=0)
    assert said.startswith(f"not joined, since args or files may differ: {run} ")


@pytest.mark.parametrize(("job", "is_joined"), [("slow", False), ("group:all", False), ("said", True)])
def test_outside_a_repository_only_what_declares_it_is_joined(
    project: Cli, bgrun_bin: Path, job: str, is_joined: bool
) -> None:
    """Nothing tells there whether files have changed since the run began."""
    (project.folder / ".git").rename(project.folder / "no_repository")
    agent = Agent(project, bgrun_bin)
    first, again = (agent.call("bgrun_start", job=job, wait_s=0) for _ in range(2))
    assert again.startswith(JOINED) is is_joined
    assert (run_in(again) == run_in(first)) is is_joined


@pytest.mark.parametrize("job", ["group:all", "cells", "after", "said"])
def test_every_kind_of_start(project: Cli, bgrun_bin: Path, job: str) -> None:
    async def work(client: Client) -> None:
        first = await result_of(client, "bgrun_start", job=job, wait_s=0)
        runs = labels(project)
        again = await result_of(client, "bgrun_start", job=job, wait_s=0)
        assert not first.startswith(JOINED)
        assert again.startswith(JOINED)
        assert run_in(again) == run_in(first)
        assert labels(project) == runs

    Agent(project, bgrun_bin).run(work)


def test_two_servers_at_once_start_one_run(project: Cli, bgrun_bin: Path) -> None:
    runs: set[str] = set()

    async def work(client: Client) -> None:
        async with Client(stdio_client(Agent(project, bgrun_bin).server)) as other, anyio.create_task_group() as tasks:

            async def one(of: Client) -> None:
                runs.add(run_in(await result_of(of, "bgrun_start", job="slow", wait_s=0)))

            for of in (client, other) * 3:
                tasks.start_soon(one, of)

    Agent(project, bgrun_bin).run(work)
    assert len(runs) == 1
    assert labels(project) == ["slow"]
